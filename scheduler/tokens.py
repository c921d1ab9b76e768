"""Bearer tokens: the clear text in a file of mode 0600, only the SHA-256 in the database.

There is a token for each role from the first start on. Deleting a file and starting the API again makes a new token and
voids the old one; tokens made by other hosts are not touched.
"""

import hashlib
import secrets
from pathlib import Path
from typing import Final

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from scheduler.database import Database
from scheduler.private_files import create_private, read_private
from scheduler.tables import TokenRow
from shared.clock import Clock
from shared.constants import ROLES
from shared.errors import ConfigurationError

#: So that a leaked token can be recognised by secret scanners.
_PREFIX: Final = "ilk_"


def token_hash(token: str) -> str:
    """What the database keeps of a token. It carries 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(token.encode()).hexdigest()


def role_of(database: Database, token: str) -> str | None:
    """The role that a presented token gives, or None for an unknown one. Raises `Unavailable`."""
    with database.read() as session:
        row = session.get(TokenRow, token_hash(token))
        return row.role if row else None


def ensure_tokens(home: Path, origin: str, database: Database, clock: Clock) -> None:
    """See to it that `home`/tokens holds one token per role and that the database knows their hashes.

    `origin` names this installation (its host); together with `home` it says which older tokens a new one replaces.
    Raises `ConfigurationError` for a token file that others may read, or that is empty.
    """
    maker = f"{origin}:{home}"
    for role in ROLES:
        path = home / "tokens" / f"{role}.token"
        if (text := read_private(path)) is None:
            create_private(path, f"{_PREFIX}{secrets.token_urlsafe(32)}\n")
            text = read_private(path) or ""
        token = text.strip()
        if not token:
            raise ConfigurationError(f"{path} is empty", hint="delete it and start the API again")
        _register(database, token_hash(token), role, maker, clock)


def _register(database: Database, digest: str, role: str, maker: str, clock: Clock) -> None:
    with database.read() as session:
        if session.get(TokenRow, digest) is not None:
            return
    try:
        with database.write() as session:
            session.execute(delete(TokenRow).where(TokenRow.role == role, TokenRow.origin == maker))
            session.add(TokenRow(token_hash=digest, role=role, origin=maker, created_at=clock.wall()))
    except IntegrityError:
        # Another process of this installation registered the same token in the same moment.
        return
