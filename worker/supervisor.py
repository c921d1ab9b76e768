"""The life of one run, in the main thread of a pool child.

    claim (API) -> the release, fetched and verified -> acquire, durable, confirm (Redis)
    -> sandbox, its listener comes back -> attach (proxy)
    -> renew, confirm -> the gate opens -> the provisioner runs
    -> everything in the sandbox is dead -> errored.tfstate is kept -> report -> release -> proxy done -> released

Whatever goes wrong on the way, in this order: the provisioner gets one SIGINT and a bounded time, everything in its
sandbox dies, its state is kept, and only then is the lease given up. An exception that is no error of a run (SystemExit
of a cold shutdown, MemoryError) kills the sandbox and is passed on; the proxy sees the connection close and cuts.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from shared import exit_codes
from shared.api_client import ApiClient
from shared.clock import Clock
from shared.control import Attach, Latched, Open
from shared.errors import ApiError, InterlockError, LeaseLost, LeaseRefused, Unavailable
from shared.lease.store import LeaseStore
from shared.log import log_event
from shared.models import MAX_REASON, Assignment, RunKind, RunStatus
from shared.safety.halts import at_the_wire, with_address
from shared.settings import Settings
from worker import acquisition, blame, release_files, sandbox_setup
from worker.acquisition import Hold
from worker.commands import SandboxCommands
from worker.deployment import Deployment, Means
from worker.environment import make_placeholders
from worker.errored_state import ErroredState
from worker.log_shipper import LogShipper
from worker.metrics import WorkerMetrics
from worker.progress import Progress
from worker.provisioners.command import run_command
from worker.provisioners.known_shapes import KnownShapes
from worker.provisioners.outcome import Outcome
from worker.provisioners.terraform import TerraformJob
from worker.proxy_client import ProxyClient
from worker.release_cache import ReleaseCache
from worker.renewal import Renewal
from worker.renewal_group import Renewer
from worker.run_directory import RunDirectory
from worker.sandbox import Sandbox, Undead
from worker.sandbox_setup import Confinement
from worker.stop import Cause, Stop, StopReason, StopRequested
from worker.terraform_binary import find_terraform
from worker.watcher import Watcher

GATE_LIMIT_MS = 30_000
RELEASE_LIMIT_MS = 60_000
REPORT_LIMIT_MS = 60_000
#: An API that is away is the usual reason why there is a state to deliver.
DELIVERY_LIMIT_MS = 60_000
_POLL_MS = 50
_PAUSE_MS = 500

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What every run of this worker shares."""

    settings: Settings
    """Options."""
    api: ApiClient
    """The scheduler."""
    store: LeaseStore
    """The lease keys."""
    renewer: Renewer
    """Sends the renewals of leases."""
    clock: Clock
    """Boot clock."""
    confinement: Confinement
    """How runs are confined."""
    metrics: WorkerMetrics
    """Counts."""
    releases: ReleaseCache
    """What this host has verified of releases."""
    shapes: KnownShapes = field(default_factory=KnownShapes)
    """What this process' checks for drift have learnt."""


def attempt(parts: Parts, run_id: str) -> None:
    """Attempt the run that a broker's message names; a message for a run that is not to be had is counted and dropped.

    Args:
        parts: of this worker.
        run_id: from the message.
    """
    holder = secrets.token_hex(16)
    stop = Stop()
    try:
        assignment = acquisition.claim(
            parts.api,
            run_id,
            node=parts.settings.node,
            holder=holder,
            regions=parts.settings.regions,
            pause=stop.wait,
        )
        if assignment is None:
            parts.metrics.event("duplicate")
            # Where its target is taken it comes again, to this host or another, once it is its turn.
            release_files.prefetch(parts.api, run_id, regions=parts.settings.regions, cache=parts.releases)
            return
        _Attempt(parts, assignment, stop).carry_out()
    except Unavailable as error:
        log_event(_log, "run_not_attempted", level=logging.WARNING, run=run_id, error=error, hint=error.hint)
    finally:
        stop.close()


