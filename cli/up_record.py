"""What a running `interlock up` leaves in its home: a lock that says it runs, and a record that says where.

`up.lock` is held (flock) for as long as `up` lives, whatever ends it. `up.json` (mode 0600: the Redis URL holds a
password) lets every other command on this home find the API and Redis without configuration.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import ConfigurationError

RECORD_NAME = "up.json"
LOCK_NAME = "up.lock"
LOCK_ATTEMPTS = 5
LOCK_RETRY_S = 0.05


class UpRecord(BaseModel):
    """One running `interlock up`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: int = Field(description="Process id of the supervisor.")
    api_url: str = Field(description="Where the API listens.")
    redis_url: str = Field(description="Where Redis listens, password included.")
    embedded_redis: bool = Field(description="Whether `up` started that Redis itself.")
    processes: dict[str, int] = Field(description="Process ids of the children by name, as first started.")
    health_urls: dict[str, str] = Field(description="Base URL of /healthz, /readyz and /metrics by process name.")
    started_at: str = Field(description="When everything was ready, ISO 8601 with offset; for people.")


def write_record(home: Path, record: UpRecord) -> None:
    """Put `record` in place in one step; a reader sees the old one or the new one, never half of it."""
    path = home / RECORD_NAME
    draft = path.with_suffix(".json.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(record.model_dump_json(indent=2) + "\n")
    draft.replace(path)


def read_record(home: Path) -> UpRecord | None:
    """The record in `home`, or None where there is none or it is not one of this version's."""
    try:
        return UpRecord.model_validate_json((home / RECORD_NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def remove_record(home: Path) -> None:
    """Remove the record; no error when it is gone already."""
    (home / RECORD_NAME).unlink(missing_ok=True)


class UpLock:
    """Held by the one `interlock up` of a home. The kernel drops it when the process ends, however it ends."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._descriptor: int | None = None

    def __enter__(self) -> UpLock:
        """Take the lock. Raises ConfigurationError, naming the holder, when another `up` has it."""
        # Closed on exec (PEP 446), so that a child cannot keep the lock alive.
        descriptor = os.open(self._home / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        if not _lock(descriptor):
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise ConfigurationError(
                f"`interlock up` is already running on {self._home} (pid {holder})",
                hint=f"use it as it is, stop it with `kill {holder}`, or set INTERLOCK_HOME to another directory",
            )
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode("ascii"))
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _lock(descriptor: int) -> bool:
    """Take the lock, or say no. `is_running` holds it for a moment, so one refusal is not the answer yet."""
    for attempt in range(LOCK_ATTEMPTS):
        if attempt:
            time.sleep(LOCK_RETRY_S)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return True
    return False


def is_running(home: Path) -> bool:
    """Whether some `interlock up` holds the lock of `home`."""
    try:
        descriptor = os.open(home / LOCK_NAME, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
