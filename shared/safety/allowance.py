"""What a run may have signed: the scheduler decides it, the signing proxy holds every call against it.

A worker has no part in this record: the proxy fetches it from the scheduler itself.
"""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from shared.record import Record

MAX_ENTRIES: Final = 20_000


class AllowedEntry(Record):
    """One kind of change that the run's safety plan holds."""

    type: str = Field(max_length=256, description="resource type: aws_sqs_queue; empty for what has none")
    operation: str = Field(max_length=64, description="value of shared.safety.entries.Operation: create, update …")


class Allowance(Record):
    """What may be signed for one run.

    reads: what changes nothing. entries: what the entries need besides. unbounded: everything, for a run whose
    command Interlock cannot look into.
    """

    mode: Literal["reads", "entries", "unbounded"] = Field(description="how far the run may go")
    entries: tuple[AllowedEntry, ...] = Field(
        default=(), max_length=MAX_ENTRIES, description="with mode entries: the distinct kinds of change"
    )
    why: str = Field(default="", max_length=1024, description="for people: what this was decided by")

    @model_validator(mode="after")
    def _entries_where_they_count(self) -> Self:
        if self.entries and self.mode != "entries":
            raise ValueError(f"mode {self.mode} takes no entries")
        return self

    @classmethod
    def reads(cls, why: str = "") -> Self:
        """What a plan or a check for drift may do."""
        return cls(mode="reads", why=why)

    @classmethod
    def unbounded(cls, why: str = "") -> Self:
        """What a plain command may do."""
        return cls(mode="unbounded", why=why)

    @property
    def summary(self) -> str:
        """The allowance in a few words, for messages and logs."""
        if self.mode == "entries":
            types = len({entry.type for entry in self.entries})
            return f"the approved changes of {types} resource type{'' if types == 1 else 's'}"
        return "reads only" if self.mode == "reads" else "everything"
