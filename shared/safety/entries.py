"""What a plan does, as a set: one entry for each operation on each address. The unit of approval.

An entry says nothing about values. Two plans are the same when they do the same to the same addresses, however often
they are made and whatever a timestamp in them says.

Entries of two targets are compared after `normalised` took the place out of them. Only string keys of instances hold
values (`aws_subnet.zone["eu-west-1a"]`), so only there, and only as whole words, is the target's own region replaced by
a word that stands for it. Numeric keys stay: the third instance is the third in any region, and a region that has one
more is really something new. So does every other key: what cannot be told to mean the same place is another resource.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    field_serializer,
    model_serializer,
)

from shared.record import Record

MAX_ENTRIES: Final = 20_000
MAX_ADDRESS: Final = 2048
#: `["text"]` or `[0]` in an address; a quote within a text is escaped.
KEY: Final = re.compile(r'\[(?:(?P<number>\d+)|"(?P<text>(?:[^"\\]|\\.)*)")\]')


Address = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ADDRESS)]


class Operation(StrEnum):
    """What is done. A resource that stays as it is has no entry."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    REPLACE_DELETE_FIRST = "replace_delete_first"
    REPLACE_CREATE_FIRST = "replace_create_first"
    READ = "read"
    IMPORT = "import"
    MOVE = "move"
    FORGET = "forget"
    REPLACE_FORGET = "replace_forget"
    """A new one is made and the old one only forgotten."""
    PROVISIONER = "provisioner"
    """A command of the configuration's own that runs with a resource; the type says which kind of it."""
    ACTION = "action"
    """An action invocation: something a provider does that is no resource."""
    DEFERRED = "deferred"
    """Put off until more is known; what it will be, nobody can say yet."""
    OUTPUT = "output"
    """An output's value changes."""
    UNKNOWN = "unknown"
    """Something that this version does not know. No rule can allow it."""


class Entry(Record):
    """One operation on one address."""

    address: Address = Field(
        description="Terraform's address of the instance; `(deposed)` follows that of an object left by a replacement"
    )
    type: Annotated[str, StringConstraints(max_length=256)] = Field(description="its type: aws_sqs_queue, local-exec")
    operation: Operation = Field(description="what is done")

    def __str__(self) -> str:
        """`create aws_sqs_queue.orders`."""
        return f"{self.operation} {self.address}"


class Place(Record):
    """What is particular to one target: names that mean "here"."""

    region: str = Field(description="Interlock's region")
    provider_region: str = Field(description="the cloud's; its zones have a letter behind it")

    def normalised(self, address: str) -> str:
        """`address` with this place's own names taken out of its keys."""
        return KEY.sub(self._key, address)

    def _key(self, key: re.Match[str]) -> str:
        text = key["text"]
        if text is None:
            return key[0]
        # A key that looks like our stand-in must not be taken for one.
        text = text.replace("<", "<<")
        for name, stand_in, zones in (
            (self.provider_region, "<provider_region>", "[a-z]?"),
            (self.region, "<region>", ""),
        ):
            if name:
                word = rf"(?<![A-Za-z0-9<]){re.escape(name)}(?={zones}(?![A-Za-z0-9]))"
                text = re.sub(word, stand_in, text)
        return f'["{text}"]'


class Existing(Record):
    """What a plan would make, and whose name something has already, or may have, outside of the state."""

    address: Address = Field(description="of the instance that would be made")
    type: Annotated[str, StringConstraints(max_length=256)] = Field(description="its type")
    id: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = Field(
        default=None, description="of what is there, where it is known"
    )
    certain: bool = Field(default=False, description="whether it was seen; else nobody could tell")


class SafetyPlan(Record):
    """Everything that a plan does."""

    entries: Annotated[frozenset[Entry], Field(max_length=MAX_ENTRIES)] = Field(
        default=frozenset(), description="one for each operation on each address"
    )
    one_way: Annotated[frozenset[Address], Field(max_length=MAX_ENTRIES)] = Field(
        default=frozenset(),
        description="addresses of updates, and of what is made, that nothing turns around; no part of the digest",
    )
    existing: Annotated[frozenset[Existing], Field(max_length=MAX_ENTRIES)] = Field(
        default=frozenset(), description="what it takes over or overwrites by making it; no part of the digest"
    )

    @field_serializer("entries")
    def _sorted(self, entries: frozenset[Entry]) -> list[dict[str, str]]:
        return [entry.model_dump(mode="json") for entry in in_order(entries)]

    @model_serializer(mode="wrap")
    def _plain(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        shown: dict[str, Any] = dump(self)
        if self.one_way:
            shown["one_way"] = sorted(self.one_way)
        if self.existing:
            by_address = sorted(self.existing, key=lambda one: one.address)
            shown["existing"] = [one.model_dump(mode="json") for one in by_address]
        return {name: value for name, value in shown.items() if value or name == "entries"}

    @property
    def taken_over(self) -> frozenset[str]:
        """The addresses at which it makes what something of that name may be already."""
        return frozenset(one.address for one in self.existing)

    @property
    def digest(self) -> str:
        """`sha256:…` of the entries: the same set has the same digest. For an approval, of the normalised ones."""
        return f"sha256:{hashlib.sha256(self.canonical()).hexdigest()}"

    def canonical(self) -> bytes:
        """The one spelling: JSON with sorted keys and entries and no white space."""
        content = {"entries": self._sorted(self.entries)}
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def normalised(self, place: Place) -> SafetyPlan:
        """The same without what is particular to the target's place."""
        return SafetyPlan(
            entries=frozenset(
                entry.model_copy(update={"address": place.normalised(entry.address)}) for entry in self.entries
            )
        )


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """By address, then operation, then type: the order in which they are shown and written down."""
    return sorted(entries, key=lambda entry: (entry.address, entry.operation, entry.type))
