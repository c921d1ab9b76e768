"""Finding bubblewrap. The processes themselves: tests/integration/test_sandbox_processes.py and _confinement.py."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.errors import ConfigurationError, PeerError
from worker.sandbox import Sandbox, find_bwrap, launch_unconfined


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("version", ["0.8.0", "0.11.0", "1.0"])
def test_the_setting_is_taken_when_it_is_new_enough(tmp_path: Path, version: str) -> None:
    own = script(tmp_path / "bwrap", f"echo bubblewrap {version}")
    assert find_bwrap(own) == own


def test_one_on_the_path_that_is_too_old_gives_way_to_the_wheels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "bwrap", "echo bubblewrap 0.4.1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert find_bwrap(None).is_relative_to(tmp_path) is False


@pytest.mark.parametrize(
    ("says", "why"), [("echo bubblewrap 0.7.9", "too old"), ("exit 1", "does not run"), ("echo what", "does not run")]
)
def test_a_setting_that_cannot_be_used_is_refused_not_replaced(tmp_path: Path, says: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        find_bwrap(script(tmp_path / "bwrap", says))


def test_a_shim_that_dies_is_reported_with_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "shim.py"
    broken.write_text("raise SystemExit('no shim today')")
    monkeypatch.setattr("worker.sandbox.shim.__file__", str(broken))
    with launch_unconfined(tmp_path) as box:
        box._process.wait(60)
        with pytest.raises(PeerError, match="no shim today"):
            box.start(["true"], {}, stdout=1, stderr=1)


@contextmanager
def taken_over(work: Path) -> Iterator[tuple[Sandbox, socket.socket]]:
    """A sandbox, and what a provisioner holds that took over its shim's end of the control socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, launch_unconfined(work) as box:
        own, box._control = box._control, ours
        try:
            yield box, theirs
        finally:
            box._control = own


@pytest.mark.parametrize(
    "packet",
    [
        b'{"event": "exited", "code": "x"}',
        b'{"event": "exited", "code": 1e400}',
        b'{"event": "exited", "code": true}',
        b'{"event": "exited", "code": 99999999999}',
        b'{"event": "started"}',
        b"[" * 60_000,
        b"nonsense",
    ],
)
def test_what_is_no_event_ends_the_run_as_an_error_of_its_provisioner(tmp_path: Path, packet: bytes) -> None:
    with taken_over(tmp_path) as (box, shim):
        shim.send(packet)
        with pytest.raises(PeerError, match="no event"):
            box.wait(60_000)


def test_descriptors_that_nobody_asked_for_are_closed(tmp_path: Path) -> None:
    with taken_over(tmp_path) as (box, shim), (tmp_path / "file").open("w") as file:
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(5):
            socket.send_fds(shim, [b'{"event": "exited", "code": 0}'], [file.fileno()])
            assert box.wait(60_000) is not None
        assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_what_is_started_crashes_without_the_hosts_core_dump_handler(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    with launch_unconfined(tmp_path) as box:
        assert resource.prlimit(box.pid, resource.RLIMIT_CORE)[0] == 1
    assert resource.getrlimit(resource.RLIMIT_CORE) == before, "the worker's own limit is as it was"
