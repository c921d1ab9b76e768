"""What is known, before a plan is made, of what was there before its deployment began."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.names import RunId
from shared.record import Record
from shared.rollback.records import MAX_TRIES
from shared.safety.entries import MAX_ENTRIES, Existing


class Precedents(Record):
    """The unfinished tries that a deployment continues, and what they found. What they made was not there before."""

    tries: tuple[RunId, ...] = Field(default=(), max_length=MAX_TRIES, description="the oldest first")
    existing: Annotated[frozenset[Existing], Field(max_length=MAX_ENTRIES)] = Field(
        default=frozenset(), description="of whose names something was there, or may have been, when they asked"
    )
