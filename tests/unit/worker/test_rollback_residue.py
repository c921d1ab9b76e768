"""What the journal says was made, and no state holds."""

from __future__ import annotations

from pathlib import Path

from shared.rollback.records import ResidueKind
from tests.unit.worker.rollbacks import World, left, state
from tests.unit.worker.support import record
from worker.rollback_residue import orphans, orphans_without_a_plan

QUEUE = record("sqs", "CreateQueue", {"QueueName": "q"}, {"QueueUrl": "https://q"})


def test_what_a_plans_state_does_not_hold_is_named() -> None:
    (one,) = orphans([QUEUE], {})
    assert (one.kind, one.type, one.id) == (ResidueKind.LEFT, "aws_sqs_queue", "https://q")


def test_without_a_plan_the_stored_state_is_asked(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"))
    assert len(orphans_without_a_plan([QUEUE], world.terraform(), world.notes.append)) == 1
    world.commands.state = state("aws_sqs_queue.q", id="https://q", name="q")
    assert orphans_without_a_plan([QUEUE], world.terraform(), world.notes.append) == ()


def test_of_a_state_that_cannot_be_read_nobody_says_what_it_does_not_hold(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"))
    world.commands.codes["show"] = [1]
    assert orphans_without_a_plan([QUEUE], world.terraform(), world.notes.append) == ()
    assert "nobody can tell" in world.notes[-1]


def test_nothing_is_asked_where_nothing_was_made(tmp_path: Path) -> None:
    world = World(tmp_path, left("a"))
    assert orphans_without_a_plan([], world.terraform(), world.notes.append) == ()
    assert world.commands.lines == []
