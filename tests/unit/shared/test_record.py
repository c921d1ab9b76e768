"""What all records have in common."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from shared.record import Record, Section


class _One(Record):
    name: str


def test_a_record_is_never_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        _One(name="a").name = "b"  # type: ignore[misc]  # that it is refused is the point


def test_a_field_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValidationError, match="forbidden"):
        _One.model_validate({"name": "a", "more": 1})


def test_a_section_converts_nothing() -> None:
    class Two(Section):
        number: int

    with pytest.raises(ValidationError, match="valid integer"):
        Two.model_validate({"number": "2"})
    with pytest.raises(ValidationError, match="forbidden"):
        Two.model_validate({"number": 2, "more": 1})
