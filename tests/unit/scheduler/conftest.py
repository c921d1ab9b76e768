"""Fixtures of the scheduler's unit tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.database import Database
from tests.unit.scheduler.support import World, make_world, migrated_copy


@pytest.fixture(scope="session")
def migrated_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("template") / "interlock.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture
def database(migrated_template: Path, tmp_path: Path) -> Iterator[Database]:
    """A migrated database of the test's own."""
    database = migrated_copy(migrated_template, tmp_path)
    yield database
    database.close()


@pytest.fixture
def world(tmp_path: Path, database: Database) -> Iterator[World]:
    """A scheduler with the target `web.north`."""
    world = make_world(tmp_path, database)
    world.register()
    yield world
    world.store.close()
