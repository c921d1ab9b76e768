"""What the bodies of requests have in common."""

from __future__ import annotations

import pytest
from pydantic import Field, ValidationError

from scheduler.api.request_body import Actor, Holder, Line, RequestBody, Said


class Delivery(RequestBody):
    holder: Holder
    actor: Actor


def test_whoever_asks_need_not_say_so_but_a_holder_does() -> None:
    assert Delivery.model_validate({"holder": "h"}).actor == ""
    with pytest.raises(ValidationError):
        Delivery.model_validate({"actor": "anna"})


@pytest.mark.parametrize(
    "values",
    [{"holder": ""}, {"holder": "h" * 129}, {"holder": "h", "actor": "a" * 257}, {"holder": "h", "acter": "x"}],
)
def test_what_is_too_long_missing_or_unknown_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Delivery.model_validate(values)


UNPRINTABLE = pytest.mark.parametrize("text", ["a\x00", "two\nlines", "\x1b[31mred", "back\b", "\u202eright", "\ud800"])


class Words(RequestBody):
    actor: Actor
    why: Line = ""
    said: Said = Field(default="", max_length=9)


@UNPRINTABLE
def test_what_people_write_is_one_line_of_what_can_be_printed(text: str) -> None:
    for field in ("actor", "why"):
        with pytest.raises(ValidationError, match="one line of printable characters"):
            Words.model_validate({field: text})
    assert Words.model_validate({"actor": "Änne 木 🐑", "why": "it's slow"}).actor == "Änne 木 🐑"


@UNPRINTABLE
def test_what_a_holder_says_is_made_one_line(text: str) -> None:
    assert Words.model_validate({"said": text}).said.isprintable()


def test_of_what_a_holder_says_nothing_else_is_changed() -> None:
    assert Words.model_validate({"said": "a\x00\r\n b"}).said == "a b"
    assert Words.model_validate({"said": "a  b"}).said == "a  b"
    for wrong in ("x" * 10, 3, None):
        with pytest.raises(ValidationError):
            Words.model_validate({"said": wrong})
