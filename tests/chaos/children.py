"""Child processes with a death plan: ended by id at the end, and by the kernel should this process die first."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.integration.system import alive, descendants

_PR_SET_PDEATHSIG = 1
_PATIENCE_S = 20
_LIBC = ctypes.CDLL(None, use_errno=True)


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def start(command: Sequence[str], log: Path, environment: Mapping[str, str], cwd: Path) -> subprocess.Popen[bytes]:
    """Start a process that writes to a log file and dies with the calling thread."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=_die_with_parent,  # single-threaded here, and it calls prctl only
        )


def send(pid: int, number: int) -> None:
    """Signal a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def end(process: subprocess.Popen[Any]) -> None:
    """Kill a process and everything below it, whatever state they are in."""
    pids = [process.pid, *descendants(process.pid)] if process.poll() is None else []
    for pid in pids:
        send(pid, signal.SIGKILL)
    process.wait(_PATIENCE_S)
    for pid in pids[1:]:
        if alive(pid):
            send(pid, signal.SIGKILL)
