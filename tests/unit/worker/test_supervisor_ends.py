"""How a run ends that may not go on: halted, cut, its lease taken or its deadline passed."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.clock import SystemClock
from shared.control import Cut, Done, Latched
from shared.errors import ApiError, Unavailable
from shared.lease.machine import State
from shared.models import RunStatus
from tests.unit.worker.supervised import TIMING, World, made
from tests.unit.worker.support import RUN, TARGET
from worker import supervisor
from worker.run_directory import RunDirectory
from worker.stop import Cause, Stop

SLOW = ("sh", "-c", "trap 'echo {} > errored.tfstate; exit 1' INT; echo begun; while :; do sleep 0.05; done")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    yield from made(tmp_path)


LATCHED = Latched(service="sqs", operation="DeleteQueue", resource={"QueueUrl": "q"}, reason="it holds no delete")


def test_a_call_outside_the_safety_plan_halts_the_run_with_one_interrupt_and_the_lease_is_given_back(
    world: World,
) -> None:
    world.command("sh", "-c", "trap 'echo interrupted; exit 3' INT; echo begun; while :; do sleep 0.05; done")
    world.in_the_middle(lambda: world.proxy.say(LATCHED))
    reason = "halted: sqs:DeleteQueue (QueueUrl=q) was refused: it holds no delete"
    assert world.api.reports == [(RunStatus.HALTED, 77, reason)]
    assert world.api.log.count("interrupted") == 1
    assert world.state is State.RELEASED


def test_the_resource_that_terraform_names_for_the_refused_call_is_in_the_reason(world: World) -> None:
    said = r"Error: gone: DeleteQueue\n  with aws_sqs_queue.a,\n  on main.tf line 3\n"
    world.command("sh", "-c", f"trap 'printf \"{said}\"; exit 1' INT; echo begun; while :; do sleep 0.05; done")
    world.in_the_middle(lambda: world.proxy.say(LATCHED))
    ((_, _, reason),) = world.api.reports
    assert reason.startswith("halted: sqs:DeleteQueue (QueueUrl=q) for aws_sqs_queue.a was refused: ")


def test_one_that_ends_well_all_the_same_is_halted(world: World) -> None:
    world.command("sh", "-c", "trap 'exit 0' INT; echo begun; while :; do sleep 0.05; done")
    world.in_the_middle(lambda: world.proxy.say(LATCHED))
    assert world.api.reports[0][0] is RunStatus.HALTED


def test_a_rollback_that_was_asked_for_before_there_was_anything_to_take_back_ends_the_run(world: World) -> None:
    world.command("sh", "-c", "trap 'exit 3' INT; echo begun; while :; do sleep 0.05; done")
    world.in_the_middle(lambda: world.api.now.update(rollback_requested=True))
    assert world.api.reports == [(RunStatus.CANCELED, 130, "an operator asked for a rollback")]
    assert world.state is State.RELEASED


def test_a_halt_outlives_a_cut_that_comes_after_it(world: World) -> None:
    world.command(*SLOW)

    def halt_then_cut() -> None:
        world.proxy.say(LATCHED)
        world.proxy.say(Cut(reason="the proxy ends", in_flight=0))

    world.in_the_middle(halt_then_cut)
    assert world.api.reports[0][:2] == (RunStatus.HALTED, 77)


def test_a_cut_run_keeps_its_errored_state_before_the_lease_is_given_up(world: World) -> None:
    world.command(*SLOW)
    world.in_the_middle(lambda: world.proxy.say(Cut(reason="deadline passed", in_flight=2)))
    ((status, code, reason),) = world.api.reports
    assert (status, code) == (RunStatus.LOST, 75)
    assert "deadline passed" in reason
    assert world.api.quarantined == [(1, b"{}\n", State.HELD)]
    assert (world.settings.home / "kept" / RUN / "errored.tfstate").read_text() == "{}\n"


def fail_to_keep(*_: object) -> None:
    raise OSError(errno.ENOSPC, "no space left on device")


def test_a_state_that_cannot_be_kept_is_delivered_all_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunDirectory, "keep_errored_state", fail_to_keep)
    world.command(*SLOW)
    world.in_the_middle(lambda: world.proxy.say(Cut(reason="deadline passed", in_flight=2)))
    assert world.api.quarantined == [(1, b"{}\n", State.HELD)]
    assert not (world.settings.home / "runs" / RUN).exists()


def test_a_state_that_is_neither_kept_nor_delivered_stays_where_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise Unavailable("away", hint="")

    monkeypatch.setattr(RunDirectory, "keep_errored_state", fail_to_keep)
    monkeypatch.setattr(world.api, "quarantine_state", away)
    world.command(*SLOW)
    world.in_the_middle(lambda: world.proxy.say(Cut(reason="deadline passed", in_flight=2)))
    assert world.api.reports[0][0] is RunStatus.LOST
    assert (world.settings.home / "runs" / RUN / "work" / "errored.tfstate").read_text() == "{}\n"


def test_a_lease_taken_by_an_operator_ends_the_run_as_refused(world: World) -> None:
    world.command(*SLOW)

    def revoke() -> None:
        world.api.now.update(revoke_requested=True)
        world.store.revoke(TARGET, world.store.view(TARGET).lease_id, "operator")

    world.in_the_middle(revoke)
    ((status, code, _),) = world.api.reports
    assert (status, code) == (RunStatus.LOST, 77)
    assert world.state is State.SEVERED


def pass_the_deadline(world: World, monkeypatch: pytest.MonkeyPatch, then: Callable[[], None] = lambda: None) -> None:
    """Have the holder's deadline pass just when the command has ended, and do something more."""

    class Leaping(SystemClock):
        leap_ms = 0

        def boot_ms(self) -> int:
            return super().boot_ms() + self.leap_ms

    clock = Leaping()
    world.parts = supervisor.Parts(**{**vars(world.parts), "clock": clock})
    original = supervisor.run_command

    def run_and_leap(*arguments: Any) -> Any:
        outcome = original(*arguments)
        clock.leap_ms = TIMING.ttl_ms
        then()
        return outcome

    monkeypatch.setattr(supervisor, "run_command", run_and_leap)


def test_a_worker_that_was_stopped_too_long_reports_a_loss_whatever_its_command_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after SIGCONT: the command has ended well in the meantime, and the deadline has passed."""
    pass_the_deadline(world, monkeypatch)
    world.api.finish_refusal = ApiError("lost", status=409, code="lease_lost")
    world.attempt()
    assert world.api.reports == []
    assert "lease_lost" in world.api.log
    assert not any(isinstance(message, Done) for message in world.proxy.received)
    assert world.state is State.HELD, "it releases nothing that may be another's by now"


def test_a_halt_outlives_a_deadline_that_passed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def latched() -> None:
        world.proxy.say(LATCHED)
        assert heard.wait(10)

    heard = threading.Event()
    request = Stop.request

    def listen(stop: Stop, cause: Cause, detail: str) -> None:
        request(stop, cause, detail)
        if cause is Cause.HALTED:
            heard.set()

    monkeypatch.setattr(Stop, "request", listen)
    pass_the_deadline(world, monkeypatch, latched)
    world.attempt()
    assert world.api.reports[0][:2] == (RunStatus.HALTED, 77)
