"""The database's promises, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

import scheduler
from scheduler import claims, quarantine, run_logs, runs, terraform_state
from scheduler.database import Database
from scheduler.observer_loop import ObserverLoop
from scheduler.recovery import recovery
from scheduler.settlement import end_run
from scheduler.tables import Base, ConsentRow, RunRow, TargetRow
from scheduler.terraform_state import StateCaller
from scheduler.ticks import Schedule, take
from shared.errors import ApiError
from shared.models import RunStatus
from tests.unit.scheduler.support import TARGET, World, state

THREADS = 8


def at_once(*work: Callable[[], object]) -> list[object]:
    """Run all of it in threads that start together; what each returned or raised."""
    together = threading.Barrier(len(work))
    results: list[object] = [None] * len(work)

    def run(number: int) -> None:
        together.wait()
        try:
            results[number] = work[number]()
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return results


def failures(results: list[object]) -> list[Exception]:
    return [result for result in results if isinstance(result, Exception)]


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(database: Database) -> None:
    with database.connect() as connection:
        migrations = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(migrations, Base.metadata) == []


def test_processes_that_start_together_migrate_once(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(4)]
    assert failures(at_once(*[database.migrate for database in databases])) == []
    for database in databases:
        database.close()


def test_commits_are_durable_whatever_the_servers_default(database: Database) -> None:
    with database.connect() as connection:
        if database.dialect == "sqlite":
            assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        else:
            assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"


def test_of_many_claims_of_one_run_one_wins(world: World) -> None:
    for round_number in range(5):
        run = world.submit()

        def claim(holder: str, run_id: str = run.id) -> object:
            return claims.claim(world.context, run_id, node="n", holder=holder)

        results = at_once(*[lambda number=number: claim(f"h{number}") for number in range(THREADS)])
        winners = [result for result in results if not isinstance(result, Exception)]
        assert len(winners) == 1
        assert {getattr(error, "code", error) for error in failures(results)} == {"not_claimable"}
        epoch = runs.get(world.context, run.id).epoch
        assert epoch == round_number + 1
        end_run(world.context, run.id, epoch=epoch, reason="test")
        for waiting in runs.listed(world.context, target=TARGET, status=RunStatus.PENDING, limit=10):
            runs.cancel(world.context, waiting.id)


def test_of_many_runs_of_one_target_one_is_claimed(world: World) -> None:
    waiting = [world.submit() for _ in range(THREADS)]
    results = at_once(
        *[lambda run=run: claims.claim(world.context, run.id, node="n", holder=run.id) for run in waiting]
    )
    assert len(failures(results)) == THREADS - 1
    assert {getattr(error, "code", error) for error in failures(results)} == {"not_claimable"}
    with world.context.database.read() as session:
        assert session.scalar(select(func.count()).where(RunRow.status == "claimed")) == 1
        assert session.get_one(TargetRow, TARGET).epoch == 1


def test_the_unique_index_decides_even_without_the_targets_lock(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the lock and the look for an active run forgotten, the loser would still lose."""
    waiting = [world.submit() for _ in range(THREADS)]
    monkeypatch.setattr(claims, "active_run", lambda *_: None)

    def unlocked(session: object, target: str) -> TargetRow | None:
        return session.get(TargetRow, target)  # type: ignore[attr-defined,no-any-return]  # a Session

    monkeypatch.setattr(world.context.database, "lock_target", unlocked)
    results = at_once(
        *[lambda run=run: claims.claim(world.context, run.id, node="n", holder=run.id) for run in waiting]
    )
    assert len(failures(results)) == THREADS - 1
    with world.context.database.read() as session:
        assert session.scalar(select(func.count()).where(RunRow.status == "claimed")) == 1


def test_claims_of_different_targets_do_not_disturb_one_another(world: World) -> None:
    names = [f"web.r{number}" for number in range(THREADS)]
    world.register(*names)
    waiting = [world.submit(name) for name in names]
    results = at_once(
        *[lambda run=run: claims.claim(world.context, run.id, node="n", holder=run.id) for run in waiting]
    )
    assert failures(results) == []