class _Attempt:
    """One execution of one run."""

    def __init__(self, parts: Parts, assignment: Assignment, stop: Stop) -> None:
        self._parts = parts
        self._claimed = assignment
        self._stop = stop
        self._placeholders = make_placeholders(assignment.run.id)
        self._directory = RunDirectory(parts.settings.home, assignment.run.id)
        self._versions: str | None = None
        self._renewal: Renewal | None = None
        self._concluded = False
        self._progress = Progress(parts.api, assignment, stop, parts.clock)
        self._errored_state = ErroredState(
            self._directory,
            run_id=assignment.run.id,
            node=parts.settings.node,
            note=self._note,
            count=parts.metrics.event,
        )
        self._shipper = LogShipper(
            self._directory.log,
            lambda offset, text: parts.api.append_log(
                assignment.run.id, holder=assignment.holder, offset=offset, text=text
            ),
            parts.clock,
        )
        self._watcher = Watcher(
            parts.api, assignment.run.id, stop, parts.clock, limit_ms=parts.settings.run_hard_limit_s * 1000
        )

    def carry_out(self) -> None:
        """Run it and report."""
        run = self._claimed.run
        self._directory.create()
        log_event(_log, "run_claimed", run=run.id, target=run.target, kind=run.kind, epoch=self._claimed.epoch)
        self._shipper.start()
        self._watcher.start()
        try:
            outcome = self._outcome()
            self._conclude(outcome)
        finally:
            # Also when this process is being shut down: the threads must not outlive the attempt.
            self._end_threads()
        self._report(outcome)
        if not self._errored_state.at_risk:
            self._directory.remove()

    def _conclude(self, outcome: Outcome) -> None:
        """Say in log and metrics how it ended and ship the rest of the log; once."""
        if self._concluded:
            return
        self._concluded = True
        self._note(f"{outcome.status}" + (f": {outcome.reason}" if outcome.reason else ""))
        self._end_threads()
        self._parts.metrics.ended(outcome.status)
        log_event(
            _log,
            "run_ended",
            run=self._claimed.run.id,
            status=outcome.status,
            exit_code=outcome.exit_code,
            reason=outcome.reason,
        )

    def _end_threads(self) -> None:
        self._watcher.stop()
        self._shipper.finish()

    def _outcome(self) -> Outcome:
        """Hold the lease around the work; every error of the run becomes its outcome."""
        try:
            self._fetch_release()
        except StopRequested as stopped:
            return self._stopped(stopped.reason)
        except InterlockError as error:
            # Before the lease: whoever cannot have the release, whole and unchanged, has no business with the target.
            self._parts.metrics.event("release_refused")
            return blame.of_error(error, began=self._progress.began)
        try:
            hold = acquisition.acquire(
                self._parts.store,
                self._parts.api,
                self._claimed,
                self._placeholders,
                node=self._parts.settings.node,
                limit_ms=self._parts.settings.claim_timeout_s * 1000,
                stop=self._stop,
                clock=self._parts.clock,
                note=self._note,
            )
        except StopRequested as stopped:
            return self._stopped(stopped.reason)
        except InterlockError as error:
            self._parts.metrics.event("refused")
            return blame.of_error(error, began=self._progress.began)
        self._claimed = hold.assignment
        with contextlib.ExitStack() as stack:
            self._renewal = Renewal(
                self._parts.renewer,
                target=hold.assignment.target.id,
                lease_id=hold.lease_id,
                timing=hold.assignment.timing,
                clock=self._parts.clock,
                granted_at_ms=hold.granted_at_ms,
                on_lost=lambda reason: self._stop.request(Cause.LEASE_LOST, reason),
            )
            stack.callback(self._renewal.stop)
            self._renewal.start()
            proxy: ProxyClient | None = None
            try:
                proxy = ProxyClient(
                    self._parts.settings.proxy_socket,
                    on_cut=lambda reason: self._stop.request(Cause.LEASE_LOST, f"the proxy cut the run: {reason}"),
                    on_latched=self._halt,
                )
                stack.callback(proxy.close)
                outcome = blame.of_outcome(
                    self._work(hold, proxy),
                    began=self._progress.began,
                    api_was_away=self._watcher.api_was_away,
                    state_left=self._errored_state.left,
                )
            except StopRequested as stopped:
                outcome = self._stopped(stopped.reason)
            except LeaseLost as error:
                outcome = self._stopped(StopReason(cause=Cause.LEASE_LOST, detail=str(error)))
            except Undead as error:
                # Not released: the proxy sees this connection close, cuts, and says so.
                log_event(_log, "provisioner_undead", level=logging.ERROR, run=self._claimed.run.id, error=error)
                return blame.of_error(error, began=self._progress.began)
            except InterlockError as error:
                log_event(_log, "run_failed", level=logging.WARNING, run=self._claimed.run.id, error=error)
                outcome = blame.of_error(error, began=self._progress.began)
            if (halt := self._halted()) is not None and outcome.status is not RunStatus.HALTED:
                # Told a moment after the provisioner had ended, or before something else failed.
                outcome = self._stopped(halt)
            # Looked at anew: a worker that was stopped learns here at the latest that it lost.
            if (lost := self._renewal.lost_because) is not None:
                if outcome.status is RunStatus.HALTED:
                    return outcome
                return self._stopped(StopReason(cause=Cause.LEASE_LOST, detail=lost))
            # Reported while the lease is still held: a released one without a report would count as lost after a
            # while, and a run that ended well would be done again, should the API be away just now.
            self._conclude(outcome)
            self._report(outcome)
            self._hand_back(hold, proxy)
            return outcome

    def _fetch_release(self) -> None:
        """Lay out the files of the run's release, every one of them checked."""
        fetched = release_files.fetch(
            self._parts.api,
            self._claimed,
            regions=self._parts.settings.regions,
            stop=self._stop,
            cache=self._parts.releases,
        )
        self._directory.lay_out(fetched.files)
        self._versions = fetched.terraform
        self._note(f"release {self._claimed.run.release_digest}: {len(fetched.files)} files verified")

    def _work(self, hold: Hold, proxy: ProxyClient) -> Outcome:
        """Launch the sandbox, open the gate, run the provisioner; on every way out nothing is left running."""
        parts = self._parts
        try:
            with sandbox_setup.launch(parts.confinement, parts.settings, self._directory, parts.clock) as sandbox:
                try:
                    port = self._attach(hold, proxy, sandbox)
                    self._open_gate(proxy)
                    return self._provision(hold, sandbox, port, proxy)
                finally:
                    if sandbox.interrupted:
                        parts.metrics.event("interrupt")
        finally:
            # Before the lease is given up: the next holder may need it.
            self._errored_state.save(lambda state: self._deliver_state(hold, state))

    def _attach(self, hold: Hold, proxy: ProxyClient, sandbox: Sandbox) -> int | None:
        assignment = hold.assignment
        attached = proxy.attach(
            Attach(
                run_id=assignment.run.id,
                target=assignment.target.id,
                epoch=assignment.epoch,
                lease_id=hold.lease_id,
                actor=assignment.run.actor,
                timing=assignment.timing,
                access_key_id=self._placeholders.access_key_id,
                secret_access_key=self._placeholders.secret_access_key,
                proxy_user=self._placeholders.proxy_user,
                proxy_password=self._placeholders.proxy_password,
                state_username=assignment.state_username,
                listen="fd" if sandbox.confined else "tcp",
            ),
            sandbox.listener,
        )
        # Ours is a copy: from now on the proxy alone holds the way out, and closing it there closes it.
        sandbox.close_listener()
        return attached.port

    def _open_gate(self, proxy: ProxyClient) -> None:
        """Renew until the proxy has seen a renewal since it attached, which is what its first deadline needs."""
        if self._renewal is None:
            raise AssertionError("the gate is opened for a held lease only")
        give_up_at_ms = self._parts.clock.boot_ms() + GATE_LIMIT_MS
        while True:
            self._renewal.renew_now()
            answer = proxy.poll()
            if isinstance(answer, Open):
                return
            if self._parts.clock.boot_ms() >= give_up_at_ms:
                raise LeaseRefused(f"the proxy's gate did not open: {answer.reason}", hint="the proxy's log says more")
            self._stop.wait(_POLL_MS)

    def _provision(self, hold: Hold, sandbox: Sandbox, port: int | None, proxy: ProxyClient) -> Outcome:
        assignment, parts = hold.assignment, self._parts
        env = sandbox_setup.environment(
            parts.confinement, parts.settings, self._directory, assignment, self._placeholders, port
        )
        commands = SandboxCommands(
            sandbox,
            self._stop,
            log=self._directory.log,
            env=env,
            clock=parts.clock,
            checks_only=assignment.run.kind is RunKind.DRIFT,
        )
        if assignment.run.kind is RunKind.EXEC:
            self._progress(RunStatus.APPLYING)
            return run_command(commands, assignment.run.argv)
        if parts.confinement.terraform is None:
            # Says again what is missing, with the hint how to mend it.
            find_terraform(parts.settings.terraform)
            raise LeaseRefused("Terraform was installed after this worker started", hint="restart the worker")
        job = TerraformJob(
            terraform=parts.confinement.terraform.argv(confined=sandbox.confined),
            versions=self._versions,
            plugin_dir=str(parts.settings.plugin_dir.resolve()) if parts.settings.plugin_dir else None,
        )
        means = Means(
            settings=parts.settings,
            api=parts.api,
            assignment=assignment,
            commands=commands,
            confined=sandbox.confined,
            directory=self._directory,
            job=job,
            proxy=proxy,
            releases=parts.releases,
            shapes=parts.shapes,
            stop=self._stop,
            watcher=self._watcher,
            clock=parts.clock,
            progress=self._progress,
            note=self._note,
            count=parts.metrics.event,
        )
        return Deployment(means).carry_out()

    def _deliver_state(self, hold: Hold, state: bytes) -> None:
        """Give what Terraform could not store to the scheduler; a run that has to stop tries it once."""
        run, clock = hold.assignment.run, self._parts.clock
        patience_ms = DELIVERY_LIMIT_MS if self._stop.reason is None else 0
        _until(
            lambda: self._parts.api.quarantine_state(run.target, epoch=hold.assignment.epoch, run=run.id, state=state),
            clock.boot_ms() + patience_ms,
            clock,
        )

    def _hand_back(self, hold: Hold, proxy: ProxyClient | None) -> None:
        """RELEASE, let the proxy acknowledge, wait until Redis shows it. Failing here costs time, never safety."""
        target = hold.assignment.target.id
        if self._renewal is not None:
            self._renewal.stop()
        give_up_at_ms = self._parts.clock.boot_ms() + RELEASE_LIMIT_MS
        try:
            _until(lambda: self._parts.store.release(target, hold.lease_id), give_up_at_ms, self._parts.clock)
            if proxy is not None:
                proxy.done()
            while self._parts.clock.boot_ms() < give_up_at_ms:
                view = self._parts.store.view(target)
                if view.lease_id != hold.lease_id or view.state is None or view.state.ended:
                    return
                _pause(_POLL_MS)
            log_event(_log, "release_unfinished", level=logging.WARNING, target=target, lease=hold.lease_id)
        except InterlockError as error:
            log_event(_log, "release_failed", level=logging.WARNING, target=target, lease=hold.lease_id, error=error)

    def _report(self, outcome: Outcome) -> None:
        """Say how it ended; again after the release, whereupon the API ends the run at once.

        A run that was given up meanwhile is told so, and that is all.
        """
        run, clock = self._claimed.run, self._parts.clock
        reason, trigger = self._progress.last_words(outcome)
        try:
            _until(
                lambda: self._parts.api.finish(
                    run.id,
                    holder=self._claimed.holder,
                    epoch=self._claimed.epoch,
                    exit_code=outcome.exit_code,
                    status=outcome.status,
                    reason=reason[:MAX_REASON],
                    trigger=trigger,
                ),
                clock.boot_ms() + REPORT_LIMIT_MS,
                clock,
            )
        except ApiError as error:
            log_event(_log, "report_refused", level=logging.WARNING, run=run.id, code=error.code, why=error)
        except InterlockError as error:
            log_event(_log, "report_not_delivered", level=logging.WARNING, run=run.id, error=error)

    def _halt(self, latched: Latched) -> None:
        """The proxy refused a call that the safety plan does not cover, and refuses all that follow: one SIGINT."""
        call = latched.service, latched.operation, latched.resource, latched.reason
        self._stop.request(Cause.HALTED, at_the_wire(*call))

    def _halted(self) -> StopReason | None:
        reason = self._stop.reason
        return reason if reason is not None and reason.cause is Cause.HALTED else None

    def _stopped(self, reason: StopReason) -> Outcome:
        """What a run is worth that had to stop."""
        if reason.cause is Cause.HALTED:
            self._parts.metrics.event("halted")
            why = with_address(reason.detail, self._directory.log_tail())
            return Outcome(status=RunStatus.HALTED, exit_code=exit_codes.REFUSED, reason=why)
        if reason.cause in (Cause.CANCELED, Cause.ROLLBACK):
            # A wish for a rollback that came before there was anything to take back.
            return Outcome(status=RunStatus.CANCELED, exit_code=exit_codes.CANCELED, reason=reason.detail)
        if reason.cause is Cause.TIME_LIMIT:
            return Outcome(status=RunStatus.ERRORED, exit_code=exit_codes.ERROR, reason=reason.detail)
        self._parts.metrics.event("lease_lost")
        revoked = reason.cause is Cause.REVOKED or self._revoked_by_operator()
        code = exit_codes.REFUSED if revoked else exit_codes.LEASE_LOST
        return Outcome(status=RunStatus.LOST, exit_code=code, reason=f"lease_lost: {reason.detail}")

    def _revoked_by_operator(self) -> bool:
        try:
            return self._parts.api.run(self._claimed.run.id).revoke_requested
        except InterlockError:
            return False

    def _note(self, text: str) -> None:
        """A line of our own in the run's log; a full disk may cost it."""
        with contextlib.suppress(OSError), self._directory.log.open("a", encoding="utf-8") as file:
            file.write(f"interlock: {text}\n")


def _until[T](action: Callable[[], T], give_up_at_ms: int, clock: Clock) -> T:
    """Repeat while the other side is away; raises Unavailable at the bound, and what else `action` raises at once."""
    while True:
        try:
            return action()
        except Unavailable:
            if clock.boot_ms() >= give_up_at_ms:
                raise
        _pause(_PAUSE_MS)


def _pause(duration_ms: int) -> None:
    # Not the run's own stop: what is handed back and reported here is so although the run was stopped.
    threading.Event().wait(duration_ms / 1000)
