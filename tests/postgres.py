"""A real PostgreSQL server for tests, from Debian's package."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from tests.servers import START_BOUND_S, wait_for


class PostgresServer:
    """One server process on a unix socket in a directory of its own, as a user that is not root."""

    def __init__(self) -> None:
        """Make a cluster and start it. Fails where the programs cannot be found."""
        binaries = find_binaries()
        assert binaries is not None, "no PostgreSQL server (initdb, postgres) here: apt-get install postgresql"
        # Not pytest's tmp_path: a unix socket's path may have 107 bytes only.
        self.directory = Path(tempfile.mkdtemp(prefix="il-pg-"))
        self._identity = _unprivileged(self.directory)
        data = self.directory / "data"
        initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "interlock", "-A", "trust", "--no-sync"]
        made = self._run([*initdb, "--no-locale", "-E", "UTF8"])
        assert made.returncode == 0, made.stdout.decode(errors="replace")
        options = {
            "unix_socket_directories": str(self.directory),
            "listen_addresses": "",
            "max_connections": "200",
            "fsync": "off",
            # A server that was tuned for speed: our connections must not rely on its default.
            "synchronous_commit": "off",
        }
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(binaries / "postgres"), "-D", str(data), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                **self._identity,
            )
        wait_for("postgres", self._answers)

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URL."""
        with self._connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql://interlock@/{name}?host={self.directory}"

    def close(self) -> None:
        """Stop the server at once, without a checkpoint, and remove its directory."""
        self._process.send_signal(signal.SIGQUIT)
        try:
            self._process.wait(START_BOUND_S)
        finally:
            self._process.kill()
            self._process.wait(START_BOUND_S)
            shutil.rmtree(self.directory)

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self.directory), user="interlock", dbname="postgres", autocommit=True)

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self.directory / "log").read_text(errors="replace")
        try:
            with self._connect():
                return True
        except psycopg.OperationalError:
            return False

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.directory,
            timeout=START_BOUND_S * 2,
            check=False,
            **self._identity,
        )


def find_binaries() -> Path | None:
    """The folder with initdb and postgres: what pg_config says, then Debian's folders (newest first), then PATH."""
    candidates: list[Path] = []
    if (pg_config := shutil.which("pg_config")) is not None:
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, timeout=30, check=False)
        candidates.append(Path(answer.stdout.strip()))
    versions = Path("/usr/lib/postgresql")
    if versions.is_dir():
        candidates += sorted(versions.glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    if (initdb := shutil.which("initdb")) is not None:
        candidates.append(Path(initdb).resolve().parent)
    complete = (folder for folder in candidates if (folder / "initdb").exists() and (folder / "postgres").exists())
    return next(complete, None)


def _unprivileged(directory: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: give the folder to another user and run as that one."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    os.chown(directory, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