def test_many_observers_end_a_run_once(world: World) -> None:
    assignment, lease = world.begin()
    observers = [ObserverLoop(world.context) for _ in range(THREADS)]
    for observer in observers:
        observer.step()
    world.sever(TARGET, lease)
    assert failures(at_once(*[observer.step for observer in observers])) == []
    listed = runs.listed(world.context, target=TARGET, status=None, limit=10)
    assert [run.status for run in listed] == [RunStatus.PENDING, RunStatus.LOST]
    assert listed[0].retry_of == assignment.run.id


def test_of_many_beats_one_takes_a_slot(world: World) -> None:
    schedule = Schedule(name="work", every_s=1, work=lambda _: None)
    due = world.clock.wall()
    results = at_once(*[lambda: take(world.context, schedule, due) for _ in range(THREADS)])
    assert sorted(map(bool, results)) == [False] * (THREADS - 1) + [True]


def test_registering_the_same_new_flock_at_once_is_harmless(world: World) -> None:
    results = at_once(*[lambda: world.register("new.north", "new.south") for _ in range(THREADS)])
    assert failures(results) == []


def test_concurrent_state_writes_leave_one_line_of_serials(world: World) -> None:
    assignment, _ = world.begin()
    who = StateCaller(run_id=assignment.run.id, target=TARGET, epoch=1)

    def write(note: str) -> None:
        terraform_state.write_state(world.context, who, state(1, note=note), lock_id=None)

    results = at_once(*[lambda number=number: write(str(number)) for number in range(THREADS)])
    assert {getattr(error, "code", error) for error in failures(results)} == {"serial_not_greater"}
    assert len(failures(results)) == THREADS - 1


def test_a_state_write_and_the_next_claim_exclude_one_another(world: World) -> None:
    """Whichever comes first: after the younger claim no write of the older epoch appears."""
    for serial in range(1, 9):
        run = runs.listed(world.context, target=TARGET, status=RunStatus.PENDING, limit=1)
        assignment = world.claim(run[0] if run else world.submit(), holder=f"h{serial}")
        lease = world.acquire(assignment)
        who = StateCaller(run_id=assignment.run.id, target=TARGET, epoch=assignment.epoch)

        def cut(run_id: str = assignment.run.id, epoch: int = assignment.epoch) -> int | None:
            end_run(world.context, run_id, epoch=epoch, reason="severed")
            return len(terraform_state.operator_read(world.context, TARGET) or b"")

        def write(who: StateCaller = who, serial: int = serial) -> None:
            terraform_state.write_state(world.context, who, state(serial), lock_id=None)

        written, before = at_once(write, cut)
        world.store.revoke(TARGET, lease, "test")
        if isinstance(written, ApiError):
            assert written.code == "lease_lost"
        else:
            assert written is None
        assert isinstance(before, int)
        assert before == len(terraform_state.operator_read(world.context, TARGET) or b"")
        for waiting in runs.listed(world.context, target=TARGET, status=RunStatus.PENDING, limit=10)[1:]:
            runs.cancel(world.context, waiting.id)


def test_a_cut_run_hands_over_its_state_log_and_creates(world: World) -> None:
    """One pass through every statement that the services send, on either database."""
    first, lease = world.begin()
    run_logs.append(world.context, first.run.id, holder="holder-1", offset=0, text="hé\0llo")
    world.journal(first, "CreateQueue", QueueName="q")
    quarantine.deliver(world.context, TARGET, epoch=1, run_id=first.run.id, body=state(7))
    world.sever(TARGET, lease)
    ObserverLoop(world.context).step()
    (follower,) = runs.listed(world.context, target=None, status=RunStatus.PENDING, limit=10)
    second = world.claim(follower, holder="h2")
    world.acquire(second)
    found = recovery(world.context, TARGET, run_id=follower.id, holder="h2")
    assert second.recovers == first.run.id
    assert [create.resource for create in found.creates] == [{"QueueName": "q"}]
    assert found.quarantine is not None
    quarantine.accept(world.context, TARGET, epoch=1, run_id=follower.id, holder="h2")
    assert terraform_state.operator_read(world.context, TARGET) == state(7)
    assert run_logs.read(world.context, first.run.id, offset=0).text == "hé␀llo"


