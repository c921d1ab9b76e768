"""Transactions."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import select, text

from scheduler.database import Database
from scheduler.tables import MetaRow
from shared.errors import ConfigurationError, Unavailable


def test_a_write_commits_at_its_end_and_rolls_back_when_it_raises(database: Database) -> None:
    with database.write() as session:
        session.add(MetaRow(name="kept", value="1"))
    with pytest.raises(RuntimeError):
        write_and_fail(database)
    with database.read() as session:
        assert list(session.scalars(select(MetaRow.name))) == ["kept"]


def write_and_fail(database: Database) -> None:
    with database.write() as session:
        session.add(MetaRow(name="lost", value="1"))
        session.flush()
        raise RuntimeError


def test_writers_wait_for_one_another_instead_of_failing(database: Database) -> None:
    """Read, then write: with a deferred transaction one of two threads would get "database is locked"."""
    with database.write() as session:
        session.add(MetaRow(name="count", value="0"))
    together = threading.Barrier(4)
    failures: list[BaseException] = []

    def count() -> None:
        try:
            together.wait()
            for _ in range(10):
                with database.write() as session:
                    row = session.get_one(MetaRow, "count")
                    row.value = str(int(row.value) + 1)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.read() as session:
        assert session.get_one(MetaRow, "count").value == "40"


def test_sqlite_commits_durably(database: Database) -> None:
    with database.connect() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_an_address_of_another_database_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="mysql"):
        Database("mysql://host/name")


def test_a_database_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/no/such/folder/x.db")
    assert not database.ping()
    with pytest.raises(Unavailable, match="cannot be opened"):
        database.migrate()


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"something else entirely, and longer than a header" * 100)
    database = Database(f"sqlite:///{tmp_path}/x.db")
    with pytest.raises(Unavailable, match="cannot be used"):
        database.migrate()
    database.close()


def test_migrating_twice_changes_nothing(database: Database) -> None:
    database.migrate()
    assert database.ping()


def test_processes_that_start_together_migrate_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    failures: list[BaseException] = []

    def migrate() -> None:
        mine = Database(url)
        try:
            mine.migrate()
        except BaseException as error:
            failures.append(error)
        finally:
            mine.close()

    threads = [threading.Thread(target=migrate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
