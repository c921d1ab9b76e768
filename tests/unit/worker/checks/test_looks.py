"""Beginning evaluations."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from shared.clock import ManualClock
from shared.rollback.settings import CheckSettings
from tests.unit.worker.checks.support import cloudwatch, command, http, prometheus, saying, serving
from tests.unit.worker.support import RUN
from worker.checks import http as http_check
from worker.checks.evaluation import Evaluation, Grade
from worker.checks.looks import Look, Looks
from worker.run_directory import RunDirectory


class Commands:
    """Ends every command with a code."""

    def __init__(self) -> None:
        self.code: int | None = 0
        self.run_argvs: list[Sequence[str]] = []

    def run(self, argv: Sequence[str], *, capture: Path | None = None) -> int:
        raise AssertionError

    def run_within(
        self, argv: Sequence[str], *, limit_ms: int, enough: Callable[[], bool], capture: Path | None = None
    ) -> int | None:
        self.run_argvs.append(argv)
        if capture is not None:
            capture.write_text('[{"status": 403, "body": ""}]')
        return self.code


class World:
    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.commands = Commands()
        directory = RunDirectory(folder, RUN)
        directory.create()
        self.looks = Looks(
            hosts=["127.0.0.1"],
            provider_region="eu-west-1",
            commands=self.commands,
            directory=directory,
            confined=False,
            clock=self.clock,
        )

    def begin(self, check: CheckSettings, *, enough: bool = False) -> Look | None:
        return self.looks.begin(check, lambda: enough)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def awaited(look: Look | None) -> Evaluation:
    assert look is not None
    for _ in range(3000):
        if (found := look()) is not None:
            assert look() is found, "asked again it says the same"
            return found
        threading.Event().wait(0.02)
    raise AssertionError("nothing came")


@pytest.mark.parametrize("make", [http, lambda url: prometheus(url=url)], ids=["http", "prometheus"])
def test_what_this_host_asks_is_asked_in_a_thread(world: World, make: Callable[[str], CheckSettings]) -> None:
    with serving(saying(b"HTTP/1.1 500 Broken\r\n\r\n")) as port:
        assert "500" in awaited(world.begin(make(f"http://127.0.0.1:{port}/"))).detail


def test_what_the_sandbox_does_is_done_at_once(world: World) -> None:
    assert awaited(world.begin(command("smoke"))).grade is Grade.GOOD
    assert awaited(world.begin(cloudwatch("a"))).grade is Grade.ERROR
    assert world.commands.run_argvs[0] == ("smoke",)


@pytest.mark.parametrize("check", [command("smoke"), cloudwatch("a")], ids=["command", "cloudwatch"])
def test_what_is_not_needed_any_more_says_nothing(world: World, check: CheckSettings) -> None:
    world.commands.code = None
    assert world.begin(check, enough=True) is None


def test_a_server_that_hangs_is_an_error_once_its_time_is_over_and_is_not_asked_twice_at_once(world: World) -> None:
    ending = threading.Event()
    asked = []

    def hang(connection: socket.socket) -> None:
        asked.append(connection)
        ending.wait(60)

    with serving(hang) as port:
        check = http(f"http://127.0.0.1:{port}/", timeout_s=300)
        look = world.begin(check)
        assert look is not None
        assert look() is None
        world.clock.advance(300_000 + 1_000)
        assert awaited(look) == Evaluation(grade=Grade.ERROR, detail="no answer within 300 s")
        assert awaited(world.begin(check)).grade is Grade.ERROR
        for _ in range(3000):
            if asked:
                break
            threading.Event().wait(0.02)
        ending.set()
        assert len(asked) == 1


def test_a_check_that_breaks_is_an_error_and_not_silence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Evaluation:
        raise KeyError("x")

    monkeypatch.setattr(http_check, "evaluate", broken)
    assert awaited(world.begin(http())).detail == "KeyError: 'x'"
