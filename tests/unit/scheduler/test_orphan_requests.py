"""What is asked about orphans, and done about them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from scheduler import orphan_requests, orphans, releases, runs
from scheduler.retention import prune
from scheduler.settlement import end_run
from scheduler.tables import ReleaseRow
from shared.errors import ApiError, Unavailable
from shared.models import RunKind, RunStatus
from shared.rollback.settings import RollbackSettings
from tests.unit.scheduler.support import TARGET, World
from tests.unit.scheduler.test_orphans import (
    PLANNED,
    URL,
    answered,
    begin,
    cut,
    end_well,
    look,
    make_queue,
    repeated,
    succeed,
)


def left(world: World) -> str:
    """A run that was cut and left something, looked at."""
    first = begin(world)
    make_queue(world, first)
    cut(world, first)
    look(world, first)
    return first.run.id


def test_reports_are_listed_the_youngest_first_without_what_is_settled(world: World) -> None:
    first = begin(world)
    cut(world, first)
    look(world, first)
    second = left(world)
    assert [one.run_id for one in orphan_requests.listed(world.context, target=None, only_open=True, limit=9)] == [
        second
    ]
    everything = orphan_requests.listed(world.context, target=TARGET, only_open=False, limit=9)
    assert [one.run_id for one in everything] == [second, first.run.id]
    assert orphan_requests.listed(world.context, target="web.south", only_open=False, limit=9) == []


def test_a_run_that_no_beat_has_looked_at_yet_is_examined_at_once(world: World) -> None:
    first = begin(world)
    make_queue(world, first)
    cut(world, first)
    assert len(orphan_requests.get(world.context, first.run.id).orphans) == 1


def test_only_the_holder_says_what_would_be_made(world: World) -> None:
    first = begin(world)
    orphan_requests.deliver_planned(world.context, first.run.id, holder="holder-1", planned=PLANNED)
    with pytest.raises(ApiError) as refused:
        orphan_requests.deliver_planned(world.context, first.run.id, holder="another", planned=PLANNED)
    assert refused.value.code == "lease_lost"


def test_a_recovery_makes_a_check_for_drift_give_way(world: World) -> None:
    run_id = left(world)
    check = world.claim(world.submit(kind=RunKind.DRIFT))
    orphan_requests.recover(world.context, run_id, actor="anna")
    assert runs.get(world.context, check.run.id).cancel_requested


def test_a_recovery_is_a_run_of_the_cut_runs_release_and_asking_twice_is_asking_once(world: World) -> None:
    run_id = left(world)
    run = orphan_requests.recover(world.context, run_id, actor="anna")
    assert (run.kind, run.status, run.actor) == (RunKind.RECOVER, RunStatus.PENDING, "anna")
    assert run.release_digest == runs.get(world.context, run_id).release_digest
    assert orphan_requests.recover(world.context, run_id, actor="bert").id == run.id


def test_a_recovery_that_succeeds_settles_the_report_and_deploys_nothing(world: World) -> None:
    run_id = left(world)
    before = runs.get(world.context, run_id).release_digest
    other = world.publish(TARGET, generic={"main.tf": b"# another\n"})
    releases.register(world.context, "web", release_digest=other)
    run = orphan_requests.recover(world.context, run_id, actor="anna")
    assignment = world.claim(runs.get(world.context, run.id), holder="h2")
    world.acquire(assignment)
    assert assignment.recovers == run_id
    succeed(world, assignment, "h2")
    assert runs.get(world.context, run.id).status is RunStatus.APPLIED
    assert runs.get(world.context, run.id).release_digest == before
    orphans.look_at_ended(world.context)
    report = orphan_requests.get(world.context, run_id)
    assert (report.open, report.orphans) == (False, ())
    assert world.submit().release_digest == other, "what the target has is still what it had"


def test_there_is_nothing_to_recover_from_a_run_that_left_nothing(world: World) -> None:
    first = begin(world)
    with pytest.raises(ApiError) as early:
        orphan_requests.recover(world.context, first.run.id, actor="anna")
    assert early.value.code == "not_over"
    cut(world, first)
    with pytest.raises(ApiError) as nothing:
        orphan_requests.recover(world.context, first.run.id, actor="anna")
    assert nothing.value.code == "nothing_to_recover"
    second = begin(world)
    succeed(world, second, "holder-1")
    with pytest.raises(ApiError) as well:
        orphan_requests.recover(world.context, second.run.id, actor="anna")
    assert well.value.code == "nothing_to_recover"


def with_rule(world: World, rollback: RollbackSettings | None) -> str:
    digest = world.publish(TARGET, generic={"main.tf": b"# with a rule\n"}, rollback=rollback)
    releases.register(world.context, "web", release_digest=digest)
    return digest


def recoveries(world: World) -> list[str]:
    found = runs.listed(world.context, target=TARGET, status=None, limit=50)
    return [run.id for run in found if run.kind is RunKind.RECOVER]


def test_where_the_flock_says_so_it_is_recovered_by_itself_once(world: World) -> None:
    with_rule(world, RollbackSettings(on=(), recover="auto"))
    run_id = left(world)
    assert orphan_requests.apply_rules(world.context) == 1
    assert orphan_requests.apply_rules(world.context) == 0
    (started,) = recoveries(world)
    assert orphan_requests.get(world.context, run_id).recovery_run_id == started
    runs.cancel(world.context, started)
    assert orphan_requests.apply_rules(world.context) == 0, "a person has canceled it"


@pytest.mark.parametrize("rule", [None, RollbackSettings(on=(), recover="report")])
def test_where_it_does_not_say_so_nothing_is_done(world: World, rule: RollbackSettings | None) -> None:
    with_rule(world, rule)
    left(world)
    assert orphan_requests.apply_rules(world.context) == 0
    assert recoveries(world) == []


def test_a_follow_up_recovers_without_any_rule(world: World) -> None:
    with_rule(world, RollbackSettings(on=(), recover="auto"))
    first = begin(world)
    make_queue(world, first)
    cut(world, first, follow=True)
    look(world, first)
    assert orphan_requests.apply_rules(world.context) == 0


def test_the_release_of_a_run_that_left_something_stays_as_long_as_it_is_open(world: World) -> None:
    cut_off = world.publish(TARGET, rendered={"a.json": b"cut off"})
    first = world.claim(world.submit(kind=RunKind.EXEC, argv=["aws"], release_digest=cut_off), holder="h1")
    world.acquire(first)
    make_queue(world, first)
    cut(world, first)
    look(world, first)
    for word in (b"newer", b"newest"):
        world.publish(TARGET, rendered={"a.json": word})
    assert cut_off not in {one.digest for one in prune(world.context, keep=1).releases}
    second = world.claim(world.submit(kind=RunKind.EXEC, argv=["aws"]), holder="h2")
    world.acquire(second)
    answered(world, world.journal(second, "DeleteQueue", QueueUrl=URL))
    orphans.look_at_ended(world.context)
    assert cut_off in {one.digest for one in prune(world.context, keep=1).releases}


def test_what_a_command_made_is_reported_and_left_to_a_person(world: World) -> None:
    with_rule(world, RollbackSettings(on=(), recover="auto"))
    first = world.claim(world.submit(kind=RunKind.EXEC, argv=["aws"]), holder="h1")
    world.acquire(first)
    make_queue(world, first)
    cut(world, first)
    assert look(world, first).open
    assert orphan_requests.apply_rules(world.context) == 0


def test_a_rule_that_says_nothing_keeps_no_other_report_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphan_requests, "_MAX_APPLIED", 1)
    silent = left(world)
    with_rule(world, RollbackSettings(on=(), recover="auto"))
    run_id = left(world)
    assert [orphan_requests.apply_rules(world.context) for _ in range(3)] == [0, 1, 0]
    assert orphan_requests.get(world.context, silent).recovery_run_id is None
    assert orphan_requests.get(world.context, run_id).recovery_run_id is not None


def test_what_a_command_made_and_a_target_that_is_taken_keep_no_other_report_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphan_requests, "_MAX_APPLIED", 1)
    first = world.claim(world.submit(kind=RunKind.EXEC, argv=["aws"]), holder="h1")
    world.acquire(first)
    make_queue(world, first)
    cut(world, first)
    look(world, first)
    with_rule(world, RollbackSettings(on=(), recover="auto"))
    taken = begin(world)
    make_queue(world, taken, "taken")
    cut(world, taken, follow=True)
    look(world, taken)
    world.register("shop.north")
    auto = world.publish("shop.north", generic={"main.tf": b"# auto"}, rollback=RollbackSettings(on=(), recover="auto"))
    releases.register(world.context, "shop", release_digest=auto)
    other, lease = world.begin("shop.north")
    make_queue(world, other, "other")
    world.sever("shop.north", lease)
    (follower,) = [one for one, _ in end_run(world.context, other.run.id, epoch=other.epoch, reason="severed")]
    runs.cancel(world.context, follower)
    look(world, other)
    assert orphan_requests.apply_rules(world.context) == 1
    assert orphan_requests.get(world.context, other.run.id).recovery_run_id is not None


def test_one_rule_that_cannot_be_applied_keeps_no_other_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with_rule(world, RollbackSettings(on=(), recover="auto"))
    broken, well = left(world), left(world)
    monkeypatch.setattr(orphan_requests, "_MAX_APPLIED", 1)
    original = orphan_requests.lock_run

    def lock_run(database: Any, session: Any, run_id: str) -> Any:
        if run_id == broken:
            raise RuntimeError("broken")
        return original(database, session, run_id)

    monkeypatch.setattr(orphan_requests, "lock_run", lock_run)
    assert orphan_requests.apply_rules(world.context) == 0
    assert orphan_requests.apply_rules(world.context) == 1, "the broken one does not stand before it for ever"
    assert orphan_requests.get(world.context, well).recovery_run_id is not None


def is_away(*_: Any) -> Any:
    raise Unavailable("the database is away")


def test_a_rule_waits_for_a_database_that_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with_rule(world, RollbackSettings(on=(), recover="auto"))
    run_id = left(world)
    with monkeypatch.context() as away:
        away.setattr(orphan_requests, "lock_run", is_away)
        assert orphan_requests.apply_rules(world.context) == 0
    assert orphan_requests.apply_rules(world.context) == 1
    assert orphan_requests.get(world.context, run_id).recovery_run_id is not None


def test_a_damaged_release_has_no_rule_and_stands_before_no_other(world: World) -> None:
    digest = with_rule(world, RollbackSettings(on=(), recover="auto"))
    run_id = left(world)
    with world.context.database.write() as session:
        session.execute(update(ReleaseRow).where(ReleaseRow.digest == digest).values(manifest=b"{}"))
    assert orphan_requests.apply_rules(world.context) == 0
    assert orphan_requests.get(world.context, run_id).recovery_run_id is None
    assert orphan_requests.apply_rules(world.context) == 0


def test_what_a_run_that_ended_well_may_have_left_can_be_recovered(world: World) -> None:
    first = begin(world)
    repeated(world, first)
    end_well(world, first)
    look(world, first)
    run = orphan_requests.recover(world.context, first.run.id, actor="anna")
    assert run.kind is RunKind.RECOVER
