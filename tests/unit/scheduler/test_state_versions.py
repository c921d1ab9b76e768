"""Stored versions."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import undefer

from scheduler.state_documents import parse_state
from scheduler.state_versions import add_deletion, add_version, current_body, current_identity, versions
from scheduler.tables import StateVersionRow
from shared.errors import ConfigurationError
from tests.unit.scheduler.support import TARGET, World, state


@pytest.fixture
def run_id(world: World) -> str:
    return world.begin()[0].run.id


def write(world: World, run_id: str, body: bytes) -> None:
    with world.context.database.write() as session:
        add_version(world.context, session, target=TARGET, run_id=run_id, epoch=1, document=parse_state(body))


def test_the_newest_version_is_current_and_the_others_are_kept(world: World, run_id: str) -> None:
    for serial in (1, 2, 2, 3):
        write(world, run_id, state(serial))
    with world.context.database.read() as session:
        assert current_body(world.context, session, TARGET) == state(3)
        assert [version.serial for version in versions(session, TARGET, limit=10)] == [3, 2, 1]


def test_no_state_is_stored_in_clear(world: World, run_id: str) -> None:
    write(world, run_id, state(1, note="the-database-password"))
    with world.context.database.read() as session:
        (stored,) = session.scalars(select(StateVersionRow).options(undefer(StateVersionRow.ciphertext)))
        assert stored.ciphertext
        assert b"the-database-password" not in stored.ciphertext
        session.execute(text("SELECT 1"))
    files = world.context.settings.home.glob("interlock.db*")
    assert not any(b"the-database-password" in path.read_bytes() for path in files)


def test_a_row_that_was_moved_to_another_place_does_not_open(world: World, run_id: str) -> None:
    write(world, run_id, state(1))
    with world.context.database.write() as session:
        session.execute(update(StateVersionRow).values(serial=9))
    with world.context.database.read() as session, pytest.raises(ConfigurationError, match="cannot be decrypted"):
        current_body(world.context, session, TARGET)


def test_a_deletion_hides_the_state_and_keeps_its_versions(world: World, run_id: str) -> None:
    with world.context.database.write() as session:
        add_deletion(world.context, session, target=TARGET, run_id=run_id, epoch=1)
    write(world, run_id, state(5))
    with world.context.database.write() as session:
        add_deletion(world.context, session, target=TARGET, run_id=run_id, epoch=1)
        assert current_identity(session, TARGET) is None
        assert current_body(world.context, session, TARGET) is None
        assert [version.serial for version in versions(session, TARGET, limit=10)] == [5, 5]
    write(world, run_id, state(1, lineage="a-new-life"))
    with world.context.database.read() as session:
        assert current_body(world.context, session, TARGET) == state(1, lineage="a-new-life")
