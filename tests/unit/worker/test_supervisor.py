"""The life of a run: a real provisioner process with fakes around it, without a sandbox, hence the tcp listener."""

from __future__ import annotations

import errno
import hashlib
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.clock import SystemClock
from shared.control import Acked, Attach, Attached, Cut, Done, Latched, Open, Poll, Refused, Shut
from shared.errors import ApiError, Unavailable
from shared.lease.machine import State
from shared.lease.timing import LeaseTiming
from shared.models import Assignment, Recovery, Run, RunKind, RunStatus
from shared.release_manifest import canonical, digest_of
from shared.release_pack import pack
from shared.settings import Settings
from shared.testing import FakeLeaseStore, fake_lease_store
from tests.releases import make_release
from tests.unit.worker.fake_proxy import FakeProxy
from tests.unit.worker.support import RUN, TARGET, assignment, run
from worker import supervisor
from worker.metrics import WorkerMetrics
from worker.release_cache import ReleaseCache
from worker.renewal_group import Alone
from worker.run_directory import RunDirectory
from worker.sandbox import Sandbox, Undead
from worker.sandbox_setup import CA_NAME, Confinement
from worker.stop import Cause, Stop

TIMING = LeaseTiming(ttl_ms=60_000, renew_ms=1_000, poll_ms=100, delta_ms=1_000)


class FakeApi:
    """The scheduler, as far as a worker sees it; writes down what it is told, in order with the lease's state."""

    def __init__(self, world: World, argv: tuple[str, ...]) -> None:
        self.world = world
        self.manifest, self.blobs = make_release(TARGET, generic={"here": b""}, provider_region="eu-west-1")
        self.assignment = self._assignment(argv)
        self.refusal: ApiError | None = None
        self.finish_refusal: ApiError | None = None
        self.now: dict[str, Any] = {}
        self.reports: list[tuple[RunStatus, int | None, str]] = []
        self.quarantined: list[tuple[int, bytes, State | None]] = []
        self.logs: dict[int, str] = {}
        self.raised: list[int] = []
        self.away = 0
        self.finish_away = 0
        self.reported_in: list[State | None] = []

    def _assignment(self, argv: tuple[str, ...]) -> Assignment:
        plain = assignment(kind=RunKind.EXEC, argv=argv)
        named = plain.run.model_copy(update={"release_digest": self.manifest.digest})
        return plain.model_copy(update={"timing": TIMING, "run": named})

    def claim(self, run_id: str, *, node: str, holder: str, regions: tuple[str, ...]) -> Assignment:
        assert regions == ("here",)
        if self.away:
            self.away -= 1
            raise Unavailable("away", hint="")
        if self.refusal is not None:
            raise self.refusal
        self.assignment = self.assignment.model_copy(update={"holder": holder})
        return self.assignment

    def raise_epoch(self, run_id: str, *, holder: str, above: int) -> Assignment:
        self.raised.append(above)
        self.assignment = self.assignment.model_copy(update={"epoch": above + 1})
        return self.assignment

    def run(self, run_id: str) -> Run:
        return run(kind=RunKind.EXEC, **self.now)

    def release_manifest(self, digest: str) -> bytes:
        return canonical(self.manifest)

    def release_files(self, digest: str, target: str) -> bytes:
        return pack(self.blobs)

    def progress(self, run_id: str, *, holder: str, status: RunStatus) -> None:
        assert holder == self.assignment.holder

    def append_log(self, run_id: str, *, holder: str, offset: int, text: str) -> None:
        self.logs[offset] = text

    def recovery(self, target: str, *, run: str, holder: str) -> Recovery:
        return Recovery()

    def quarantine_state(self, target: str, *, epoch: int, run: str, state: bytes) -> None:
        self.quarantined.append((epoch, state, self.world.store.view(TARGET).state))

    def finish(
        self, run_id: str, *, holder: str, epoch: int, exit_code: int | None, status: RunStatus, reason: str = ""
    ) -> Run:
        if self.finish_refusal is not None:
            raise self.finish_refusal
        assert (holder, epoch) == (self.assignment.holder, self.assignment.epoch)
        if self.finish_away:
            self.finish_away -= 1
            raise Unavailable("away", hint="")
        self.reported_in.append(self.world.state)
        if (status, exit_code, reason) not in self.reports:
            self.reports.append((status, exit_code, reason))
        return run()

    @property
    def log(self) -> str:
        return "".join(text for _, text in sorted(self.logs.items()))


class World:
    """Everything around one attempt."""

    def __init__(self, home: Path, sockets: Path, *argv: str) -> None:
        self.store: FakeLeaseStore = fake_lease_store()
        self.store.clear(TARGET, self.store.server.incarnation, 0)
        self.proxy = FakeProxy(sockets)
        self.proxy.answers = {
            Attach: Attached(seq=1, port=3128),
            Poll: Open(deadline_ms=0),
            Done: Acked(in_flight=0),
        }
        self.api = FakeApi(self, argv)
        self.settings = Settings(
            home=home, sandbox="none", proxy_socket=self.proxy.path, node="host-a", regions=("here",)
        )
        self.settings.ca_dir.mkdir(parents=True)
        (self.settings.ca_dir / CA_NAME).write_text("certificate")
        self.metrics = WorkerMetrics()
        self.parts = supervisor.Parts(
            settings=self.settings,
            api=self.api,  # type: ignore[arg-type]  # the part of the client that is used
            store=self.store,
            renewer=Alone(self.store, replicas_timeout_ms=TIMING.renew_ms),
            clock=SystemClock(),
            confinement=Confinement(bwrap=None, terraform=None),
            metrics=self.metrics,
            releases=ReleaseCache(home),
        )

    def attempt(self) -> None:
        supervisor.attempt(self.parts, RUN)

    def command(self, *argv: str) -> None:
        self.api.assignment = self.api._assignment(argv)

    def in_the_middle(self, act: Callable[[], None], *, word: str = "begun") -> None:
        """Attempt the run and act once its command has said `word`."""
        waiting = threading.Event()

        def later() -> None:
            for _ in range(3000):
                if word in self.api.log:
                    act()
                    return
                waiting.wait(0.02)

        actor = threading.Thread(target=later)
        actor.start()
        self.attempt()
        actor.join(60)

    @property
    def state(self) -> State | None:
        return self.store.view(TARGET).state


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    # A unix socket's path is short.
    with tempfile.TemporaryDirectory() as sockets:
        made = World(tmp_path / "home", Path(sockets), "sh", "-c", "echo begun; ls; exit 0")
        yield made
        made.proxy.close()


SLOW = ("sh", "-c", "trap 'echo {} > errored.tfstate; exit 1' INT; echo begun; while :; do sleep 0.05; done")


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
