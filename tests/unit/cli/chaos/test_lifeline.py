"""The lifeline: whatever becomes of the command, the remedy follows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.chaos.lifeline import Lifeline, StrikeFailed
from cli.chaos.strikes import Strike
from tests.servers import wait_for

ROOT = Path(__file__).resolve().parents[4]


def touching(blow: Path, remedy: Path | None) -> Strike:
    return Strike(what="a blow", blow=("touch", str(blow)), remedy=None if remedy is None else ("touch", str(remedy)))


def test_a_blow_that_was_healed_is_healed_once(tmp_path: Path) -> None:
    count = Strike(what="", blow=("true",), remedy=("sh", "-c", f"echo healed >> {tmp_path}/log"))
    with Lifeline(count) as lifeline:
        lifeline.strike()
        assert lifeline.lasts
        lifeline.heal()
        assert not lifeline.lasts
        lifeline.heal()
    assert (tmp_path / "log").read_text() == "healed\n"


def test_whoever_leaves_the_block_heals_also_by_an_exception(tmp_path: Path) -> None:
    def interrupted() -> None:
        with Lifeline(touching(tmp_path / "a", tmp_path / "b")) as lifeline:
            lifeline.strike()
            assert (tmp_path / "a").exists()
            assert not (tmp_path / "b").exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (tmp_path / "b").exists()


def test_a_blow_that_failed_halfway_is_healed(tmp_path: Path) -> None:
    strike = Strike(what="", blow=("sh", "-c", "echo half; exit 3"), remedy=("touch", str(tmp_path / "healed")))
    with pytest.raises(StrikeFailed, match="half"), Lifeline(strike) as lifeline:
        lifeline.strike()
    assert (tmp_path / "healed").exists()


def test_what_does_not_last_leaves_nothing_to_heal(tmp_path: Path) -> None:
    with Lifeline(touching(tmp_path / "a", None)) as lifeline:
        lifeline.strike()
        assert not lifeline.lasts


def test_a_blow_without_a_command_is_done_by_the_function(tmp_path: Path) -> None:
    with Lifeline(Strike(what="", blow=()), fallback=(tmp_path / "done").touch) as lifeline:
        lifeline.strike()
    assert (tmp_path / "done").exists()


def test_a_remedy_that_fails_names_the_command_to_run_by_hand() -> None:
    strike = Strike(what="", blow=("true",), remedy=("sh", "-c", "echo cannot; exit 1"))
    with Lifeline(strike) as lifeline:
        lifeline.strike()
        with pytest.raises(StrikeFailed, match="cannot") as caught:
            lifeline.heal()
    assert caught.value.hint == "heal it by hand: sh -c 'echo cannot; exit 1'"


def test_a_remedy_that_fails_after_another_failure_tells_both() -> None:
    strike = Strike(what="", blow=("sh", "-c", "echo broken; exit 1"), remedy=("false",))
    with pytest.raises(StrikeFailed, match=r"`false` failed.*before that.*broken"), Lifeline(strike) as lifeline:
        lifeline.strike()


def test_a_remedy_that_failed_once_gets_a_second_try(tmp_path: Path) -> None:
    remedy = ("sh", "-c", f"test -e {tmp_path}/tried || {{ touch {tmp_path}/tried; exit 1; }}; touch {tmp_path}/healed")
    with Lifeline(Strike(what="", blow=("true",), remedy=remedy)) as lifeline:
        lifeline.strike()
    assert (tmp_path / "healed").exists()


def test_a_command_may_leave_something_running_in_the_background(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    strike = Strike(what="", blow=("sh", "-c", f"cat {fifo} & echo begun"))
    with Lifeline(strike) as lifeline:
        lifeline.strike()
    # Only now: had the blow waited for what it left behind, it would wait still.
    fifo.write_text("go")


@pytest.mark.parametrize(
    ("blow", "problem"),
    [(("no-such-program",), "No such file"), (("sh", "-c", "exit 3"), "exit code 3"), (("false",), "exit code 1")],
)
def test_a_blow_that_does_not_fall_says_why(blow: tuple[str, ...], problem: str) -> None:
    with pytest.raises(StrikeFailed, match=problem), Lifeline(Strike(what="", blow=blow)) as lifeline:
        lifeline.strike()


PROGRAM = """
import sys, time
from cli.chaos.lifeline import Lifeline
from cli.chaos.strikes import Strike
with Lifeline(Strike(what="", blow=("true",), remedy=("touch", sys.argv[1]))) as lifeline:
    lifeline.strike()
    print("struck", flush=True)
    time.sleep(600)
"""


def test_the_remedy_follows_although_the_command_is_killed(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-c", PROGRAM, str(tmp_path / "healed")]
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "struck\n"
        assert not (tmp_path / "healed").exists()
        process.send_signal(signal.SIGKILL)
    wait_for("the remedy", (tmp_path / "healed").exists)
