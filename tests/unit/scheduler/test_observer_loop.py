"""The observer loop, pass by pass, with a clock that is moved by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from scheduler import leases, runs
from scheduler.observer_loop import REPORT_LIMIT_MS, ObserverLoop, Stopwatch
from scheduler.settlement import ActiveRun, end_run
from scheduler.tables import RevocationRow, RunRow, TargetRow
from shared.errors import ApiError, Unavailable
from shared.lease import keys
from shared.lease.commands import Granted, Refused
from shared.lease.machine import State
from shared.lease.view import LeaseView
from shared.models import Assignment, Run, RunKind, RunStatus
from tests.servers import wait_for
from tests.unit.scheduler.support import BOOT, TARGET, World, metric


@pytest.fixture
def observer(world: World) -> ObserverLoop:
    return ObserverLoop(world.context)


def watch(world: World, observer: ObserverLoop, ms: int, step_ms: int = 500) -> None:
    for _ in range(0, ms, step_ms):
        observer.step()
        world.clock.advance(step_ms)


def status(world: World, run_id: str) -> RunStatus:
    return runs.get(world.context, run_id).status


def follower(world: World, run_id: str) -> Run | None:
    listed = runs.listed(world.context, target=None, status=None, limit=100)
    return next((run for run in listed if run.retry_of == run_id), None)


def test_a_severed_lease_ends_the_run_and_publishes_its_follow_up_in_one_pass(
    world: World, observer: ObserverLoop
) -> None:
    assignment, lease = world.begin()
    observer.step()
    world.sever(TARGET, lease)
    world.publisher.hints.clear()
    observer.step()
    assert status(world, assignment.run.id) is RunStatus.LOST
    assert "worker died" in runs.get(world.context, assignment.run.id).reason
    next_run = follower(world, assignment.run.id)
    assert next_run is not None
    assert world.publisher.hints == [("north", next_run.id)]


def test_a_silent_lease_is_expired_after_the_window_and_not_before(world: World, observer: ObserverLoop) -> None:
    assignment, _ = world.begin()
    window_ms = world.context.settings.timing.window_ms
    watch(world, observer, window_ms)
    assert world.store.view(TARGET).state is State.HELD
    assert status(world, assignment.run.id) is RunStatus.CLAIMED
    watch(world, observer, 1500)
    assert world.store.view(TARGET).state is State.EXPIRED
    assert status(world, assignment.run.id) is RunStatus.LOST
    assert metric(world, "expirations_total") == 1


def test_a_proxy_that_never_acknowledged_is_waited_for_longer(world: World, observer: ObserverLoop) -> None:
    _, lease = world.begin()
    world.store.attach(TARGET, lease, "node-1", BOOT)
    timing = world.context.settings.timing
    watch(world, observer, timing.window_ms + timing.unknown_ms)
    assert world.store.view(TARGET).state is State.HELD
    watch(world, observer, 1500)
    assert world.store.view(TARGET).state is State.EXPIRED


def test_a_renewed_lease_is_left_alone(world: World, observer: ObserverLoop) -> None:
    assignment, lease = world.begin()
    for _ in range(30):
        world.store.renew(TARGET, lease)
        watch(world, observer, 5000)
    assert status(world, assignment.run.id) is RunStatus.CLAIMED


def test_an_observer_that_starts_anew_waits_for_the_whole_window_itself(world: World, observer: ObserverLoop) -> None:
    world.begin()
    watch(world, observer, world.context.settings.timing.window_ms)
    watch(world, ObserverLoop(world.context), world.context.settings.timing.window_ms)
    assert world.store.view(TARGET).state is State.HELD


def test_a_reported_run_ends_when_its_lease_is_released(world: World, observer: ObserverLoop) -> None:
    assignment, lease = world.begin()
    world.finish(assignment)
    observer.step()
    assert status(world, assignment.run.id) is RunStatus.SETTLING
    world.store.release(TARGET, lease)
    observer.step()
    assert status(world, assignment.run.id) is RunStatus.APPLIED


def test_a_released_lease_gets_a_ttl_for_its_report(world: World, observer: ObserverLoop) -> None:
    assignment, lease = world.begin()
    observer.step()
    world.store.release(TARGET, lease)
    watch(world, observer, world.context.settings.ttl_ms)
    assert status(world, assignment.run.id) is RunStatus.CLAIMED
    watch(world, observer, 1500)
    assert status(world, assignment.run.id) is RunStatus.LOST


def test_a_live_worker_has_longer_to_deliver_its_report(world: World, observer: ObserverLoop) -> None:
    assignment, lease = world.begin()
    world.store.beat("node-1", {"runs": [assignment.run.id]}, 600_000)
    observer.step()
    world.store.release(TARGET, lease)
    watch(world, observer, REPORT_LIMIT_MS, step_ms=1500)
    assert status(world, assignment.run.id) is RunStatus.CLAIMED
    watch(world, observer, 10_000, step_ms=1500)
    assert status(world, assignment.run.id) is RunStatus.LOST


def test_a_claim_whose_node_is_gone_is_fenced_off_and_followed(world: World, observer: ObserverLoop) -> None:
    assignment = world.claim(world.submit())
    watch(world, observer, world.context.settings.ttl_ms)
    assert status(world, assignment.run.id) is RunStatus.CLAIMED
    watch(world, observer, 1500)
    assert status(world, assignment.run.id) is RunStatus.LOST
    late = world.store.acquire(
        TARGET, epoch=1, acquire_id="c" * 32, ttl_ms=900, holder="h", run_id=assignment.run.id, node="n"
    )
    assert isinstance(late, Refused)
    next_run = follower(world, assignment.run.id)
    assert next_run is not None
    assert world.acquire(world.claim(next_run, holder="h2")).startswith("2-")


@pytest.mark.parametrize(("payload", "patient"), [({}, True), ({"runs": []}, False), ({"runs": None}, True)])
def test_a_live_node_keeps_its_claim_unless_it_does_not_attempt_the_run(
    world: World, observer: ObserverLoop, payload: dict[str, object], patient: bool
) -> None:
    assignment = world.claim(world.submit())
    for _ in range(12):
        world.store.beat("node-1", payload, 600_000)
        watch(world, observer, 5000)
    assert (status(world, assignment.run.id) is RunStatus.CLAIMED) is patient


def test_a_live_node_that_never_acquires_runs_into_the_claim_timeout(world: World, observer: ObserverLoop) -> None:
    assignment = world.claim(world.submit())
    world.store.beat("node-1", {"runs": [assignment.run.id]}, 10_000_000)
    timeout_ms = world.context.settings.claim_timeout_s * 1000
    watch(world, observer, timeout_ms, step_ms=1000)
    assert status(world, assignment.run.id) is RunStatus.CLAIMED
    watch(world, observer, 2000, step_ms=1000)
    assert status(world, assignment.run.id) is RunStatus.LOST


def restarted_empty(world: World) -> None:
    assert world.server is not None
    world.server.restart(empty=True)


def test_a_redis_that_came_back_empty_grants_nothing_for_the_embargo(world: World, observer: ObserverLoop) -> None:
    assignment, _ = world.begin()
    observer.step()
    restarted_empty(world)
    watch(world, observer, world.context.settings.timing.embargo_ms)
    assert world.store.view(TARGET).embargoed
    assert status(world, assignment.run.id) is RunStatus.CLAIMED
    watch(world, observer, 1500)
    assert not world.store.view(TARGET).embargoed
    assert status(world, assignment.run.id) is RunStatus.LOST
    # A late ACQUIRE of the lost epoch must not win the empty server.
    late = world.store.acquire(
        TARGET, epoch=1, acquire_id="c" * 32, ttl_ms=900, holder="h", run_id=assignment.run.id, node="n"
    )
    assert isinstance(late, Refused)
    assert metric(world, "clears_total") == 1


def test_targets_without_a_run_are_cleared_too(world: World, observer: ObserverLoop) -> None:
    world.register("web.south")
    assignment, lease = world.begin()
    world.store.release(TARGET, lease)
    end_run(world.context, assignment.run.id, epoch=1, reason="")
    runs.cancel(world.context, runs.listed(world.context, target=None, status=RunStatus.PENDING, limit=1)[0].id)
    watch(world, observer, 1500)
    # Nothing was ever granted there, so there is nothing to wait for.
    assert not world.store.view("web.south").embargoed
    restarted_empty(world)
    watch(world, observer, world.context.settings.timing.embargo_ms + 3500)
    assert not world.store.view(TARGET).embargoed


def test_a_failover_keeps_the_lease_and_ends_its_embargo(world: World, observer: ObserverLoop) -> None:
    assignment, lease = world.begin()
    observer.step()
    assert world.server is not None
    world.server.fail_over()
    for _ in range(12):
        world.store.renew(TARGET, lease)
        watch(world, observer, 5000)
    view = world.store.view(TARGET)
    assert (view.embargoed, view.state) == (False, State.HELD)
    assert status(world, assignment.run.id) is RunStatus.CLAIMED


def test_an_embargo_is_not_ended_for_an_epoch_that_was_claimed_meanwhile(
    world: World, observer: ObserverLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pass read epoch 0; before it acts, the first claim comes, is granted, and Redis comes back empty."""
    world.register("web.south")
    observer.step()
    restarted_empty(world)

    views = leases.views_of

    def claim_in_between(*arguments: object) -> object:
        seen = views(*arguments)  # type: ignore[arg-type]  # passed through
        with world.context.database.write() as session:
            session.get_one(TargetRow, "web.south").epoch = 1
        return seen

    observer.step()
    monkeypatch.setattr(leases, "views_of", claim_in_between)
    observer.step()
    assert world.store.view("web.south").embargoed


