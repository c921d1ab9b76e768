"""What an earlier worker left on the disk."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from shared.errors import ApiError, Unavailable
from shared.models import Run, RunStatus
from shared.testing import ManualClock
from tests.unit.worker.support import RUN, TARGET, run
from worker.leftovers import LIMIT_MS, Leftovers
from worker.run_directory import RunDirectory


class Api:
    """Knows one run, as long as it is there."""

    def __init__(self, status: RunStatus = RunStatus.LOST) -> None:
        self.status = status
        self.failure: Exception | None = None
        self.refusal: Exception | None = None
        self.delivered: list[tuple[str, int, str, bytes]] = []

    def run(self, run_id: str) -> Run:
        if self.failure is not None:
            raise self.failure
        return run(id=run_id, status=self.status, epoch=7)

    def quarantine_state(self, target: str, *, epoch: int, run: str, state: bytes) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.delivered.append((target, epoch, run, state))


def left_behind(home: Path, *, state: bytes | None = b"{}") -> RunDirectory:
    directory = RunDirectory(home, RUN)
    directory.create()
    if state is not None:
        directory.write_bytes("errored.tfstate", state)
    return directory


def leftovers(home: Path, api: Api, clock: ManualClock | None = None) -> Leftovers:
    return Leftovers(home, api, clock or ManualClock(0))  # type: ignore[arg-type]  # the part of the client it uses


def test_a_state_in_a_dead_runs_directory_is_kept_delivered_and_the_directory_goes(tmp_path: Path) -> None:
    directory, api = left_behind(tmp_path), Api()
    found = leftovers(tmp_path, api)
    found.try_once()
    assert api.delivered == [(TARGET, 7, RUN, b"{}")]
    assert (directory.kept / "errored.tfstate").read_bytes() == b"{}"
    assert not directory.root.exists()
    assert found.waiting == []


def test_a_kept_state_is_delivered_once(tmp_path: Path) -> None:
    directory, api = RunDirectory(tmp_path, RUN), Api()
    directory.keep_errored_state(b"{}")
    leftovers(tmp_path, api).try_once()
    leftovers(tmp_path, api).try_once()
    assert len(api.delivered) == 1
    assert directory.kept.exists()


def test_a_directory_without_a_state_just_goes(tmp_path: Path) -> None:
    directory, api = left_behind(tmp_path, state=None), Api()
    leftovers(tmp_path, api).try_once()
    assert not directory.root.exists()
    assert api.delivered == []


def test_a_run_that_is_not_over_is_left_alone(tmp_path: Path) -> None:
    directory, api = left_behind(tmp_path), Api(RunStatus.APPLYING)
    found = leftovers(tmp_path, api)
    found.try_once()
    assert directory.work.exists()
    assert len(found.waiting) == 1
    api.status = RunStatus.LOST
    found.try_once()
    assert found.waiting == []


def test_an_api_that_is_away_costs_time_and_nothing_else(tmp_path: Path) -> None:
    directory, api, clock = left_behind(tmp_path), Api(), ManualClock(0)
    api.failure = Unavailable("away", hint="")
    found = leftovers(tmp_path, api, clock)
    found.try_once()
    assert directory.work.exists()
    clock.advance(LIMIT_MS)
    api.failure = None
    stop = threading.Event()
    stop.set()
    found.deliver_all(stop)
    assert len(found.waiting) == 1, "stopped"
    found.deliver_all(threading.Event())
    assert api.delivered


def test_it_is_not_tried_for_ever(tmp_path: Path) -> None:
    class Passing(ManualClock):
        def boot_ms(self) -> int:
            self.advance(LIMIT_MS)
            return super().boot_ms()

    left_behind(tmp_path)
    api = Api(RunStatus.APPLYING)
    found = leftovers(tmp_path, api, Passing(0))
    found.deliver_all(threading.Event())
    assert len(found.waiting) == 1


def test_what_nobody_takes_stays_and_is_not_tried_again(tmp_path: Path) -> None:
    directory, api = left_behind(tmp_path), Api()
    api.refusal = ApiError("full", status=409, code="slot_full")
    found = leftovers(tmp_path, api)
    found.try_once()
    assert found.waiting == []
    assert directory.work.exists()
    api.failure = ApiError("no run", status=404, code="unknown_run")
    other = leftovers(tmp_path, api)
    other.try_once()
    assert other.waiting == []
    assert directory.work.exists()


def test_a_link_in_the_place_of_a_state_is_not_followed(tmp_path: Path) -> None:
    directory, api = left_behind(tmp_path, state=None), Api()
    (tmp_path / "token").write_text("secret")
    (directory.work / "errored.tfstate").symlink_to(tmp_path / "token")
    leftovers(tmp_path, api).try_once()
    assert api.delivered == []


def test_other_peoples_files_are_not_looked_at(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "runs" / "something").mkdir(parents=True)
    (tmp_path / "runs" / "run-0000000000000000").write_text("a file")
    assert leftovers(tmp_path, Api()).waiting == []
