"""A log on its way to the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.clock import SystemClock
from shared.errors import ApiError, Unavailable
from worker.log_shipper import LogShipper


class Api:
    """Takes pieces; can be away, or refuse."""

    def __init__(self) -> None:
        self.text = ""
        self.away = 0
        self.refusal: ApiError | None = None

    def take(self, offset: int, piece: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        if self.away:
            self.away -= 1
            raise Unavailable("away", hint="")
        assert offset == len(self.text.encode()), "pieces follow one another"
        self.text += piece


def ship(path: Path, api: Api) -> None:
    shipper = LogShipper(path, api.take, SystemClock())
    shipper.start()
    shipper.finish()


def test_everything_arrives_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.log_shipper.CHUNK_BYTES", 7)
    text = "".join(f"line {n} …äöü\n" for n in range(200))
    (tmp_path / "log").write_text(text)
    api = Api()
    ship(tmp_path / "log", api)
    assert api.text == text, "also where a chunk ends inside a character"


def test_what_is_no_text_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"a\xff\0b\xc3")
    api = Api()
    ship(tmp_path / "log", api)
    assert api.text == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"


def test_an_api_that_was_away_gets_the_same_piece_again(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("once")
    api = Api()
    api.away = 2
    ship(tmp_path / "log", api)
    assert api.text == "once"


def test_an_api_that_stays_away_does_not_hold_the_run_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.log_shipper.LAST_SHIPMENT_MS", 50)
    (tmp_path / "log").write_text("lost")
    api = Api()
    api.away = 10**9
    ship(tmp_path / "log", api)
    assert api.text == ""


def test_an_api_that_wants_no_more_is_not_asked_again(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("late")
    api = Api()
    api.refusal = ApiError("lost", status=409, code="lease_lost")
    ship(tmp_path / "log", api)
    assert api.text == ""


def test_a_huge_log_is_cut_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.log_shipper.MAX_SHIPPED_BYTES", 10)
    monkeypatch.setattr("worker.log_shipper.CHUNK_BYTES", 6)
    (tmp_path / "log").write_text("x" * 100)
    api = Api()
    ship(tmp_path / "log", api)
    assert api.text == "x" * 12 + "\n[the rest of the log is only in the worker's file]\n"
