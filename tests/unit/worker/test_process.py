"""Death with the parent, in real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

CHILD = """
import os, sys, time
from worker.process import die_with_parent
parent = int(sys.argv[1]) or os.getppid()
child = os.fork()
if child == 0:
    die_with_parent(parent if int(sys.argv[1]) else os.getppid())
    os.write(1, b"%d\\n" % os.getpid())
    time.sleep(3600)
_, status = os.waitpid(child, 0)
os.write(1, b"ended %d\\n" % status)
"""


def start(parent: int) -> subprocess.Popen[bytes]:
    root = Path(__file__).resolve().parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(parent)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    )


def test_a_child_dies_when_its_parent_is_killed() -> None:
    parent = start(0)
    assert parent.stdout is not None
    try:
        int(parent.stdout.readline())
    finally:
        parent.kill()
        parent.wait(60)
    # The child held the other copy of the pipe: its end is the child's end.
    assert parent.stdout.read() == b""
    parent.stdout.close()


def test_a_child_whose_parent_is_gone_already_ends_at_once() -> None:
    parent = start(1)
    assert parent.stdout is not None
    assert parent.stdout.read() == b"ended %d\n" % signal.SIGKILL
    parent.stdout.close()
    parent.wait(60)
