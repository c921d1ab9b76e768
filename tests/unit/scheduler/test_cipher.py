"""Encryption at rest."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from scheduler.cipher import StateCipher, load_cipher, password_hash
from scheduler.database import Database
from shared.errors import ConfigurationError

KEY = bytes(range(32))


def test_what_is_sealed_opens_in_its_place_only() -> None:
    cipher = StateCipher(KEY)
    sealed = cipher.seal(b"secret", context="here")
    assert b"secret" not in sealed
    assert sealed != cipher.seal(b"secret", context="here")
    assert cipher.open(sealed, context="here") == b"secret"
    for damaged in (sealed[:-1] + bytes([sealed[-1] ^ 1]), b"\x02" + sealed[1:], b""):
        with pytest.raises(ConfigurationError, match="cannot be decrypted"):
            cipher.open(damaged, context="here")
    with pytest.raises(ConfigurationError):
        cipher.open(sealed, context="there")
    with pytest.raises(ConfigurationError):
        StateCipher(b"x" * 32).open(sealed, context="here")


def test_a_state_password_belongs_to_one_claim() -> None:
    cipher = StateCipher(KEY)
    password = cipher.state_password(run_id="r", holder="h", epoch=1)
    assert password == cipher.state_password(run_id="r", holder="h", epoch=1)
    others = {
        cipher.state_password(run_id="r", holder="h", epoch=2),
        cipher.state_password(run_id="r", holder="i", epoch=1),
        StateCipher(b"x" * 32).state_password(run_id="r", holder="h", epoch=1),
    }
    assert password not in others
    assert len(others) == 3
    assert password_hash(password) != password


def test_a_key_has_32_bytes() -> None:
    with pytest.raises(ConfigurationError, match="16 bytes"):
        StateCipher(b"x" * 16)


def test_the_first_start_makes_a_private_key_and_later_ones_use_it(tmp_path: Path, database: Database) -> None:
    first = load_cipher(tmp_path, database, {})
    assert stat.S_IMODE((tmp_path / "state.key").stat().st_mode) == 0o600
    second = load_cipher(tmp_path, database, {})
    assert second.open(first.seal(b"x", context="c"), context="c") == b"x"


@pytest.mark.parametrize(
    "spelling", [base64.b64encode(KEY).decode(), base64.urlsafe_b64encode(KEY).decode(), KEY.hex()]
)
def test_the_environment_may_give_the_key(tmp_path: Path, database: Database, spelling: str) -> None:
    cipher = load_cipher(tmp_path, database, {"INTERLOCK_STATE_KEY": spelling})
    assert cipher.fingerprint == StateCipher(KEY).fingerprint
    assert not (tmp_path / "state.key").exists()


def test_another_key_than_the_databases_is_refused(tmp_path: Path, database: Database) -> None:
    load_cipher(tmp_path, database, {})
    with pytest.raises(ConfigurationError, match="but the database's states use key"):
        load_cipher(tmp_path, database, {"INTERLOCK_STATE_KEY": KEY.hex()})
    with pytest.raises(ConfigurationError, match="is missing"):
        load_cipher(tmp_path / "another-host", database, {})
    assert not (tmp_path / "another-host").exists()


def test_a_malformed_key_is_refused(tmp_path: Path, database: Database) -> None:
    for text in ("not a key!", "abcd", "z" * 64):
        with pytest.raises(ConfigurationError):
            load_cipher(tmp_path, database, {"INTERLOCK_STATE_KEY": text})
