"""`run_demo`: what is printed, what is left behind, and the exit code. The acts are played in tests/integration."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy.demo import story
from deploy.demo.story import run_demo
from deploy.demo.verdict import Verdict
from shared.errors import Unavailable
from tests.unit.deploy.demo.test_timeline import verdict


@pytest.fixture(autouse=True)
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def plays(monkeypatch: pytest.MonkeyPatch, result: Verdict | BaseException) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []

    def play(home: Path, console: Console | None, **options: Any) -> Verdict:
        seen.append({"home": home, "console": console, **options})
        (home / "logs").mkdir()
        if isinstance(result, BaseException):
            raise result
        return result

    monkeypatch.setattr(story, "_play", play)
    return seen


def test_with_json_the_only_and_last_line_is_the_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = plays(monkeypatch, verdict())
    assert run_demo(json_output=True, unfenced=False) == 0
    assert seen[0]["console"] is None
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["overlaps"] == 0


def test_a_demo_that_passed_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, homes: Path) -> None:
    plays(monkeypatch, verdict())
    run_demo(json_output=True, unfenced=False)
    assert list(homes.iterdir()) == []


def test_a_demo_that_failed_exits_non_zero_and_keeps_its_logs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], homes: Path
) -> None:
    seen = plays(monkeypatch, verdict(passed=False, reasons=("1 overlap",)))
    assert run_demo(json_output=True, unfenced=False) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["passed"] is False
    assert str(seen[0]["home"] / "logs") in said.err
    assert [path.name for path in homes.iterdir()] == [seen[0]["home"].name]


def test_an_unfenced_demo_fails_as_it_should_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, homes: Path
) -> None:
    plays(monkeypatch, verdict(passed=False))
    assert run_demo(json_output=True, unfenced=True) == 1
    assert list(homes.iterdir()) == []


def test_a_demo_that_is_interrupted_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], homes: Path
) -> None:
    plays(monkeypatch, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run_demo(json_output=True, unfenced=False)
    assert list(homes.iterdir()) == []
    assert capsys.readouterr().out == ""


def test_a_demo_that_could_not_be_played_says_where_its_logs_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plays(monkeypatch, Unavailable("stuck", hint="look"))
    with pytest.raises(Unavailable):
        run_demo(json_output=True, unfenced=False)
    said = capsys.readouterr()
    assert said.out == ""
    assert "logs are in" in said.err


def test_a_person_s_console_is_used_where_one_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = plays(monkeypatch, verdict())
    console = Console(file=io.StringIO())
    run_demo(json_output=False, console=console, plugin_dir=Path("/p"))
    assert seen[0]["console"] is console
    assert seen[0]["plugin_dir"] == Path("/p")
    run_demo(json_output=False)
    assert seen[1]["console"] is not None