def test_a_revocation_is_repeated_until_it_took(
    world: World, observer: ObserverLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assignment, lease = world.begin()
    world.store.attach(TARGET, lease, "node-1", BOOT)

    def away(*_: object) -> None:
        raise Unavailable("Redis is away")

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "view", away)
        with pytest.raises(Unavailable):
            leases.revoke(world.context, TARGET, reason="maintenance")
    assert world.store.view(TARGET).state is State.HELD
    observer.step()
    observer.step()
    view = world.store.view(TARGET)
    assert (view.state, view.reason) == (State.REVOKING, "maintenance")
    with world.context.database.read() as session:
        assert session.scalars(select(RevocationRow)).one().took_at is not None
    world.store.acknowledge(TARGET, lease, "node-1", BOOT, 0)
    observer.step()
    assert status(world, assignment.run.id) is RunStatus.LOST
    assert follower(world, assignment.run.id) is None


def test_a_revoked_claim_that_has_not_begun_is_fenced_off(world: World, observer: ObserverLoop) -> None:
    assignment = world.claim(world.submit())
    leases.revoke(world.context, TARGET, reason="stop")
    watch(world, observer, 1500)
    assert status(world, assignment.run.id) is RunStatus.LOST
    with pytest.raises(ApiError):
        runs.progress(world.context, assignment.run.id, holder="holder-1", status=RunStatus.PLANNING)


