"""A scheduler that dies at any transaction of a rollback loses nothing. On SQLite and on PostgreSQL.

Each story is told once for every transaction that it makes: the process dies just before that transaction's commit, or
just after it, before anybody heard of it, as the seed draws (`KILLS=all`: both). Whoever was asking then asks again, as
a worker, the observer and beat do. A run of somebody else's waits for the target all the time, and must not get it
before the rollback is over.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from scheduler import claims, plans, runs, turns
from scheduler.database import Database
from scheduler.rollback import at_work, requests
from scheduler.rollout import service
from scheduler.rollout.drive import drive_all
from scheduler.settlement import end_run
from scheduler.tables import NotificationRow, RollbackRow, RunRow
from shared.models import Assignment, ReleasePhase, RunKind, RunStatus
from shared.rollback.records import RollbackPlan, RollbackResult, RollbackState
from shared.rollback.settings import RollbackSettings, Trigger
from shared.rollback.standing import RollbackStatus
from shared.rollouts import RolloutStatus
from tests.unit.scheduler.rollback.support import (
    QUEUE,
    TOPIC,
    deliver_safety_plan,
    deployed,
    item,
    objects,
    release,
    write,
)
from tests.unit.scheduler.support import World, make_world

_REAL = Database.write


class KilledError(BaseException):
    """Nothing catches it."""


class Killer:
    """Kills the process at one of the transactions that are made while it is armed."""

    def __init__(self) -> None:
        self.armed = False
        self.seen = 0
        self.doomed: int | None = None
        self.before_commit = True
        self.struck = False

    def aim(self, doomed: int | None, *, before_commit: bool) -> None:
        """Strike at that transaction, or, with None, at none; count from one on once armed."""
        self.armed, self.seen, self.struck = False, 0, False
        self.doomed, self.before_commit = doomed, before_commit

    @contextmanager
    def at_peace(self) -> Iterator[None]:
        """Nothing is counted and nobody dies."""
        armed, self.armed = self.armed, False
        try:
            yield
        finally:
            self.armed = armed

    @contextmanager
    def write(self, database: Database) -> Iterator[Session]:
        self.seen += self.armed
        doomed = self.armed and self.seen == self.doomed and not self.struck
        with _REAL(database) as session:
            yield session
            if doomed and self.before_commit:
                self.struck = True
                raise KilledError
        if doomed:
            self.struck = True
            raise KilledError


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Killer:
    killer = Killer()
    monkeypatch.setattr(Database, "write", lambda database: killer.write(database))
    return killer


@pytest.fixture
def world(tmp_path: Path, database: Database) -> Iterator[World]:
    if database.dialect == "sqlite":
        # Processes die here, not machines: hundreds of stories need not wait for a disk.
        with database.connect() as connection:
            event.listen(connection.engine, "connect", _without_waiting_for_the_disk)
        database.close()
    world = make_world(tmp_path / "home", database)
    yield world
    world.store.close()


def _without_waiting_for_the_disk(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous = OFF")


class Case:
    """One telling of a story: a flock of its own, and somebody who waits for its target."""

    def __init__(self, world: World, killer: Killer, number: int) -> None:
        self.world = world
        self.killer = killer
        self.context = world.context
        self.flock = f"k{number}"
        self.region = f"r{number}"
        self.target = f"{self.flock}.{self.region}"
        self.intruder: str | None = None

    def ask[T](self, action: Callable[[], T]) -> T:
        """Ask until there is an answer: whoever died is there again."""
        try:
            return action()
        except KilledError:
            self.intrude()
            return action()

    def wait_for_it(self) -> None:
        """Somebody else's run waits from now on."""
        with self.killer.at_peace():
            other = release(self.world, "intruder", self.target, rollback=None)
            self.intruder = self.world.submit(self.target, release_digest=other).id

    def intrude(self) -> None:
        """It must not get the target now, nor anything else that waits there."""
        if self.intruder is None:
            return
        with self.killer.at_peace(), self.context.database.write() as session:
            found = turns.next_run(session, self.context.settings, self.region)
            if found is not None and found[0] == self.intruder:
                # Only the end of the rollback lets it in.
                assert (
                    session.scalars(select(RollbackRow.status).where(RollbackRow.target == self.target)).one()
                    == "ROLLED_BACK"
                )

    def claim(self, run_id: str, holder: str) -> Assignment:
        assignment = self.ask(lambda: claims.claim(self.context, run_id, node="n", holder=holder))
        self.world.acquire(assignment)
        return assignment

    def waiting(self, kind: RunKind, target: str | None = None) -> str:
        found = runs.listed(self.context, target=target or self.target, status=RunStatus.PENDING, limit=9)
        (run,) = [run for run in found if run.kind is kind and run.id != self.intruder]
        return run.id

    def deploy(self, *, contested: bool = True) -> Assignment:
        """The second release is being applied; if contested, somebody waits for the target from before its claim on."""
        with self.killer.at_peace():
            deployed(self.world, "one", QUEUE, serial=1, target=self.target)
            run = self.world.submit(self.target, release_digest=release(self.world, "two", self.target))
        if contested:
            self.wait_for_it()
        self.killer.armed = True
        assignment = self.claim(run.id, "deployer")
        self.ask(lambda: deliver_safety_plan(self.world, assignment))
        self.progress(assignment, RunStatus.APPLYING)
        self.writes(assignment, objects(2, QUEUE, TOPIC))
        return assignment

    def writes(self, run: Assignment, body: bytes) -> None:
        """Terraform stores a state, and tries again when nobody answers."""
        self.ask(lambda: write(self.world, run, body))

    def progress(self, run: Assignment, status: RunStatus, trigger: Trigger | None = None) -> None:
        self.ask(
            lambda: runs.progress(
                self.context, run.run.id, holder=run.holder, status=status, trigger=trigger, reason="it is ill"
            )
        )

    def takes_back(self, run: Assignment, *, trigger: Trigger = Trigger.HEALTH) -> None:
        """What a holder says from the trigger on, each thing until it was heard."""
        self.progress(run, RunStatus.ROLLING_BACK, trigger)
        plan = RollbackPlan(items=(item("delete", TOPIC),))
        verdict = self.ask(lambda: at_work.deliver_plan(self.context, run.run.id, holder=run.holder, plan=plan))
        assert verdict.whole
        self.writes(run, objects(3, QUEUE))
        result = RollbackResult(state=RollbackState.ROLLED_BACK, trigger=trigger, done=verdict.allowed)
        self.ask(lambda: at_work.deliver_result(self.context, run.run.id, holder=run.holder, result=result))
        self.finish(run, RunStatus.ROLLED_BACK)

    def finish(self, run: Assignment, status: RunStatus) -> None:
        """Its first report is made with the lease still held, the second after the release."""

        def report() -> Any:
            return runs.finish(
                self.context,
                run.run.id,
                holder=run.holder,
                epoch=run.epoch,
                exit_code=0 if status is not RunStatus.ERRORED else 1,
                status=status,
                reason="so it ended",
            )

        self.ask(report)
        lease = self.world.store.view(run.run.target).lease_id
        assert lease is not None
        self.world.store.release(run.run.target, lease)
        self.ask(report)

    def dies(self, run: Assignment) -> None:
        """The worker dies; an observer ends its run, and repeats that when it died over it."""
        lease = self.world.store.view(run.run.target).lease_id
        assert lease is not None
        self.world.sever(run.run.target, lease)
        self.ask(lambda: end_run(self.context, run.run.id, epoch=run.epoch, reason="worker died"))

    def beat(self) -> None:
        self.ask(lambda: drive_all(self.context))

    def is_over(self, deployment: str, *, runs_of_it: int) -> None:
        """What has to be true in the end, wherever the scheduler died."""
        self.killer.armed = False
        back = requests.get(self.context, deployment)
        assert (back.status, back.reserved) == (RollbackStatus.ROLLED_BACK, False)
        assert back.result is not None
        assert back.result.comparison is not None
        assert not back.result.comparison.resources
        with self.context.database.read() as session:
            mine = RunRow.target == back.target
            assert session.scalar(select(func.count()).where(RollbackRow.run_id == deployment)) == 1
            rollbacks = session.scalars(select(RunRow.status).where(mine, RunRow.kind == RunKind.ROLLBACK)).all()
            assert len(rollbacks) == runs_of_it
            told = [
                row.document["standing"]
                for row in session.scalars(select(NotificationRow).order_by(NotificationRow.sequence))
                if row.document.get("rollback_id") == back.id
            ]
            # Once that it began, once what came of it.
            assert told == [None, "ROLLED_BACK"]
            # Nobody was at work in between: the epochs of the deployment and its rollback follow one another.
            epochs = session.scalars(select(RunRow.epoch).where(mine, RunRow.epoch.is_not(None))).all()
            assert sorted(epochs) == list(range(1, len(epochs) + 1))
            left = session.scalars(select(RunRow.id).where(mine, RunRow.status == RunStatus.PENDING)).all()
            assert left == ([self.intruder] if self.intruder and back.target == self.target else [])
        if self.intruder is not None:
            taken = claims.claim(self.context, self.intruder, node="n", holder="at last")
            assert taken.run.id == self.intruder


