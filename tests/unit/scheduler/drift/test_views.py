"""What API and metrics show."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event

from scheduler import journal
from scheduler.drift import queueing, views
from scheduler.drift.rules import count_hits
from scheduler.tables import DriftHitRow
from shared.drift.ignoring import IgnoreRule
from shared.drift.records import SignedCalls
from shared.drift.report import RollUp
from shared.errors import ApiError
from shared.models import JournalOutcome, RunStatus
from tests.unit.scheduler.drift.support import IN_SYNC, begin_check, check, deploy, drifted, end, later
from tests.unit.scheduler.support import TARGET, World, metric


def test_a_target_of_which_nothing_is_known_is_listed(world: World) -> None:
    (one,) = views.listed(world.context)
    assert (one.target, one.flock, one.roll_up, one.due_at) == (TARGET, "web", None, None)
    assert views.shown(world.context, TARGET).check is None


def test_the_list_says_what_counts_and_what_only_one_check_has_found(world: World) -> None:
    deploy(world, "web.north", "web.south", every_s=3600)
    check(world, IN_SYNC, "web.north")
    check(world, drifted(), "web.north")
    for _ in range(2):
        confirming = check(world, drifted(), "web.south")
    north, south = views.listed(world.context)
    assert (north.roll_up, north.pending, north.drifted) == (RollUp.IN_SYNC, RollUp.DRIFTED, 0)
    assert (south.roll_up, south.pending, south.drifted) == (RollUp.DRIFTED, None, 1)
    assert (south.run_id, south.since, south.checked_at) == (confirming.id, world.clock.wall(), world.clock.wall())
    assert [one.target for one in views.listed(world.context, roll_up=RollUp.DRIFTED)] == ["web.south"]
    assert [one.target for one in views.listed(world.context, flock="web", limit=1)] == ["web.north"]
    assert views.listed(world.context, flock="shop") == []


def test_a_target_is_shown_with_its_newest_check_also_where_a_later_one_failed(world: World) -> None:
    deploy(world)
    found = check(world, drifted())
    failed = check(world, None, status=RunStatus.ERRORED, exit_code=1, reason="no provider")
    detail = views.shown(world.context, TARGET)
    assert detail.check is not None
    assert (detail.check.run_id, detail.report) == (found.id, drifted())
    standing = detail.standing
    assert (standing.last_run_id, standing.last_status, standing.last_reason, standing.failures) == (
        failed.id, RunStatus.ERRORED, "no provider", 1,
    )  # fmt: skip


def test_an_unknown_target_is_404(world: World) -> None:
    with pytest.raises(ApiError) as unknown:
        views.shown(world.context, "web.nowhere")
    assert unknown.value.status == 404


def test_the_proof_counts_what_was_signed_and_holds_what_is_unknown_for_signed(world: World) -> None:
    deploy(world)
    assignment, lease = begin_check(world)
    calls = (
        ("GetQueueAttributes", "read", "answered"),
        ("ListQueues", "read", "unknown"),
        ("ListTags", "read", None),
        ("DeleteQueue", "write", "refused"),
        ("CreateQueue", "write", None),
    )
    for operation, access, outcome in calls:
        intent = world.journal(assignment, operation, access)
        if outcome is not None:
            sent = JournalOutcome.model_validate({"call_id": intent.call_id, "outcome": outcome})
            journal.record_outcome(world.context, sent)
    end(world, assignment, lease, status=RunStatus.CANCELED, exit_code=None)
    with world.context.database.read() as session:
        assert views.signed_calls(session, assignment.run.id) == SignedCalls(reads=3, writes=1, refused=1)
        assert views.signed_calls(session, "run-0000000000000000") == SignedCalls()


def rule(address: str, expires: str = "2999-01-01") -> IgnoreRule:
    return IgnoreRule.model_validate({"address": address, "expires": expires, "reason": "known"})


def test_rules_are_listed_with_their_hits_and_those_that_are_over(world: World) -> None:
    deploy(world, ignore=(rule("aws_sqs_queue.*"), rule("aws_x.y", "2001-01-01")))
    run = check(world, drifted())
    used, over = views.rules(world.context)
    assert (used.flock, used.hits, used.expired, used.last_run_id) == ("web", 1, False, run.id)
    assert (over.hits, over.expired, over.last_hit_at) == (0, True, None)
    assert views.rules(world.context, flock="shop") == []


def test_those_of_one_flock_are_found_without_reading_all_others(world: World) -> None:
    deploy(world, ignore=(rule("aws_sqs_queue.*"),))
    check(world, drifted())
    with world.context.database.write() as session:
        for number in range(3):
            count_hits(session, "shop", {f"rule-{number}": 1}, run_id="run-1", at=world.clock.wall())
    loaded: list[str] = []

    def note(row: DriftHitRow, _: object) -> None:
        loaded.append(row.flock)

    event.listen(DriftHitRow, "load", note)
    try:
        assert [used.hits for used in views.rules(world.context, flock="web")] == [1]
    finally:
        event.remove(DriftHitRow, "load", note)
    assert loaded == ["web"]


def test_the_gauges_have_every_standing_and_how_long_a_check_is_overdue(world: World) -> None:
    deploy(world, "web.north", "web.south", every_s=60)
    for _ in range(2):
        check(world, drifted(), "web.north")
    views.refresh_counts(world.context)
    names = ("in_sync", "drifted", "not_checked", "unknown")
    assert [metric(world, "drift_targets", standing=name) for name in names] == [0, 1, 0, 1]
    assert metric(world, "oldest_drift_check_age_seconds") == 0
    queueing.schedule(world.context)
    later(world, timedelta(hours=1).total_seconds())
    views.refresh_counts(world.context)
    assert 3500 < metric(world, "oldest_drift_check_age_seconds") < 3600
