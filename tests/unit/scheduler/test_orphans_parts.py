"""What a cut run had set on something else, once another one has succeeded."""

from __future__ import annotations

import json

from scheduler import orphan_requests, runs
from scheduler.recovery import recovery
from shared.models import Assignment, RunKind
from shared.recovery.orphans import Planned, PlannedResources
from tests.unit.scheduler.support import TARGET, World
from tests.unit.scheduler.test_orphans import PLANNED, answered, cut, look, make_queue, state, succeed, write_state

OLD = "https://sqs.eu-1.amazonaws.com/1/old"


def cut_with_a_policy(world: World) -> Assignment:
    """A run that had a place for a queue's policy of its own, beside another one that it made."""
    first, _ = world.begin()
    places = PlannedResources(
        resources=(
            *PLANNED.resources,
            Planned(address="aws_sqs_queue_policy.p", type="aws_sqs_queue_policy", names={"queue_url": OLD}),
        )
    )
    orphan_requests.deliver_planned(world.context, first.run.id, holder="holder-1", planned=places)
    make_queue(world, first)
    answered(world, world.journal(first, "SetQueueAttributes", QueueUrl=OLD, AttributeName="Policy"))
    cut(world, first)
    return first


def another(world: World, kind: RunKind = RunKind.APPLY) -> Assignment:
    second = world.claim(world.submit(kind=kind), holder="h2")
    world.acquire(second)
    return second


def test_what_a_cut_run_set_on_something_stays_named_where_the_next_release_has_no_place_for_it(world: World) -> None:
    first = cut_with_a_policy(world)
    assert [orphan.operation for orphan in look(world, first).orphans] == ["CreateQueue", "SetQueueAttributes"]
    succeed(world, another(world), "h2")
    report = look(world, first)
    assert ([orphan.operation for orphan in report.orphans], report.settled_by) == (["SetQueueAttributes"], "")
    asked = orphan_requests.recover(world.context, first.run.id, actor="anna")
    third = world.claim(runs.get(world.context, asked.id), holder="h3")
    world.acquire(third)
    handed = recovery(world.context, TARGET, run_id=third.run.id, holder="h3").creates
    assert "SetQueueAttributes" in [one.operation for one in handed]
    succeed(world, third, "h3")
    report = look(world, first)
    assert (report.open, report.orphans) == (False, ())


def test_it_is_settled_where_the_next_release_has_one(world: World) -> None:
    first = cut_with_a_policy(world)
    second = another(world)
    policy = {"type": "aws_sqs_queue_policy", "name": "p", "mode": "managed"}
    document = json.loads(state(1)) | {"resources": [{**policy, "instances": [{"attributes": {"queue_url": OLD}}]}]}
    write_state(world, second, json.dumps(document).encode(), holder="h2")
    succeed(world, second, "h2")
    report = look(world, first)
    assert (report.open, second.run.id in report.settled_by) == (False, True)


def test_it_is_settled_where_what_it_was_set_on_is_deleted(world: World) -> None:
    first = cut_with_a_policy(world)
    second = another(world)
    answered(world, world.journal(second, "DeleteQueue", QueueUrl=OLD))
    succeed(world, second, "h2")
    assert not look(world, first).open


def test_that_a_state_cannot_be_read_is_said_beside_it(world: World) -> None:
    first = cut_with_a_policy(world)
    second = another(world)
    write_state(world, second, json.dumps(json.loads(state(1)) | {"resources": [None]}).encode(), holder="h2")
    succeed(world, second, "h2")
    report = look(world, first)
    assert [orphan.operation for orphan in report.orphans] == ["SetQueueAttributes"]
    assert "cannot be read" in report.trouble
