"""What all records that travel between the parts have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Never changed once it is made; a field that nobody knows makes it none."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Section(Record):
    """What people write in a file: what is not of the type that is asked for is refused, never converted."""

    model_config = ConfigDict(strict=True)
