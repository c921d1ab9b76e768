"""What can be told. Pure.

An event never fails to be made for what stands in it: it is recorded in transactions that must not fail because of it.
Texts are redacted and cut, lists are cut and say so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import AwareDatetime, BeforeValidator, Field, model_validator

from scheduler.notifications.redaction import one_line
from shared.notifications import NotificationKind
from shared.record import Record

Kind = NotificationKind

MAX_NAME: Final = 256
MAX_REASON: Final = 1024
MAX_ITEM: Final = 320
MAX_ITEMS: Final = 20


def _text(limit: int) -> BeforeValidator:
    return BeforeValidator(lambda value: None if value is None else one_line(str(value), limit))


Name = Annotated[str, _text(MAX_NAME)]


class Event(Record):
    """Something that people are told. Everything but kind, key, at and flock may be left out."""

    kind: Kind = Field(description="which template it gets")
    key: Annotated[str, Field(min_length=1)] = Field(
        description="what makes it this event and no other: of one kind and key, only the first is recorded"
    )
    at: AwareDatetime = Field(description="when it happened")
    flock: Name = Field(description="whose; decides where it goes, together with the kind")
    target: Name | None = Field(default=None, description="the target that it happened to")
    run_id: Name | None = Field(default=None, description="the run")
    run_kind: Name | None = Field(default=None, description="what the run did: plan, apply, …")
    epoch: int | None = Field(default=None, description="the run's epoch")
    next_run_id: Name | None = Field(default=None, description="the run that follows it by itself")
    rollout_id: Name | None = Field(default=None, description="the roll-out")
    phase: Name | None = Field(default=None, description="its phase")
    release_digest: Name | None = Field(default=None, description="the release")
    resource: Name | None = Field(default=None, description="address of the resource, where it can be told")
    operation: Name | None = Field(default=None, description="the API call or the plan's operation")
    standing: Name | None = Field(
        default=None,
        description="drift: drifted, in_sync again, or not_checked any more; a rollback that is over: what came of it",
    )
    rollback_id: Name | None = Field(default=None, description="the rollback")
    reason: Annotated[str, _text(MAX_REASON)] = Field(default="", description="why, in somebody's words")
    items: tuple[Annotated[str, _text(MAX_ITEM)], ...] = Field(
        default=(), description="what it is about, one a line: resources with what changed, targets with their plans"
    )
    more: int = Field(default=0, ge=0, description="items that were left out")

    @model_validator(mode="before")
    @classmethod
    def _bounded(cls, data: Any) -> Any:
        if isinstance(data, dict) and len(items := tuple(data.get("items", ()))) > MAX_ITEMS:
            return {**data, "items": items[:MAX_ITEMS], "more": data.get("more", 0) + len(items) - MAX_ITEMS}
        return data

    @classmethod
    def stored(cls, document: Mapping[str, Any]) -> Self:
        """The event of a row. What a later version added is left out; raises ValueError for a kind it added."""
        return cls.model_validate({name: value for name, value in document.items() if name in cls.model_fields})

    @property
    def id(self) -> str:
        """`evt_` and 32 hex digits. It follows from kind and key, so that recording twice is recording once."""
        return "evt_" + hashlib.sha256(f"{self.kind.value}\0{self.key}".encode()).hexdigest()[:32]
