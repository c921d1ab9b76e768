"""The life of a run: a real provisioner process with fakes around it, without a sandbox, hence the tcp listener."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.control import Attach, Done, Open, Poll, Refused, Shut
from shared.errors import ApiError
from shared.lease.machine import State
from shared.models import MAX_REASON, Run, RunKind, RunStatus
from shared.release_manifest import digest_of
from shared.rollback.settings import Trigger
from tests.unit.worker.supervised import World, made
from tests.unit.worker.support import RUN, TARGET
from worker import supervisor
from worker.progress import Progress
from worker.sandbox import Sandbox, Undead


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    yield from made(tmp_path)


def test_a_run_goes_from_the_claim_to_the_report_and_the_lease_is_given_back(world: World) -> None:
    world.attempt()
    assert world.api.reports == [(RunStatus.SUCCEEDED, 0, "")]
    assert world.state is State.RELEASED
    assert "begun\nhere\n" in world.api.log, "the command runs in the flock's configuration"
    assert [type(message) for message in world.proxy.received] == [Attach, Poll, Done]
    assert not (world.settings.home / "runs" / RUN).exists()


def test_a_report_is_made_under_the_lease_and_again_once_it_is_released(world: World) -> None:
    """A lease released without a report counts as lost after a while, and the run would be done again."""
    world.attempt()
    assert world.api.reported_in == [State.HELD, State.RELEASED]


def test_an_api_that_is_away_at_the_end_gets_the_report_before_the_lease_is_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_PAUSE_MS", 10)
    world.api.finish_away = 5
    world.attempt()
    assert world.api.reported_in == [State.HELD, State.RELEASED]


def test_the_whole_log_is_there_when_the_report_comes(world: World) -> None:
    logs: list[str] = []
    original = world.api.finish

    def finish(*arguments: Any, **named: Any) -> Run:
        logs.append(world.api.log)
        return original(*arguments, **named)

    world.api.finish = finish  # type: ignore[method-assign]  # to look at the order
    world.attempt()
    assert logs[0].endswith("interlock: succeeded\n")


def test_an_undead_provisioner_keeps_the_lease_from_being_released(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Sandbox.kill

    def kill(box: Sandbox) -> None:
        original(box)
        raise Undead("hangs in the kernel", hint="")

    monkeypatch.setattr(Sandbox, "kill", kill)
    world.attempt()
    assert "hangs in the kernel" in world.api.reports[0][2]
    assert world.state is State.HELD
    assert not any(isinstance(message, Done) for message in world.proxy.received)


def test_the_gate_is_asked_only_after_a_confirmed_renewal(world: World) -> None:
    seen: list[int] = []
    world.proxy.answers[Poll] = Shut(reason="not yet")

    def on_third() -> None:
        for _ in range(3000):
            polls = sum(isinstance(message, Poll) for message in world.proxy.received)
            if polls >= 3:
                seen.append(world.store.view(TARGET).confirmed_seq)
                world.proxy.answers[Poll] = Open(deadline_ms=0)
                return
            threading.Event().wait(0.02)

    watcher = threading.Thread(target=on_third)
    watcher.start()
    world.attempt()
    watcher.join(60)
    assert seen[0] >= 4
    assert world.api.reports[0][0] is RunStatus.SUCCEEDED


def test_the_lease_carries_the_runs_credential_only_as_a_hash(world: World) -> None:
    world.attempt()
    attach = world.proxy.received[0]
    assert isinstance(attach, Attach)
    text = f"{attach.access_key_id}:{attach.secret_access_key}"
    assert world.store.view(TARGET).credential_hash == hashlib.sha256(text.encode()).hexdigest()
    assert attach.listen == "tcp"


def test_the_commands_exit_code_is_the_runs(world: World) -> None:
    world.command("sh", "-c", "exit 7")
    world.attempt()
    assert world.api.reports == [(RunStatus.ERRORED, 7, "sh exited with 7")]
    assert world.state is State.RELEASED


def test_a_reason_is_no_longer_than_the_scheduler_takes(world: World) -> None:
    world.command("x" * 2 * MAX_REASON)
    world.attempt()
    ((_, _, reason),) = world.api.reports
    assert len(reason) == MAX_REASON


def test_a_message_for_a_run_that_is_not_to_be_had_is_dropped(world: World) -> None:
    world.api.refusal = ApiError("taken", status=409, code="not_claimable")
    world.attempt()
    assert world.api.reports == []
    assert world.proxy.received == []
    assert world.state is not State.HELD


def test_the_release_of_a_run_that_waits_is_fetched_before_its_turn(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.api.refusal = ApiError("its target is taken", status=409, code="not_claimable")
    world.api.now = {"status": RunStatus.PENDING, "release_digest": world.api.manifest.digest}
    world.attempt()
    world.api.refusal, world.api.now = None, {}
    for name in ("release_manifest", "release_files"):
        monkeypatch.setattr(world.api, name, lambda *_: pytest.fail("between the claim and the lease"))
    world.attempt()
    assert world.api.reports == [(RunStatus.SUCCEEDED, 0, "")]


def test_an_api_that_was_away_for_a_moment_is_asked_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.acquisition._CLAIM_PAUSE_MS", 1)
    world.api.away = 2
    world.attempt()
    assert world.api.reports[0][0] is RunStatus.SUCCEEDED
    world.api.away = 1000
    world.attempt()
    assert len(world.api.reports) == 1, "the reconciler sends the message again"


def test_a_cancel_interrupts_once_and_gives_the_lease_back(world: World) -> None:
    world.command("sh", "-c", "trap 'echo interrupted; exit 3' INT; echo begun; while :; do sleep 0.05; done")
    world.in_the_middle(lambda: world.api.now.update(cancel_requested=True))
    assert world.api.reports == [(RunStatus.CANCELED, 130, "canceled")]
    assert world.api.log.count("interrupted") == 1
    assert world.state is State.RELEASED


def test_without_a_proxy_nothing_starts_and_the_lease_is_given_back(world: World) -> None:
    world.proxy.path.unlink()
    world.attempt()
    ((status, _, reason),) = world.api.reports
    assert status is RunStatus.ERRORED
    assert "interlock proxy" in reason
    assert "begun" not in world.api.log
    assert world.state is State.RELEASED


def test_a_proxy_that_refuses_starts_nothing(world: World) -> None:
    world.proxy.answers[Attach] = Refused(reason="burned")
    world.attempt()
    assert "burned" in world.api.reports[0][2]
    assert "begun" not in world.api.log


def test_a_gate_that_stays_shut_starts_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "GATE_LIMIT_MS", 100)
    world.proxy.answers[Poll] = Shut(reason="no renewal seen")
    world.attempt()
    assert "no renewal seen" in world.api.reports[0][2]
    assert "begun" not in world.api.log
    assert world.state is State.RELEASED


def test_an_embargo_is_waited_for_and_the_log_says_why(world: World) -> None:
    world.store.server.restart(empty=True)
    world.in_the_middle(
        lambda: world.store.clear(TARGET, world.store.server.incarnation, 1), word="waiting for the lease"
    )
    assert world.api.reports[0][0] is RunStatus.SUCCEEDED
    assert "Redis was restarted" in world.api.log


def test_an_endless_wait_is_bounded(world: World) -> None:
    world.store.server.restart(empty=True)
    world.parts = supervisor.Parts(
        **{**vars(world.parts), "settings": world.settings.model_copy(update={"claim_timeout_s": 0})}
    )
    world.attempt()
    assert "was not granted" in world.api.reports[0][2]


def test_an_epoch_that_redis_has_passed_is_raised(world: World) -> None:
    world.store.clear(TARGET, world.store.server.incarnation, 5)
    world.attempt()
    assert world.api.raised == [4]
    assert world.api.reports[0][0] is RunStatus.SUCCEEDED
    assert world.store.view(TARGET).lease_epoch == 5


def test_a_grant_that_is_not_durable_starts_nothing(world: World) -> None:
    world.store.server.durable = False
    world.attempt()
    assert "durable" in world.api.reports[0][2]
    assert world.proxy.received == []
    assert world.state is State.RELEASED


def test_a_shutdown_in_the_middle_leaves_no_process_and_no_report(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.command("sh", "-c", "echo $$ > pid; sleep 3600")
    pids: list[int] = []

    def shut_down(*_: Any, **__: Any) -> None:
        path = world.settings.home / "runs" / RUN / "work" / "pid"
        for _ in range(3000):
            if path.exists() and path.read_text().strip():
                break
            threading.Event().wait(0.02)
        pids.append(int(path.read_text()))
        raise SystemExit

    monkeypatch.setattr("worker.sandbox.Sandbox.wait", shut_down)
    with pytest.raises(SystemExit):
        world.attempt()
    assert pids
    for _ in range(3000):
        if not Path(f"/proc/{pids[0]}").exists():
            break
        threading.Event().wait(0.02)
    assert not Path(f"/proc/{pids[0]}").exists()
    assert world.api.reports == []


def test_a_release_with_a_file_of_other_bytes_is_refused_before_the_lease(world: World) -> None:
    (digest,) = world.api.blobs
    world.api.blobs[digest] = b"other"
    world.attempt()
    status, code, reason = world.api.reports[0]
    assert (status, code) == (RunStatus.ERRORED, 1)
    assert f"here should be {digest} and arrived as {digest_of(b'other')}" in reason
    assert "begun" not in world.api.log
    assert world.store.view(TARGET).epoch == 0


def test_terraform_that_is_missing_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    plain = world.api.assignment
    world.api.assignment = plain.model_copy(update={"run": plain.run.model_copy(update={"kind": RunKind.APPLY})})
    world.attempt()
    assert "neither tofu nor terraform" in world.api.reports[0][2]


def test_a_rollback_that_could_not_be_told_of_is_in_the_report(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Progress, "last_words", lambda _, outcome: (f"ill; {outcome.reason}", Trigger.HEALTH))
    world.attempt()
    assert world.api.trigger is Trigger.HEALTH
    assert world.api.reports[-1][2].startswith("ill")
