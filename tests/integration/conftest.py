"""Fixtures of the integration tests: PostgreSQL, databases on either, a proxy between a worker and a cloud."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.database import Database
from tests.integration.proxy_cloud import Cloud
from tests.integration.proxy_support import ProxyThread, Worker
from tests.postgres import PostgresServer
from tests.unit.scheduler.support import World, make_world


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for the session. Tests that use it are marked `debian`; they fail, never skip, where it is missing."""
    server = PostgresServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.debian)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, on SQLite and, where .ci/run made sure of it, on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/interlock.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create_database(f"test_{secrets.token_hex(8)}")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database of the test's own, on both kinds."""
    database = Database(database_url)
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def world(tmp_path: Path, database: Database) -> Iterator[World]:
    """A scheduler with the target `web.north`, on both kinds of database."""
    world = make_world(tmp_path / "home", database)
    world.register()
    yield world
    world.store.close()


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A cloud that verifies signatures."""
    with Cloud() as cloud:
        yield cloud


@pytest.fixture
def proxy(tmp_path: Path, valkey_url: str, cloud: Cloud) -> Iterator[ProxyThread]:
    """A proxy whose only cloud is `cloud`."""
    with ProxyThread(tmp_path, valkey_url, cloud.url) as proxy:
        yield proxy


@pytest.fixture
def worker(proxy: ProxyThread, valkey_url: str) -> Iterator[Worker]:
    """A worker with a live lease at `proxy`."""
    with Worker(proxy, valkey_url) as worker:
        yield worker
