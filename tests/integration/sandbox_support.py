"""Starts real sandboxes and reads what their commands said."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from shared.clock import SystemClock
from worker.sandbox import Exited, Sandbox, find_bwrap, launch, plain_layout
from worker.sandbox_layout import Bind, Layout

PATIENCE_MS = 60_000
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def layout(folder: Path, *binds: Bind) -> Layout:
    """A layout with an empty work directory below `folder`."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    plain = plain_layout(work, folder / "etc")
    return Layout(work=plain.work, shim=plain.shim, python=plain.python, etc=plain.etc, binds=binds)


def start(folder: Path, *binds: Bind) -> Sandbox:
    """A running sandbox; use it as a context manager."""
    return launch(find_bwrap(None), layout(folder, *binds))


def run(sandbox: Sandbox, argv: list[str], log: Path, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run one command to its end; its exit code and everything that it said."""
    begin(sandbox, argv, log, env)
    exited = finish(sandbox)
    return exited.code, log.read_text()


def begin(sandbox: Sandbox, argv: list[str], log: Path, env: dict[str, str] | None = None) -> None:
    """Start one command."""
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        sandbox.start(argv, {"PATH": PATH, **(env or {})}, stdout=fd, stderr=fd)
    finally:
        os.close(fd)


def finish(sandbox: Sandbox) -> Exited:
    """Wait for the command's end."""
    exited = sandbox.wait(PATIENCE_MS)
    assert exited is not None, "the command did not end"
    return exited


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Poll until `condition` holds; fails with `what` after a generous bound."""
    import threading

    clock = SystemClock()
    give_up_at_ms = clock.boot_ms() + PATIENCE_MS
    while not condition():
        assert clock.boot_ms() < give_up_at_ms, f"not within {PATIENCE_MS} ms: {what}"
        threading.Event().wait(0.02)


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes_with(marker: str) -> list[int]:
    """Pids of live processes on the host that have `marker` in their command line."""
    found = []
    for path in Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        try:
            words = (path / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if marker.encode() in words and alive(int(path.name)):
            found.append(int(path.name))
    return found