def test_targets_epochs_and_runs_of_the_first_schema_survive_the_way_to_releases(database_url: str) -> None:
    """On SQLite the tables are made anew; what refers to them must not go with the old ones."""
    old = Database(database_url)
    config = Config()
    config.set_main_option("script_location", str(Path(scheduler.__file__).parent / "migrations"))
    digest, at = "sha256:" + "a" * 64, "2026-01-01 00:00:00+00:00"
    with old.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in (
            f"INSERT INTO bundles VALUES ('{digest}', '', 0, '{at}')",
            f"INSERT INTO flocks VALUES ('web', '{digest}', '{at}')",
            f"INSERT INTO targets VALUES ('web.north', 'web', 'north', 'eu-1', '{{}}', '{digest}', 7)",
            "INSERT INTO runs (id, target, region, kind, status, actor, argv, attempt, created_at, epoch, reason, "
            "acquired, cancel_requested, revoke_requested, publications) VALUES ('run-0123456789abcdef', 'web.north', "
            f"'north', 'apply', 'claimed', '', '[]', 1, '{at}', 7, '', true, false, false, 0)",
        ):
            connection.execute(text(statement))
        connection.commit()
    old.migrate()
    with old.read() as session:
        target = session.get_one(TargetRow, "web.north")
        assert (target.epoch, target.flock, target.release_digest) == (7, "web", None)
        (run,) = session.scalars(select(RunRow))
        assert (run.target, run.epoch, run.release_digest) == ("web.north", 7, None)
    with pytest.raises(IntegrityError), old.write() as session:
        session.execute(text("INSERT INTO state_locks VALUES ('web.nowhere', 1, 'x', '{}')"))
    old.close()


def test_a_consent_of_which_nobody_can_tell_what_it_was_given_for_counts_no_more(database_url: str) -> None:
    old = Database(database_url)
    config = Config()
    config.set_main_option("script_location", str(Path(scheduler.__file__).parent / "migrations"))
    digest, at = "sha256:" + "a" * 64, "2026-01-01 00:00:00+00:00"
    with old.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0011")
        connection.execute(text(f"INSERT INTO flocks (name, updated_at) VALUES ('web', '{at}')"))
        for number, target in ((1, "web.north"), (2, "web.south")):
            run = f"run-{number:016x}"
            for statement in (
                "INSERT INTO targets (id, flock, region, provider_region, epoch) "
                f"VALUES ('{target}', 'web', 'north', 'eu-1', 1)",
                "INSERT INTO runs (id, target, region, kind, status, actor, argv, attempt, created_at, reason, "
                "priority, acquired, cancel_requested, revoke_requested, rollback_requested, publications) VALUES "
                f"('{run}', '{target}', 'north', 'apply', 'applied', '', '[]', 1, '{at}', '', 1, true, false, false, "
                "false, 0)",
                "INSERT INTO rollback_consents (release_digest, target, address, approver, run_id, given_at) VALUES "
                f"('{digest}', '{target}', 'aws_db_instance.orders', 'anna', '{run}', '{at}')",
            ):
                connection.execute(text(statement))
        connection.execute(
            text(
                "INSERT INTO rollbacks (id, run_id, target, flock, status, reserved, current_run_id, trigger, reason, "
                "actor, attempts, triggered_at) VALUES ('rollback-1', 'run-0000000000000001', 'web.north', 'web', "
                f"'PARTIAL', true, 'run-0000000000000001', 'operator', '', '', 1, '{at}')"
            )
        )
        connection.commit()
    old.migrate()
    with old.read() as session:
        kept = [(row.target, row.for_the_end, row.rollback_id) for row in session.scalars(select(ConsentRow))]
    assert kept == [("web.south", False, None)]
    old.close()