def test_after_a_restore_of_the_database_a_claim_may_still_be_raised(world: World, observer: ObserverLoop) -> None:
    assignment = world.claim(world.submit())
    world.store.beat("node-1", {}, 600_000)
    granted = world.store.acquire(
        TARGET, epoch=9, acquire_id="9" * 32, ttl_ms=900, holder="x", run_id="run-forgotten", node="x"
    )
    assert isinstance(granted, Granted)
    world.store.release(TARGET, granted.lease_id)
    watch(world, observer, 60_000)
    assert status(world, assignment.run.id) is RunStatus.CLAIMED


def test_a_lease_that_the_database_does_not_know_is_expired_too(world: World, observer: ObserverLoop) -> None:
    assignment, lease = world.begin(kind=RunKind.PLAN)
    world.store.release(TARGET, lease)
    end_run(world.context, assignment.run.id, epoch=1, reason="")
    world.store.acquire(TARGET, epoch=5, acquire_id="5" * 32, ttl_ms=900, holder="x", run_id="x", node="x")
    watch(world, observer, world.context.settings.timing.window_ms + 3500)
    assert world.store.view(TARGET).state is State.EXPIRED


def test_two_observers_side_by_side_end_a_run_once(world: World) -> None:
    assignment, lease = world.begin()
    pair = [ObserverLoop(world.context), ObserverLoop(world.context)]
    for observer in pair:
        observer.step()
    world.sever(TARGET, lease)
    for observer in pair:
        observer.step()
    with world.context.database.read() as session:
        assert len(list(session.scalars(select(RunRow)))) == 2
    assert metric(world, "settled_runs_total", status="lost") == 1
    assert status(world, assignment.run.id) is RunStatus.LOST


