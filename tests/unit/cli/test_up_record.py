"""What a running `up` leaves in its home."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cli.up_record import UpLock, UpRecord, is_running, read_record, remove_record, write_record
from shared.errors import ConfigurationError

RECORD = UpRecord(
    pid=7,
    api_url="http://127.0.0.1:1",
    redis_url="redis://:secret@127.0.0.1:2/0",
    embedded_redis=True,
    processes={"beat": 8},
    health_urls={"beat": "http://127.0.0.1:3"},
    started_at="2026-01-02T03:04:05+00:00",
)


def test_a_record_is_read_back_as_written_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    write_record(tmp_path, RECORD)
    assert read_record(tmp_path) == RECORD
    assert stat.S_IMODE((tmp_path / "up.json").stat().st_mode) == 0o600
    remove_record(tmp_path)
    remove_record(tmp_path)
    assert read_record(tmp_path) is None


def test_a_record_of_another_kind_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "up.json").write_text("{")
    assert read_record(tmp_path) is None
    assert read_record(tmp_path / "nowhere") is None


def test_a_second_up_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    with UpLock(tmp_path):
        assert is_running(tmp_path)
        with (
            pytest.raises(ConfigurationError, match=rf"already running on .* \(pid {os.getpid()}\)") as caught,
            UpLock(tmp_path),
        ):
            pass
        assert "INTERLOCK_HOME" in caught.value.hint
        # The refused one must not have taken the lock of the first along.
        assert is_running(tmp_path)
    assert not is_running(tmp_path)


def test_a_home_where_nothing_ever_ran_is_not_running(tmp_path: Path) -> None:
    assert not is_running(tmp_path)


def test_after_the_first_ended_the_next_may_start(tmp_path: Path) -> None:
    for _ in range(2):
        with UpLock(tmp_path):
            assert is_running(tmp_path)
