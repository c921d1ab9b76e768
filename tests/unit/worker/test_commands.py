"""Running commands and ending them; with a real Terraform: tests/integration/test_worker_terraform.py."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.clock import SystemClock
from worker.commands import SandboxCommands
from worker.sandbox import Sandbox, launch_unconfined
from worker.stop import Cause, Stop, StopRequested


@dataclass
class World:
    sandbox: Sandbox
    stop: Stop
    log: Path
    commands: SandboxCommands

    def stop_once_it_says(self, word: str, cause: Cause) -> threading.Thread:
        def later() -> None:
            for _ in range(3000):
                if word in self.log.read_text():
                    self.stop.request(cause, "asked by the test")
                    return
                threading.Event().wait(0.02)

        thread = threading.Thread(target=later)
        thread.start()
        return thread


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    stop, log = Stop(), tmp_path / "log"
    log.touch()
    with launch_unconfined(tmp_path) as sandbox:
        env = {"PATH": "/usr/bin:/bin", "WORD": "hello"}
        yield World(sandbox, stop, log, SandboxCommands(sandbox, stop, log=log, env=env, clock=SystemClock()))
    stop.close()


def test_output_goes_to_the_log_in_order_and_the_exit_code_comes_back(world: World) -> None:
    assert world.commands.run(["sh", "-c", "echo $WORD; echo err >&2"]) == 0
    world.commands.note("between")
    assert world.commands.run(["sh", "-c", "echo two; exit 4"]) == 4
    assert world.log.read_text() == "hello\nerr\ninterlock: between\ntwo\n"


def test_captured_output_stays_out_of_the_log(world: World, tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    capture.write_text("something longer from before")
    assert world.commands.run(["sh", "-c", "echo out; echo err >&2"], capture=capture) == 0
    assert capture.read_text() == "out\n"
    assert world.log.read_text() == "err\n"


def test_nothing_is_started_once_the_run_has_to_stop(world: World) -> None:
    world.stop.request(Cause.CANCELED, "before")
    with pytest.raises(StopRequested):
        world.commands.run(["touch", "made"])
    assert not (world.log.parent / "made").exists()


def test_a_stop_interrupts_and_is_raised_when_the_command_has_ended(world: World) -> None:
    asker = world.stop_once_it_says("begun", Cause.LEASE_LOST)
    with pytest.raises(StopRequested):
        world.commands.run(["sh", "-c", "trap 'echo saved; exit 1' INT; echo begun; while :; do sleep 0.05; done"])
    asker.join(60)
    assert world.log.read_text() == "begun\nsaved\n"


def test_what_ends_well_in_spite_of_a_cancel_has_ended_well(world: World) -> None:
    asker = world.stop_once_it_says("begun", Cause.CANCELED)
    assert world.commands.run(["sh", "-c", "trap 'exit 0' INT; echo begun; while :; do sleep 0.05; done"]) == 0
    asker.join(60)
    with pytest.raises(StopRequested):
        world.commands.run(["true"])


def test_what_does_not_end_is_killed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.commands.LOST_GRACE_MS", 50)
    monkeypatch.setattr("worker.commands._SLICE_MS", 50)
    asker = world.stop_once_it_says("begun", Cause.LEASE_LOST)
    with pytest.raises(StopRequested):
        world.commands.run(["sh", "-c", "trap '' INT; echo begun; while :; do sleep 0.05; done"])
    asker.join(60)
    assert world.sandbox.interrupted


def test_a_loss_shortens_the_patience_with_a_canceled_command(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The long grace is for a live lease."""
    monkeypatch.setattr("worker.commands.CANCEL_GRACE_MS", 10**9)
    monkeypatch.setattr("worker.commands.LOST_GRACE_MS", 50)
    monkeypatch.setattr("worker.commands._SLICE_MS", 50)
    first = world.stop_once_it_says("begun", Cause.CANCELED)
    second = world.stop_once_it_says("heard", Cause.LEASE_LOST)
    with pytest.raises(StopRequested) as caught:
        world.commands.run(["sh", "-c", "trap 'echo heard' INT; echo begun; while :; do sleep 0.05; done"])
    first.join(60)
    second.join(60)
    assert caught.value.reason.cause is Cause.LEASE_LOST


