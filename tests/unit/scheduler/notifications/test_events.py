"""What can be told."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from scheduler.notifications.events import MAX_ITEMS, MAX_NAME, MAX_REASON, Event, Kind
from tests.unit.scheduler.notifications.support import NOW, event


def test_an_id_follows_from_kind_and_key_and_from_nothing_else() -> None:
    first = event()
    assert re.fullmatch(r"evt_[0-9a-f]{32}", first.id)
    assert event(reason="in other words", epoch=9).id == first.id
    assert event(key="run-x").id != first.id
    assert event(Kind.HALT).id != first.id


def test_nothing_that_stands_in_it_makes_an_event_fail() -> None:
    made = event(
        target="t" * 1000,
        reason="password=hunter2\r\n" + "x" * 10_000,
        items=[f"item {number}\n" + "y" * 1000 for number in range(MAX_ITEMS + 5)],
    )
    assert made.target is not None
    assert len(made.target) == MAX_NAME
    assert len(made.reason) == MAX_REASON
    assert made.reason.startswith("password=*** xxx")
    assert (len(made.items), made.more) == (MAX_ITEMS, 5)
    assert "\n" not in made.items[0]


def test_a_field_that_it_does_not_have_is_refused() -> None:
    with pytest.raises(ValidationError, match="state"):
        event(state="{}")


def test_a_stored_event_is_the_same_also_when_a_later_version_wrote_more() -> None:
    made = event(items=("a", "b"), more=2)
    assert Event.stored({**made.model_dump(mode="json"), "novelty": 1}) == made
    with pytest.raises(ValueError, match="kind"):
        Event.stored({"kind": "novelty", "key": "k", "at": NOW.isoformat(), "flock": "f"})
