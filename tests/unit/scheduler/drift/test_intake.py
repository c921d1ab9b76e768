"""A report comes in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from scheduler.drift.intake import deliver, drifted_in, in_common_with, item, report_of
from scheduler.rows import find_run
from scheduler.tables import DriftCheckRow
from shared.drift.ignoring import IgnoreRule
from shared.drift.report import AttributeChange, Cause, DriftReport, ResourceDrift, ResourceStatus, RollUp
from shared.errors import ApiError
from shared.models import RunKind, RunStatus
from tests.unit.scheduler.drift.support import BLIND, IN_SYNC, begin_check, check, deploy, drifted, end
from tests.unit.scheduler.support import TARGET, World


def rule(**values: object) -> IgnoreRule:
    return IgnoreRule.model_validate(
        {"address": "aws_sqs_queue.*", "expires": "2999-01-01", "reason": "a job does that", **values}
    )


def test_the_answer_is_what_it_comes_to(world: World) -> None:
    digest = deploy(world)
    assignment, _ = begin_check(world)
    found = deliver(world.context, assignment.run.id, holder=assignment.holder, report=drifted())
    assert (found.roll_up, found.counts) == (RollUp.DRIFTED, {ResourceStatus.MODIFIED: 1})
    assert (found.target, found.release_digest, found.created_at) == (TARGET, digest, world.clock.wall())


def test_what_the_flocks_rules_name_is_taken_off_and_stays_in_sight(world: World) -> None:
    deploy(world, ignore=(rule(attribute="tags"),))
    assignment, _ = begin_check(world)
    found = deliver(world.context, assignment.run.id, holder=assignment.holder, report=drifted("tags.a", "tags.b"))
    assert (found.roll_up, found.ignored, found.expired) == (RollUp.IN_SYNC, 2, ())
    with world.context.database.read() as session:
        kept = report_of(session, assignment.run.id)
    assert kept is not None
    (resource,) = kept.resources
    assert (resource.status, [change.ignored for change in resource.attributes]) == (ResourceStatus.IN_SYNC, [True] * 2)


def test_a_rule_that_is_over_takes_nothing_off_and_is_named(world: World) -> None:
    over = rule(expires=(world.clock.wall() - timedelta(days=1)).date())
    today = rule(expires=world.clock.wall().date(), address="aws_x.*")
    deploy(world, ignore=(over, today))
    assignment, _ = begin_check(world)
    found = deliver(world.context, assignment.run.id, holder=assignment.holder, report=drifted())
    assert (found.roll_up, found.ignored, found.expired) == (RollUp.DRIFTED, 0, (over,))


def test_the_same_report_again_is_harmless_and_another_one_is_refused(world: World) -> None:
    deploy(world)
    assignment, _ = begin_check(world)
    first = deliver(world.context, assignment.run.id, holder=assignment.holder, report=drifted())
    world.clock.advance(1000)
    assert deliver(world.context, assignment.run.id, holder=assignment.holder, report=drifted()) == first
    with pytest.raises(ApiError) as refused:
        deliver(world.context, assignment.run.id, holder=assignment.holder, report=IN_SYNC)
    assert refused.value.code == "other_report"


def test_nobody_but_the_holder_delivers_and_only_a_check_has_a_report(world: World) -> None:
    deploy(world)
    assignment, _ = begin_check(world)
    with pytest.raises(ApiError) as refused:
        deliver(world.context, assignment.run.id, holder="somebody", report=IN_SYNC)
    assert refused.value.code == "lease_lost"
    with pytest.raises(ApiError) as unknown:
        deliver(world.context, "run-0000000000000000", holder="h", report=IN_SYNC)
    assert unknown.value.status == 404


def test_a_plan_is_no_check(world: World) -> None:
    deploy(world)
    plan, _ = world.begin(kind=RunKind.PLAN, holder="h")
    with pytest.raises(ApiError, match="is no check for drift"):
        deliver(world.context, plan.run.id, holder="h", report=IN_SYNC)


def test_nobody_delivers_once_the_run_is_over(world: World) -> None:
    deploy(world)
    assignment, lease = begin_check(world)
    end(world, assignment, lease, status=RunStatus.CANCELED, exit_code=None)
    with pytest.raises(ApiError) as late:
        deliver(world.context, assignment.run.id, holder=assignment.holder, report=IN_SYNC)
    assert late.value.code == "lease_lost"


def test_what_two_checks_have_in_common_is_read_from_their_reports(world: World) -> None:
    deploy(world)
    first = check(world, drifted("delay_seconds", "tags.a"))
    second = check(world, drifted("delay_seconds", "tags.b"))
    alone = check(world, drifted("delay_seconds"))
    with world.context.database.write() as session:
        common = in_common_with(session, find_run(session, second.id), first.id)
        assert common is not None
        assert common.shape == session.get_one(DriftCheckRow, alone.id).shape
        assert in_common_with(session, find_run(session, second.id), None) is None
        assert in_common_with(session, find_run(session, second.id), "run-of-long-ago") is None
        session.get_one(DriftCheckRow, first.id).report = b"of another version"
        session.flush()
        session.expire_all()
        assert in_common_with(session, find_run(session, second.id), first.id) is None


def test_checks_of_two_releases_have_nothing_in_common(world: World) -> None:
    deploy(world)
    first = check(world, drifted())
    deploy(world, every_s=60)
    second = check(world, drifted())
    with world.context.database.read() as session:
        assert in_common_with(session, find_run(session, second.id), first.id) is None


def test_a_report_of_many_resources_is_kept_small(world: World) -> None:
    deploy(world)
    many = DriftReport(
        resources=tuple(
            ResourceDrift(address=f"aws_sqs_queue.q[{number}]", type="aws_sqs_queue", status=ResourceStatus.IN_SYNC)
            for number in range(5000)
        )
    )
    assignment, _ = begin_check(world)
    assert deliver(world.context, assignment.run.id, holder=assignment.holder, report=many).counts == {
        ResourceStatus.IN_SYNC: 5000
    }
    with world.context.database.read() as session:
        size = session.scalar(select(func.length(DriftCheckRow.report)))
        assert report_of(session, assignment.run.id) == many
    assert size is not None
    assert size < 50_000


def items(world: World, report: DriftReport) -> list[str]:
    run = check(world, report)
    with world.context.database.read() as session:
        return session.get_one(DriftCheckRow, run.id).items


def test_people_are_shown_what_drifted_else_what_was_not_looked_at(world: World) -> None:
    deploy(world)
    assert items(world, drifted("tags.a", "delay_seconds")) == ["aws_sqs_queue.orders modified (tags.a, delay_seconds)"]
    assert items(world, BLIND) == ["the state is gone"]
    assert items(world, IN_SYNC) == []
    assert items(world, drifted(status=ResourceStatus.UNKNOWN, reason="odd")) == ["aws_sqs_queue.orders unknown: odd"]


def test_a_line_about_a_resource_holds_no_value_and_is_short() -> None:
    changes = [AttributeChange(path=f"tags.t{number}", before="old", after="new") for number in range(5)]
    own = AttributeChange(path="id", cause=Cause.NORMALISATION)
    taken_off = AttributeChange(path="x", ignored=True)
    resource = (
        drifted().resources[0].model_copy(update={"attributes": (*changes, own, taken_off), "more_attributes": 2})
    )
    assert item(resource) == "aws_sqs_queue.orders modified (tags.t0, tags.t1, tags.t2 and 4 more)"
    gone = resource.model_copy(update={"status": ResourceStatus.DELETED, "attributes": (), "more_attributes": 0})
    assert item(gone) == "aws_sqs_queue.orders deleted"


def test_what_drifted_is_counted_over_both_statuses() -> None:
    assert drifted_in({"counts": {"in_sync": 5, "modified": 2, "deleted": 1, "unknown": 4}}) == 3
    assert drifted_in({}) == 0
