"""Bearer tokens."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from sqlalchemy import select

from scheduler.database import Database
from scheduler.tables import TokenRow
from scheduler.tokens import ensure_tokens, role_of, token_hash
from shared.errors import ConfigurationError
from shared.testing import ManualClock


def tokens(home: Path) -> dict[str, str]:
    return {path.stem: path.read_text().strip() for path in (home / "tokens").iterdir()}


def test_the_first_start_makes_a_token_for_each_role(tmp_path: Path, database: Database) -> None:
    ensure_tokens(tmp_path, "host", database, ManualClock())
    made = tokens(tmp_path)
    assert set(made) == {"admin", "worker", "proxy"}
    assert {role: role_of(database, token) for role, token in made.items()} == {role: role for role in made}
    for path in (tmp_path / "tokens").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_only_hashes_reach_the_database(tmp_path: Path, database: Database) -> None:
    ensure_tokens(tmp_path, "host", database, ManualClock())
    with database.read() as session:
        stored = {row.token_hash for row in session.scalars(select(TokenRow))}
    assert stored == {token_hash(token) for token in tokens(tmp_path).values()}
    content = b"".join(path.read_bytes() for path in tmp_path.glob("interlock.db*"))
    assert not any(token.encode() in content for token in tokens(tmp_path).values())


def test_a_second_start_keeps_the_tokens(tmp_path: Path, database: Database) -> None:
    ensure_tokens(tmp_path, "host", database, ManualClock())
    before = tokens(tmp_path)
    ensure_tokens(tmp_path, "host", database, ManualClock())
    assert tokens(tmp_path) == before


def test_deleting_a_file_voids_its_token_and_no_other_hosts(tmp_path: Path, database: Database) -> None:
    ensure_tokens(tmp_path / "a", "a", database, ManualClock())
    ensure_tokens(tmp_path / "b", "b", database, ManualClock())
    old, elsewhere = tokens(tmp_path / "a")["admin"], tokens(tmp_path / "b")["admin"]
    (tmp_path / "a" / "tokens" / "admin.token").unlink()
    ensure_tokens(tmp_path / "a", "a", database, ManualClock())
    assert role_of(database, old) is None
    assert role_of(database, elsewhere) == "admin"
    assert role_of(database, tokens(tmp_path / "a")["admin"]) == "admin"


def test_an_unknown_token_has_no_role(database: Database) -> None:
    assert role_of(database, "") is None
    assert role_of(database, "guess") is None


def test_an_empty_or_public_token_file_is_refused(tmp_path: Path, database: Database) -> None:
    (tmp_path / "tokens").mkdir()
    path = tmp_path / "tokens" / "admin.token"
    path.touch(mode=0o600)
    with pytest.raises(ConfigurationError, match="is empty"):
        ensure_tokens(tmp_path, "host", database, ManualClock())
    path.write_text("known")
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="may be read by others"):
        ensure_tokens(tmp_path, "host", database, ManualClock())