def test_a_check_that_is_canceled_is_given_up_soon(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is to act on the target waits for it, and nothing is lost with it."""
    monkeypatch.setattr("worker.commands.CANCEL_GRACE_MS", 10**9)
    monkeypatch.setattr("worker.commands.CHECK_GRACE_MS", 50)
    monkeypatch.setattr("worker.commands._SLICE_MS", 50)
    env = {"PATH": "/usr/bin:/bin"}
    check = SandboxCommands(world.sandbox, world.stop, log=world.log, env=env, clock=SystemClock(), checks_only=True)
    asker = world.stop_once_it_says("begun", Cause.CANCELED)
    with pytest.raises(StopRequested):
        check.run(["sh", "-c", "trap '' INT; echo begun; while :; do sleep 0.05; done"])
    asker.join(60)


def test_what_ends_well_in_spite_of_a_wish_for_a_rollback_has_ended_well(world: World) -> None:
    asker = world.stop_once_it_says("begun", Cause.ROLLBACK)
    assert world.commands.run(["sh", "-c", "trap 'exit 0' INT; echo begun; while :; do sleep 0.05; done"]) == 0
    asker.join(60)


def test_each_command_may_be_interrupted_once(world: World) -> None:
    """What follows a rollback's wish is another Terraform, which has to be told to stop as well."""
    for number in ("one", "two"):
        asker = world.stop_once_it_says(f"begun {number}", Cause.ROLLBACK)
        script = f"trap 'echo saved {number}; exit 1' INT; echo begun {number}; while :; do sleep 0.05; done"
        with pytest.raises(StopRequested):
            world.commands.run(["sh", "-c", script])
        asker.join(60)
        assert world.stop.answered(Cause.ROLLBACK) is not None
    assert world.log.read_text() == "begun one\nsaved one\nbegun two\nsaved two\n"


def never() -> bool:
    return False


def test_a_bounded_command_says_its_code(world: World) -> None:
    assert world.commands.run_within(["sh", "-c", "exit 4"], limit_ms=60_000, enough=never) == 4


def test_one_that_takes_too_long_is_killed_with_what_it_started_and_the_next_one_runs(world: World) -> None:
    script = "trap '' INT TERM; sleep 3600 & echo $! > pid; wait"
    assert world.commands.run_within(["sh", "-c", script], limit_ms=500, enough=never) is None
    pid = int((world.log.parent / "pid").read_text())
    for _ in range(3000):
        if not Path(f"/proc/{pid}").exists() or ") Z " in Path(f"/proc/{pid}/stat").read_text():
            break
        threading.Event().wait(0.02)
    else:
        pytest.fail("it is still there")
    assert world.commands.run(["true"]) == 0


def test_one_that_is_not_needed_any_more_is_killed(world: World) -> None:
    assert world.commands.run_within(["sleep", "3600"], limit_ms=10**9, enough=lambda: True) is None


def test_a_stop_kills_a_bounded_command_at_once(world: World) -> None:
    asker = world.stop_once_it_says("begun", Cause.CANCELED)
    with pytest.raises(StopRequested):
        world.commands.run_within(
            ["sh", "-c", "trap '' INT; echo begun; while :; do sleep 0.05; done"], limit_ms=10**9, enough=never
        )
    asker.join(60)
    assert not world.sandbox.interrupted


def test_a_bounded_commands_output_can_be_captured(world: World, tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    assert world.commands.run_within(["echo", "out"], limit_ms=60_000, enough=never, capture=capture) == 0
    assert capture.read_text() == "out\n"