FAILURES = [
    Unavailable("broken"),
    IntegrityError("INSERT INTO runs", {}, Exception("UNIQUE constraint failed")),
    OperationalError("UPDATE runs", {}, Exception("deadlock detected")),
    DataError("UPDATE runs", {}, Exception("value too long")),
    KeyError("a row of another version"),
]


def three(world: World) -> dict[str, tuple[Assignment, str]]:
    """Three targets with a run at work on each, and its lease; the second one is to break."""
    for name in ("web.a-broken", "web.b"):
        world.register(name)
    return {name: world.begin(name, holder=f"holder-{name}") for name in (TARGET, "web.a-broken", "web.b")}


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_the_failure_of_one_target_does_not_starve_the_others(
    world: World, observer: ObserverLoop, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    begun = three(world)
    observer.step()
    for name, (_, lease) in begun.items():
        world.sever(name, lease)
    bad = begun["web.a-broken"][0].run.id

    def fail_for_one(context: object, run_id: str, **options: object) -> list[tuple[str, str]]:
        if run_id == bad:
            raise failure
        return end_run(context, run_id, **options)  # type: ignore[arg-type]  # passed through

    with monkeypatch.context() as sick:
        sick.setattr("scheduler.observer_loop.end_run", fail_for_one)
        observer.step()
    found = {name: status(world, assignment.run.id) for name, (assignment, _) in begun.items()}
    assert found == {TARGET: RunStatus.LOST, "web.a-broken": RunStatus.CLAIMED, "web.b": RunStatus.LOST}
    assert metric(world, "observer_errors_total") == 1
    assert observer.age_s() == 0, "the pass came to its end"
    observer.step()
    assert status(world, bad) is RunStatus.LOST, "the next pass tries it again"


def test_a_row_that_the_database_refuses_is_one_targets_trouble(world: World, observer: ObserverLoop) -> None:
    begun = three(world)
    observer.step()
    for name, (_, lease) in begun.items():
        world.sever(name, lease)
    bad = begun["web.a-broken"][0].run.id
    refusal = "CREATE TRIGGER refuse BEFORE UPDATE ON runs WHEN OLD.id = '{}' BEGIN SELECT RAISE(ABORT, 'no'); END"
    with world.context.database.write() as session:
        session.execute(text(refusal.format(bad)))
    observer.step()
    found = {name: status(world, assignment.run.id) for name, (assignment, _) in begun.items()}
    assert found == {TARGET: RunStatus.LOST, "web.a-broken": RunStatus.CLAIMED, "web.b": RunStatus.LOST}
    assert metric(world, "observer_errors_total") == 1
    with world.context.database.write() as session:
        session.execute(text("DROP TRIGGER refuse"))
    observer.step()
    assert status(world, bad) is RunStatus.LOST


DEADLOCK = OperationalError("UPDATE targets", {}, Exception("deadlock detected"))


def test_a_lease_that_cannot_be_expired_keeps_no_other_waiting(
    world: World, observer: ObserverLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = three(world)
    expire = world.store.expire

    def fail_for_one(target: str, *arguments: object, **options: object) -> object:
        if target == "web.a-broken":
            raise DEADLOCK
        return expire(target, *arguments, **options)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(world.store, "expire", fail_for_one)
    watch(world, observer, world.context.settings.timing.window_ms + 2000)
    ended = {name for name, (assignment, _) in begun.items() if status(world, assignment.run.id) is RunStatus.LOST}
    assert ended == {TARGET, "web.b"}
    assert metric(world, "observer_errors_total") >= 1


def test_a_revocation_that_cannot_be_settled_keeps_no_other_waiting(
    world: World, observer: ObserverLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in three(world):
        leases.revoke(world.context, name, reason="by hand")
    took = leases.took

    def fail_for_one(view: LeaseView, **facts: Any) -> bool:
        if view.target == "web.a-broken":
            raise DEADLOCK
        return took(view, **facts)

    monkeypatch.setattr(leases, "took", fail_for_one)
    observer.step()
    observer.step()
    with world.context.database.read() as session:
        left = session.scalars(select(RevocationRow.target).where(RevocationRow.took_at.is_(None))).all()
    assert left == ["web.a-broken"]


def in_thread(observer: ObserverLoop, until: Callable[[], bool]) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=observer.run, args=(stop,))
    thread.start()
    try:
        wait_for("the observer", until)
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


def test_the_loop_survives_whatever_a_pass_raises(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    observer = ObserverLoop(world.context)
    assignment, lease = world.begin()
    world.sever(TARGET, lease)
    failures = iter([Unavailable("Redis is away"), RuntimeError("a bug of ours"), ValueError("another")])
    views = leases.views_of

    def failing(*arguments: object) -> object:
        if (failure := next(failures, None)) is not None:
            raise failure
        return views(*arguments)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(leases, "views_of", failing)
    in_thread(observer, lambda: status(world, assignment.run.id) is RunStatus.LOST)
    assert metric(world, "observer_errors_total") == 3


def test_the_age_of_the_last_pass_grows_while_the_loop_hangs(world: World, observer: ObserverLoop) -> None:
    world.clock.advance(2500)
    assert observer.age_s() == pytest.approx(2.5)
    observer.step()
    assert observer.age_s() == 0


def test_a_stopwatch_starts_again_after_an_interruption() -> None:
    watch = Stopwatch()
    assert watch.held_ms("run", "gone", True, 100) == 0
    assert watch.held_ms("run", "gone", True, 150) == 50
    assert watch.held_ms("run", "gone", False, 160) == 0
    assert watch.held_ms("run", "gone", True, 170) == 0
    watch.forget_all_but(set())
    assert watch.held_ms("run", "gone", True, 500) == 0


def test_while_nobody_looked_nothing_was_waited_for(world: World, observer: ObserverLoop) -> None:
    assignment = world.claim(world.submit())
    observer.step()
    # The database, Redis or beat itself was away; the worker's heartbeat comes a moment later.
    world.clock.advance(600_000)
    observer.step()
    assert status(world, assignment.run.id) is RunStatus.CLAIMED
    world.store.beat("node-1", {"runs": [assignment.run.id]}, 600_000)
    watch(world, observer, 10_000)
    assert status(world, assignment.run.id) is RunStatus.CLAIMED


def test_a_claim_is_not_given_up_because_an_embargo_is_long(world: World, observer: ObserverLoop) -> None:
    assignment = world.claim(world.submit())
    world.store.beat("node-1", {"runs": [assignment.run.id]}, 600_000)
    run, limit_ms = active(assignment), world.context.settings.claim_timeout_s * 1000
    embargoed = world.store.view(TARGET).model_copy(update={"cleared": False})
    observer._read_nodes()
    assert not observer._waited(run, embargoed).holder_vanished
    world.clock.advance(limit_ms)
    assert not observer._waited(run, embargoed).holder_vanished
    cleared = world.store.view(TARGET)
    assert not observer._waited(run, cleared).holder_vanished
    world.clock.advance(limit_ms)
    assert observer._waited(run, cleared).holder_vanished


def active(assignment: Assignment) -> ActiveRun:
    return ActiveRun(
        id=assignment.run.id,
        target=TARGET,
        epoch=assignment.epoch,
        node="node-1",
        acquired=False,
        reported=False,
        revoked=False,
    )


def test_a_target_that_cannot_be_seen_is_left_alone_and_costs_no_other_its_pass(
    world: World, observer: ObserverLoop
) -> None:
    world.register("web.south")
    broken, _ = world.begin()
    other, lease = world.begin("web.south")
    leases.revoke(world.context, TARGET, reason="maintenance")
    key = keys.target_keys(TARGET).state
    world.server.client.delete(key)
    world.server.client.set(key, "no hash")
    world.sever("web.south", lease)
    observer.step()
    assert status(world, other.run.id) is RunStatus.LOST
    assert status(world, broken.run.id) is RunStatus.CLAIMED
    assert metric(world, "observer_errors_total") >= 1


def test_nobody_counts_as_gone_while_the_hosts_cannot_be_read(
    world: World, observer: ObserverLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assignment = world.claim(world.submit())

    def away() -> None:
        raise Unavailable("a shard is away")

    monkeypatch.setattr(world.store, "nodes", away)
    watch(world, observer, 60_000)
    assert status(world, assignment.run.id) is RunStatus.CLAIMED
