"""A schedule does not fill the database."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from scheduler import journal, run_logs
from scheduler.drift import intake, letting_go
from scheduler.drift.letting_go import KEPT, let_calls_go
from scheduler.tables import Base, DriftCheckRow, DriftHitRow, JournalRow, RunLogRow, RunRow
from shared.drift.ignoring import IgnoreRule
from shared.drift.report import DriftReport
from shared.errors import Unavailable
from shared.models import Assignment, JournalOutcome, RunKind, RunStatus
from tests.unit.scheduler.drift.support import IN_SYNC, begin_check, check, deploy, drifted, end
from tests.unit.scheduler.support import TARGET, World

READS = 4


def call(
    world: World, assignment: Assignment, *, outcome: str | None = "answered", operation: str = "ReceiveMessage"
) -> None:
    """A call that the proxy signed, or was about to."""
    intent = world.journal(assignment, operation, access="read" if operation == "ReceiveMessage" else "write")
    if outcome is not None:
        why = "not_allowed" if outcome == "refused" else None
        journal.record_outcome(
            world.context,
            JournalOutcome.model_validate({"call_id": intent.call_id, "outcome": outcome, "error_code": why}),
        )


def look(
    world: World, report: DriftReport | None = IN_SYNC, *, refused: bool = False, status: RunStatus = RunStatus.CHECKED
) -> str:
    """A check with its calls and its log."""
    assignment, lease = begin_check(world)
    for number in range(READS):
        call(world, assignment, outcome="answered" if number else None)
    if refused:
        call(world, assignment, outcome="refused")
        call(world, assignment, outcome="refused", operation="DeleteQueue")
        call(world, assignment, outcome=None, operation="CreateQueue")
    run_logs.append(world.context, assignment.run.id, holder=assignment.holder, offset=0, text="init\n")
    if report is not None:
        intake.deliver(world.context, assignment.run.id, holder=assignment.holder, report=report)
    end(world, assignment, lease, status=status)
    return assignment.run.id


def count(world: World, table: type[Base], *where: object) -> int:
    with world.context.database.read() as session:
        return session.scalar(select(func.count()).select_from(table).where(*where)) or 0  # type: ignore[arg-type]


def test_the_newest_reports_are_kept_and_the_one_that_counts(world: World) -> None:
    deploy(world)
    check(world, drifted())
    confirming = check(world, drifted())
    newest = [check(world, drifted()).id for _ in range(KEPT + 3)]
    with world.context.database.read() as session:
        kept = list(session.scalars(select(DriftCheckRow.run_id).order_by(DriftCheckRow.epoch)))
    assert kept == [confirming.id, *newest[-KEPT:]]


def test_after_fifty_checks_there_is_as_much_as_after_ten(world: World) -> None:
    rule = IgnoreRule.model_validate({"address": "aws_sqs_queue.*", "expires": "2999-01-01", "reason": "known"})
    deploy(world, ignore=(rule,))
    counted = {}
    for number in range(1, 51):
        look(world, drifted())
        if number in (10, 50):
            # One that confirmed how the target stands is kept beside the newest.
            counted[number] = [count(world, table) for table in (JournalRow, DriftCheckRow, RunLogRow, DriftHitRow)]
    assert counted[50] == counted[10] == [(KEPT + 1) * READS, KEPT + 1, KEPT + 1, 1]
    assert count(world, RunRow, RunRow.kind == RunKind.DRIFT) == 50


def test_what_never_came_to_a_report_goes_as_well(world: World) -> None:
    deploy(world)
    for number in range(KEPT * 3):
        look(world, None, status=RunStatus.CANCELED if number % 2 else RunStatus.LOST)
    assert count(world, JournalRow) == KEPT * 3 * READS
    look(world)
    # The newest ones whatever became of them; the one that took the report in was not over yet.
    assert count(world, JournalRow) == KEPT * READS
    assert count(world, RunLogRow) == KEPT


def test_refused_calls_writes_and_the_log_of_a_halted_check_stay(world: World) -> None:
    deploy(world)
    halted = look(world, refused=True)
    for _ in range(KEPT * 2):
        look(world)
    with world.context.database.read() as session:
        left = session.execute(select(JournalRow.access, JournalRow.outcome).where(JournalRow.run_id == halted))
        assert {tuple(one) for one in left} == {("read", "refused"), ("write", "refused"), ("write", None)}
        assert session.scalars(select(RunRow.status).where(RunRow.id == halted)).one() == RunStatus.HALTED
    assert count(world, RunLogRow, RunLogRow.run_id == halted) == 1


def test_nothing_of_any_other_run_or_target_is_touched(world: World) -> None:
    deploy(world, TARGET, "web.south")
    apply, lease = world.begin(TARGET, holder="apply")
    call(world, apply)
    end(world, apply, lease, status=RunStatus.APPLIED)
    elsewhere, _ = begin_check(world, "web.south")
    call(world, elsewhere)
    for _ in range(KEPT * 2):
        look(world)
    for run in (apply, elsewhere):
        assert count(world, JournalRow, JournalRow.run_id == run.run.id) == 1


def test_many_go_in_many_small_transactions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(world)
    for _ in range(KEPT + 2):
        look(world, None, status=RunStatus.LOST)
    monkeypatch.setattr(letting_go, "BATCH", 3)
    assert let_calls_go(world.context, TARGET) == 2 * READS
    assert let_calls_go(world.context, TARGET) == 0
    look(world, None, status=RunStatus.LOST)
    monkeypatch.setattr(letting_go, "MAX_BATCHES", 1)
    assert [let_calls_go(world.context, TARGET) for _ in range(3)] == [3, 1, 0]


def test_a_database_that_is_away_by_then_takes_nothing_from_the_report(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(world)

    def fail(_: str) -> None:
        raise Unavailable("the database is away")

    monkeypatch.setattr(letting_go, "_reads", fail)
    assert check(world, IN_SYNC).status is RunStatus.CHECKED
