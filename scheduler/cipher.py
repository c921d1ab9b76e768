"""States are secrets: they are encrypted at rest, and the password to them is derived, never stored.

One 32-byte key serves the whole installation. It comes from INTERLOCK_STATE_KEY or from `state.key` in the home folder;
the database keeps its fingerprint, so that a second scheduler with another key is refused at its start instead of
writing states that nobody else can read.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.exc import IntegrityError

from scheduler.database import Database
from scheduler.private_files import create_private, read_private
from scheduler.tables import MetaRow
from shared.errors import ConfigurationError

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
#: First byte of every ciphertext: AES-256-GCM, 12-byte random nonce in front.
_FORMAT: Final = b"\x01"
_FINGERPRINT: Final = "state_key_fingerprint"


class StateCipher:
    """Seals and opens states, and derives the passwords of the state backend."""

    def __init__(self, key: bytes) -> None:
        """Take the installation's key. Raises `ConfigurationError` unless it has 32 bytes."""
        if len(key) != KEY_BYTES:
            raise ConfigurationError(
                f"the state key has {len(key)} bytes instead of {KEY_BYTES}",
                hint="set INTERLOCK_STATE_KEY to 32 random bytes in base64 or hex",
            )
        # Separate keys for separate uses, so that a derived password tells nothing about the encryption key.
        self._aead = AESGCM(_derive(key, "state encryption"))
        self._passwords = _derive(key, "state passwords")
        self.fingerprint = _derive(key, "fingerprint").hex()[:16]

    def seal(self, plaintext: bytes, *, context: str) -> bytes:
        """Encrypt; `context` (target, epoch, serial …) is authenticated but not stored, so rows cannot be swapped."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _FORMAT + nonce + self._aead.encrypt(nonce, plaintext, context.encode())

    def open(self, ciphertext: bytes, *, context: str) -> bytes:
        """Decrypt what `seal` made with the same context.

        Raises `ConfigurationError` when it was sealed with another key or for another row, or was damaged.
        """
        nonce, sealed = ciphertext[1 : 1 + _NONCE_BYTES], ciphertext[1 + _NONCE_BYTES :]
        try:
            if ciphertext[:1] != _FORMAT:
                raise InvalidTag
            return self._aead.decrypt(nonce, sealed, context.encode())
        except InvalidTag:
            raise ConfigurationError(
                f"a stored state ({context}) cannot be decrypted with key {self.fingerprint}",
                hint="run with the INTERLOCK_STATE_KEY it was written with, or restore the row from a backup",
            ) from None

    def state_password(self, *, run_id: str, holder: str, epoch: int) -> str:
        """The password of one claim. Derived, so that a holder that repeats its claim gets the same one again."""
        message = f"{run_id}\n{holder}\n{epoch}".encode()
        return base64.urlsafe_b64encode(hmac.digest(self._passwords, message, "sha256")).decode().rstrip("=")


def password_hash(password: str) -> str:
    """What the database keeps of a state password. It is 256 random-looking bits, so a plain hash suffices."""
    return hashlib.sha256(password.encode()).hexdigest()


def load_cipher(home: Path, database: Database, environ: Mapping[str, str] = os.environ) -> StateCipher:
    """The installation's cipher; on the very first start its key is created as `state.key`, mode 0600.

    Raises `ConfigurationError` when the key is malformed, readable by others, missing though states were written with
    one, or not the one this database knows.
    """
    path = home / "state.key"
    known = _known_fingerprint(database)
    configured = environ.get("INTERLOCK_STATE_KEY", "").strip()
    if configured:
        cipher = StateCipher(_decode(configured))
    elif (stored := read_private(path)) is not None:
        cipher = StateCipher(_decode(stored.strip()))
    elif known is not None:
        raise ConfigurationError(
            f"{path} is missing, and this database holds states encrypted with key {known}",
            hint=f"copy state.key from another scheduler host to {path} (mode 0600), or set INTERLOCK_STATE_KEY",
        )
    else:
        create_private(path, base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
        # Read back: a scheduler that starts at the same moment may have been first.
        cipher = StateCipher(_decode((read_private(path) or "").strip()))
    known = known or _register_fingerprint(database, cipher.fingerprint)
    if known != cipher.fingerprint:
        raise ConfigurationError(
            f"this host has state key {cipher.fingerprint}, but the database's states use key {known}",
            hint="give every scheduler the same INTERLOCK_STATE_KEY or the same state.key",
        )
    return cipher


def _derive(key: bytes, purpose: str) -> bytes:
    return hmac.digest(key, f"interlock {purpose} v1".encode(), "sha256")


def _decode(text: str) -> bytes:
    try:
        if len(text) == 2 * KEY_BYTES:
            return bytes.fromhex(text)
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (ValueError, binascii.Error):
        raise ConfigurationError(
            "the state key is neither base64 nor hex", hint="set INTERLOCK_STATE_KEY to 32 random bytes in base64"
        ) from None


def _known_fingerprint(database: Database) -> str | None:
    with database.read() as session:
        row = session.get(MetaRow, _FINGERPRINT)
        return row.value if row else None


def _register_fingerprint(database: Database, fingerprint: str) -> str:
    try:
        with database.write() as session:
            session.add(MetaRow(name=_FINGERPRINT, value=fingerprint))
    except IntegrityError:
        return _known_fingerprint(database) or fingerprint
    return fingerprint
