"""The database as a thin shell: an engine, transactions, migrations.

Two kinds of transaction. `read()` sees a snapshot. `write()` serializes where it matters: on SQLite it takes the write
lock at its beginning (BEGIN IMMEDIATE; a transaction that reads first and upgrades later fails with "database is
locked" instead of waiting), on PostgreSQL whoever decides about a target locks the target's row first (`lock_target`).
Commits are synchronous on both: an epoch that was given out must survive the machine's power cut.
"""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from scheduler.tables import Base, TargetRow
from shared.errors import ConfigurationError, Unavailable

#: How long a SQLite transaction waits for another one's write lock.
BUSY_TIMEOUT_MS = 30_000

#: Any fixed number: the PostgreSQL advisory lock under which one process at a time migrates.
_MIGRATION_LOCK = 7_165_084_420

#: The same for whoever refers to releases (shared) and whoever lets them go.
_RELEASES_LOCK = 7_165_084_421

_ADDRESS_HINT = "set INTERLOCK_DATABASE_URL to sqlite:///FILE or postgresql://USER@HOST/NAME"

_MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """Transactions on the configured database. One object per process; safe to share between threads."""

    def __init__(self, url: str) -> None:
        """Build the engine; nothing is opened yet.

        Raises `ConfigurationError` for an address that is neither SQLite nor PostgreSQL.
        """
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise ConfigurationError("the database address is not a URL", hint=_ADDRESS_HINT) from error
        match parsed.get_backend_name():
            case "sqlite":
                self._engine = create_engine(parsed, pool_size=8, max_overflow=40)
                _prepare_sqlite(self._engine)
            case "postgresql" | "postgres":
                # Only psycopg 3 ships with Interlock, whatever driver the address names.
                parsed = parsed.set(drivername="postgresql+psycopg")
                self._engine = create_engine(
                    parsed, pool_size=8, max_overflow=40, pool_pre_ping=True, connect_args={"connect_timeout": 5}
                )
                _prepare_postgresql(self._engine)
            case other:
                raise ConfigurationError(
                    f"the database address starts with {other!r}",
                    hint=_ADDRESS_HINT,
                )
        self.dialect = parsed.get_backend_name()
        self._writing = self._engine.execution_options(interlock_write=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads. Raises `Unavailable` when the database does not answer."""
        with _translated(), Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that commits at the end of the block and rolls back when the block raises.

        Raises `Unavailable` when the database does not answer; `sqlalchemy.exc.IntegrityError` passes through, because
        the unique indexes decide races and their losers have something to say.
        """
        with _translated(), Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    def lock_target(self, session: Session, target: str) -> TargetRow | None:
        """The target's row, locked until the transaction of `write()` ends; None when there is no such target."""
        return session.scalars(select(TargetRow).where(TargetRow.id == target).with_for_update()).one_or_none()

    def hold_releases(self, session: Session, *, alone: bool = False) -> None:
        """Until the transaction of `write()` ends no release is let go; with `alone` nobody else holds them either.

        Asked for first in a transaction. SQLite writes one transaction after the other anyway.
        """
        if self.dialect != "sqlite":
            lock = func.pg_advisory_xact_lock if alone else func.pg_advisory_xact_lock_shared
            session.execute(select(lock(_RELEASES_LOCK)))

    def migrate(self) -> None:
        """Bring the schema to the newest revision. Processes that start together wait for one another.

        Raises `Unavailable` when the database cannot be opened.
        """
        with _translated(), self._alone(), self._writing.connect() as connection:
            if self.dialect == "sqlite":
                # SQLite changes a column by making the table anew; dropping the old one would count as deleting rows
                # that others refer to. Only outside of a transaction does this switch anything (sqlite.org,
                # "Making Other Kinds Of Table Schema Changes").
                _foreign_keys(connection, "OFF")
            try:
                with connection.begin():
                    self._upgrade(connection)
            finally:
                if self.dialect == "sqlite":
                    _foreign_keys(connection, "ON")

    def _upgrade(self, connection: Connection) -> None:
        if self.dialect != "sqlite":
            connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if self.dialect == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise ConfigurationError(
                "the migrated database refers to rows that are not there; nothing was changed",
                hint="restore a backup, or report how the database came to be like this",
            )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """On SQLite: keep other starting processes out, and switch the file to WAL, which sticks to it.

        Two connections that switch at once get "database is locked" whatever the busy timeout: waiting would deadlock.
        """
        path = self._engine.url.database
        if self.dialect != "sqlite" or not path or path == ":memory:":
            yield
            return
        try:
            lock = Path(f"{path}.lock").open("a", encoding="ascii")  # noqa: SIM115 - closed by the with below
        except OSError as error:
            raise Unavailable(
                f"the database {path} cannot be opened: {error.strerror}", hint="check INTERLOCK_DATABASE_URL"
            ) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000)) as connection:
                    connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.Error as error:
                raise Unavailable(
                    f"the database {path} cannot be used: {error}", hint="is it a SQLite file, and may we write to it?"
                ) from error
            yield

    def ping(self) -> bool:
        """Whether the database answers a trivial question now."""
        try:
            with self._engine.connect() as connection:
                connection.execute(select(1))
        except SQLAlchemyError:
            return False
        return True

    def connect(self) -> Connection:
        """A bare connection, for schema inspection."""
        return self._engine.connect()

    def close(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()


def insert_into(session: Session, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT in the dialect of the session's database, which may say what to do on a conflict."""
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    return sqlite.insert(table) if on_sqlite else postgresql.insert(table)


def _foreign_keys(connection: Connection, value: str) -> None:
    """Switch SQLite's foreign keys, past SQLAlchemy, which would begin a transaction first."""
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA foreign_keys = {value}")
    cursor.close()


@contextmanager
def _translated() -> Iterator[None]:
    """Tell "the database does not answer" from every other failure."""
    try:
        yield
    except OperationalError as error:
        raise Unavailable(
            f"the database does not answer: {error.orig}",
            hint="check INTERLOCK_DATABASE_URL, and that the server runs and the disk has room",
        ) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable(f"the database closed the connection: {error.orig}", hint="try again") from error
        raise


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        # The driver would begin transactions by itself, at the first write only: too late for a claim.
        cast("Any", connection).isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
            "synchronous = FULL",  # WAL's usual NORMAL may forget a committed epoch at a power cut
            "foreign_keys = ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def began(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("interlock_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _prepare_postgresql(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute("SHOW synchronous_commit")
        row = cursor.fetchone()
        # A server tuned for speed acknowledges before the disk does. Stricter settings (remote_apply) stay as they are.
        if row is not None and row[0] in ("off", "local"):
            cursor.execute("SET SESSION synchronous_commit = on")
        cursor.close()
        connection.commit()
