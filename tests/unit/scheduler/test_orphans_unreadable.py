"""What cut runs left, where a stored state is none that anybody can read: whoever has a run's credentials stores it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from scheduler import orphans
from tests.unit.scheduler.support import World
from tests.unit.scheduler.test_orphans import begin, cut, look, make_queue, reported, state, told, write_state


@pytest.mark.parametrize(
    "resources",
    [
        [{"mode": "managed"}],
        [None],
        {"a": 1},
        [{"mode": "managed", "type": "aws_sqs_queue", "name": "a", "instances": [None]}],
        [{"mode": "managed", "type": "aws_sqs_queue", "name": "a", "instances": [{"attributes": [1]}]}],
        [{"mode": "managed", "type": "aws_sqs_queue", "name": "a", "instances": [{"attributes": {"id": [1]}}]}],
        [{"mode": "managed", "type": ["aws_sqs_queue"], "name": {}, "instances": [{"attributes": {"url": {}}}]}],
    ],
)
def test_a_state_that_cannot_be_read_is_trouble_and_hides_nothing(world: World, resources: Any) -> None:
    first = begin(world)
    call = make_queue(world, first)
    body = {"version": 4, "serial": 1, "lineage": "a", "resources": resources}
    write_state(world, first, json.dumps(body).encode())
    cut(world, first)
    orphans.look_at_ended(world.context)
    assert reported(world) == [first.run.id]
    report = look(world, first)
    assert report.open
    assert [one.call_id for one in report.orphans] == [call.call_id]


def test_a_database_that_is_away_is_no_state_that_cannot_be_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = begin(world)
    make_queue(world, first)
    write_state(world, first, state(1))
    cut(world, first)

    def away(*_: Any, **__: Any) -> Any:
        raise OperationalError("SELECT", {}, Exception("away"))

    monkeypatch.setattr(orphans, "stored_version", away)
    orphans.look_at_ended(world.context)
    assert reported(world) == []
    monkeypatch.undo()
    orphans.look_at_ended(world.context)
    assert reported(world) == [first.run.id]


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"resources": [null]}'], ids=["too deep", "null"])
def test_what_stands_in_the_way_of_looking_is_told(world: World, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    first = begin(world)
    make_queue(world, first)
    write_state(world, first, state(1))
    cut(world, first)
    real = orphans.stored_version
    monkeypatch.setattr(orphans, "stored_version", lambda *one: replace(real(*one), body=body))  # type: ignore[type-var]
    report = look(world, first)
    assert report.trouble.startswith("a stored state cannot be read")
    assert (report.open, report.settled_by, len(report.orphans)) == (True, "", 1)
    assert "could not be looked at" in told(world)[0]["items"][0]
