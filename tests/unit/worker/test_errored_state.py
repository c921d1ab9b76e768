"""What becomes of a state that Terraform could not store; the whole way is in test_supervisor.py."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from shared.errors import Unavailable
from worker.errored_state import ErroredState
from worker.run_directory import RunDirectory


class Saving:
    def __init__(self, home: Path) -> None:
        self.directory = RunDirectory(home, "run-0123456789abcdef")
        self.directory.create()
        self.notes: list[str] = []
        self.counted: list[str] = []
        self.delivered: list[bytes] = []
        self.state = ErroredState(
            self.directory,
            run_id="run-0123456789abcdef",
            node="host-a",
            note=self.notes.append,
            count=self.counted.append,
        )

    def leave(self, content: bytes = b"{}") -> None:
        (self.directory.work / "errored.tfstate").write_bytes(content)


@pytest.fixture
def saving(tmp_path: Path) -> Saving:
    return Saving(tmp_path)


def refuse(state: bytes) -> None:
    raise Unavailable("the scheduler is away", hint="")


def fail_to_keep(*_: object) -> None:
    raise OSError(errno.ENOSPC, "no space left on device")


def test_without_one_there_is_nothing_to_do(saving: Saving) -> None:
    saving.state.save(saving.delivered.append)
    assert (saving.state.left, saving.state.at_risk) == (False, False)
    assert (saving.delivered, saving.notes, saving.directory.kept.exists()) == ([], [], False)


def test_it_is_kept_and_delivered(saving: Saving) -> None:
    saving.leave()
    saving.state.save(saving.delivered.append)
    assert saving.delivered == [b"{}"]
    assert (saving.directory.kept / "errored.tfstate").read_bytes() == b"{}"
    assert (saving.state.left, saving.state.at_risk) == (True, False)
    assert saving.counted == ["state_kept"]
    assert "host-a" in saving.notes[0]


def test_one_that_is_kept_is_safe_although_nobody_took_it(saving: Saving) -> None:
    saving.leave()
    saving.state.save(refuse)
    assert (saving.state.left, saving.state.at_risk) == (True, False)
    assert "not delivered: the scheduler is away" in saving.notes[1]


def test_one_that_cannot_be_kept_is_delivered_and_safe(saving: Saving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunDirectory, "keep_errored_state", fail_to_keep)
    saving.leave()
    saving.state.save(saving.delivered.append)
    assert (saving.delivered, saving.state.at_risk, saving.counted) == ([b"{}"], False, [])


def test_one_that_is_neither_kept_nor_delivered_is_at_risk(saving: Saving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunDirectory, "keep_errored_state", fail_to_keep)
    saving.leave()
    saving.state.save(refuse)
    assert (saving.state.left, saving.state.at_risk) == (True, True)


def test_what_cannot_be_read_as_one_is_at_risk_and_delivered_nowhere(saving: Saving) -> None:
    (saving.directory.work / "errored.tfstate").symlink_to(saving.directory.log)
    saving.state.save(saving.delivered.append)
    assert (saving.state.at_risk, saving.delivered) == (True, [])
    assert "cannot be read" in saving.notes[0]