def under_its_own_lease(case: Case) -> None:
    """A health check fails, and the run that deployed takes back."""
    run = case.deploy()
    case.progress(run, RunStatus.BAKING)
    case.takes_back(run)
    case.is_over(run.run.id, runs_of_it=0)


def by_another_worker(case: Case) -> None:
    """The worker dies while it applies; the one that takes back dies too; the third comes to the end."""
    run = case.deploy()
    case.dies(run)
    second = case.claim(case.waiting(RunKind.ROLLBACK), "second")
    case.progress(second, RunStatus.ROLLING_BACK)
    case.dies(second)
    third = case.claim(case.waiting(RunKind.ROLLBACK), "third")
    assert third.rollback is not None
    assert third.rollback.undoes == run.run.id
    case.takes_back(third, trigger=Trigger.LOST)
    case.is_over(run.run.id, runs_of_it=2)


def by_an_operator(case: Case) -> None:
    """Somebody asks for it, it fails, somebody tries again."""
    run = case.deploy(contested=False)
    case.finish(run, RunStatus.APPLIED)
    back = case.ask(
        lambda: requests.start(case.context, target=case.target, run_id=None, actor="anna", reason="it is slow")
    )
    case.wait_for_it()
    second = case.claim(case.waiting(RunKind.ROLLBACK), "second")
    case.progress(second, RunStatus.ROLLING_BACK)
    failed = RollbackResult(state=RollbackState.FAILED, trigger=Trigger.OPERATOR, reason="no provider")
    case.ask(lambda: at_work.deliver_result(case.context, second.run.id, holder=second.holder, result=failed))
    case.finish(second, RunStatus.ERRORED)
    case.intrude()
    case.ask(lambda: requests.retry(case.context, back.id, actor="anna"))
    third = case.claim(case.waiting(RunKind.ROLLBACK), "third")
    case.takes_back(third, trigger=Trigger.OPERATOR)
    case.killer.armed = False
    with case.context.database.read() as session:
        told = session.scalars(select(NotificationRow.document).order_by(NotificationRow.sequence)).all()
        mine = [one["standing"] for one in told if one.get("rollback_id") == back.id]
        assert mine == [None, "FAILED", "ROLLED_BACK"]
    found = requests.get(case.context, back.id)
    assert (found.status, found.reserved) == (RollbackStatus.ROLLED_BACK, False)
    taken = claims.claim(case.context, str(case.intruder), node="n", holder="at last")
    assert taken.run.id == case.intruder


