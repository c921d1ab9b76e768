"""A demo's own folder, and how it is ended."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest

from deploy.demo.home import home_of, interrupted_by_sigterm


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_is_finished_leaves_nothing(folders: Path) -> None:
    with home_of("shop") as home:
        (home.path / "logs").mkdir()
        assert home.path.name.startswith("interlock-shop-")
        home.finished = True
    assert list(folders.iterdir()) == []


def test_what_is_not_says_where_its_logs_are(capsys: pytest.CaptureFixture[str]) -> None:
    with home_of("shop") as home:
        pass
    assert home.path.is_dir()
    assert capsys.readouterr().err == f"its logs are in {home.path}/logs\n"


def test_what_a_person_ends_leaves_nothing(folders: Path) -> None:
    with pytest.raises(KeyboardInterrupt), home_of("shop"):
        raise KeyboardInterrupt
    assert list(folders.iterdir()) == []


def test_sigterm_ends_the_demo_as_ctrl_c_does() -> None:
    before = signal.getsignal(signal.SIGTERM)

    def told_to_end() -> None:
        with interrupted_by_sigterm():
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()

    with pytest.raises(KeyboardInterrupt):
        told_to_end()
    assert signal.getsignal(signal.SIGTERM) is before