def of_a_roll_out(case: Case) -> None:
    """The second phase is lost, and both of its phases are taken back, the last one first."""
    first, second = f"{case.target}.a", f"{case.target}.b"
    options = {"max_concurrent": 1, "failure_tolerance": 0, "bake_s": 0, "approval": False}
    phases = [
        ReleasePhase.model_validate({"name": "one", "targets": [first], **options}),
        ReleasePhase.model_validate({"name": "two", "after": ["one"], "targets": [second], **options}),
    ]
    digest = case.world.publish(first, second, phases=phases, rollback=RollbackSettings(phases_done=True))
    case.killer.armed = True
    value = _started(case, digest)
    case.beat()

    def applied(target: str, *, lost: bool) -> str:
        plan = case.claim(case.waiting(RunKind.PLAN, target), f"planner of {target}")
        content = b"a plan"
        case.ask(lambda: plans.store_plan(case.context, plan.run.id, holder=plan.holder, content=content, changes=True))
        case.finish(plan, RunStatus.PLANNED)
        case.beat()
        run = case.claim(case.waiting(RunKind.APPLY, target), f"deployer of {target}")
        case.ask(lambda: deliver_safety_plan(case.world, run))
        case.progress(run, RunStatus.APPLYING)
        case.writes(run, objects(1, TOPIC))
        if lost:
            case.dies(run)
        else:
            case.finish(run, RunStatus.APPLIED)
        case.beat()
        return run.run.id

    deployments = [applied(first, lost=False), applied(second, lost=True)]
    for target, deployment in ((second, deployments[1]), (first, deployments[0])):
        run = case.claim(case.waiting(RunKind.ROLLBACK, target), f"back of {target}")
        case.progress(run, RunStatus.ROLLING_BACK)
        plan = RollbackPlan(items=(item("delete", TOPIC),))
        case.ask(
            lambda run=run, plan=plan: at_work.deliver_plan(case.context, run.run.id, holder=run.holder, plan=plan)
        )
        case.writes(run, objects(2))
        result = RollbackResult(state=RollbackState.ROLLED_BACK, trigger=Trigger.LOST)
        case.ask(
            lambda run=run, result=result: at_work.deliver_result(
                case.context, run.run.id, holder=run.holder, result=result
            )
        )
        case.finish(run, RunStatus.ROLLED_BACK)
        assert requests.get(case.context, deployment).status is RollbackStatus.ROLLED_BACK
        case.beat()
        case.beat()
    case.killer.armed = False
    ended = service.get(case.context, value.id)
    assert ended.status is RolloutStatus.FAILED
    standing = [target.rollback.status if target.rollback else None for target in ended.targets]
    assert standing == [RollbackStatus.ROLLED_BACK, RollbackStatus.ROLLED_BACK]
    assert drive_all(case.context) == 0


def _started(case: Case, digest: str) -> Any:
    """A person who got no answer looks whether it is there before asking again."""
    try:
        return service.start(case.context, digest, actor="anna")
    except KilledError:
        found = service.listed(case.context, flock=case.flock, limit=1)
        return service.get(case.context, found[0].id) if found else service.start(case.context, digest, actor="anna")


@pytest.mark.parametrize("story", [under_its_own_lease, by_another_worker, by_an_operator, of_a_roll_out])
def test_a_scheduler_that_dies_at_any_transaction_of_a_rollback_loses_nothing(
    world: World, killer: Killer, story: Callable[[Case], None]
) -> None:
    killer.aim(None, before_commit=True)
    story(Case(world, killer, 0))
    transactions = killer.seen
    assert transactions > 10
    chance = random.Random(os.environ.get("KILLS", "1"))
    number = 0
    for doomed in range(1, transactions + 1):
        drawn = (chance.random() < 0.5,)
        for before_commit in (True, False) if os.environ.get("KILLS") == "all" else drawn:
            number += 1
            killer.aim(doomed, before_commit=before_commit)
            story(Case(world, killer, number))
            assert killer.struck, f"nobody died at transaction {doomed}"
