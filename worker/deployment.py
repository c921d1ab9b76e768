"""What a run does with Terraform, to its end: plan and apply; where the flock says so, watch it, and take it back.

    plan -> apply -> bake -> APPLIED
              |        |
              +--------+--> roll back, under the same lease -> ROLLED_BACK, or ERRORED with what is left

What this run cannot take back itself, the scheduler has another run take back: one that was cut, halted (nothing that
changes is signed for it any more) or killed, or whose state could not be stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared import exit_codes
from shared.api_client import ApiClient
from shared.clock import Clock
from shared.errors import ConfigurationError, LeaseRefused, PeerError
from shared.models import MAX_REASON, Assignment, RunKind, RunStatus
from shared.rollback.places import outputs_of, place_of
from shared.rollback.records import MAX_WHY, Rearrangement, RollbackOrder
from shared.rollback.settings import RollbackSettings, Trigger
from shared.settings import Settings
from worker import drift_delivery, release_files, rollback, saved_plans
from worker.bake import Bake, Triggered
from worker.checks.looks import Looks
from worker.commands import BoundedCommands
from worker.existing import ExistingThings
from worker.progress import Progress
from worker.provisioners.known_shapes import KnownShapes
from worker.provisioners.outcome import Outcome
from worker.provisioners.terraform import Terraform, TerraformFailed, TerraformJob, run_terraform
from worker.proxy_client import ProxyClient
from worker.release_cache import ReleaseCache
from worker.run_directory import ERRORED_STATE, RunDirectory
from worker.safety_gate import SafetyGate
from worker.stop import Cause, Stop, StopRequested
from worker.take_over import TakeOver
from worker.watcher import Watcher

#: What nobody can watch is neither kept nor taken back: so the proxy is asked that often what holds for it.
BAKE_TRIES = 30
BAKE_PAUSE_MS = 2_000
#: For emptying a work directory in which something may go on writing.
LAY_OUT_LIMIT_MS = 60_000


@dataclass(frozen=True, kw_only=True)
class Means:
    """What one run works with."""

    settings: Settings
    """Options."""
    api: ApiClient
    """The scheduler."""
    assignment: Assignment
    """The run."""
    commands: BoundedCommands
    """Runs what runs in the sandbox."""
    confined: bool
    """Whether there is one."""
    directory: RunDirectory
    """With the run's release in it."""
    job: TerraformJob
    """How Terraform is called."""
    proxy: ProxyClient
    """Signs."""
    releases: ReleaseCache
    """What this host has of releases."""
    shapes: KnownShapes
    """What checks for drift have learnt."""
    stop: Stop
    """Says when to stop."""
    watcher: Watcher
    """Knows how long the run may live, and whether the scheduler was away."""
    clock: Clock
    """Boot clock."""
    progress: Progress
    """Tells the scheduler how far the run is."""
    note: Callable[[str], None]
    """Takes a line for the run's log."""
    count: Callable[[str], None]
    """Counts an event."""


class Deployment:
    """One run's work."""

    def __init__(self, means: Means) -> None:
        """Bind the parts.

        Args:
            means: what it works with.
        """
        self._means = means
        self._terraform = Terraform(means.commands, means.directory, means.job)
        self._taking_over = self._take_over()
        self._gate = SafetyGate(
            means.api,
            means.assignment,
            refresh=self._refresh,
            note=means.note,
            taken_over=lambda: self._taking_over.taken_over,
            existing=ExistingThings(
                means.assignment,
                means.commands,
                confined=means.confined,
                made=lambda: self._taking_over.records,
            ),
        )

    def carry_out(self) -> Outcome:
        """Do it.

        Raises:
            StopRequested: the run had to stop.
            ConfigurationError: there is nothing that Terraform could run.
            InterlockError: something did not answer, or gave way.
        """
        means, order = self._means, self._means.assignment.rollback
        if means.assignment.run.kind is RunKind.DRIFT:
            return drift_delivery.check(
                means.api,
                means.assignment,
                self._terraform,
                shapes=means.shapes,
                progress=means.progress,
                note=means.note,
            )
        if order is None:
            return self._apply()
        if order.rollback_only:
            means.progress(RunStatus.PLANNING)
            trigger, at_ms = order.trigger or Trigger.OPERATOR, means.clock.boot_ms()
            return self._roll_back(order, Triggered(trigger=trigger, reason=order.reason, at_ms=at_ms))
        try:
            outcome = self._apply()
            triggered = self._failed(order.settings, outcome)
            if outcome.status is RunStatus.APPLIED:
                triggered = self._wish() or self._watched(order.settings) or self._wish()
        except StopRequested:
            # Only a wish that came while something was there to take back; any other reason goes on upwards.
            if not means.progress.began or (triggered := self._wish()) is None:
                raise
            outcome = Outcome(status=RunStatus.ERRORED, exit_code=exit_codes.ERROR, reason=triggered.reason)
        if triggered is None:
            return outcome
        if not self._state_is_stored():
            return replace(outcome, reason=f"{outcome.reason}; its state could not be stored"[:MAX_REASON])
        return self._roll_back(order, triggered)

    def _apply(self) -> Outcome:
        means = self._means
        return run_terraform(
            self._terraform,
            means.assignment.run.kind,
            take_over=self._taking_over.carry_out,
            progress=means.progress,
            saved=saved_plans.fetch(means.api, means.assignment),
            keep=saved_plans.keeper(means.api, means.assignment, means.note),
            gate=self._gate,
        )

    def _failed(self, settings: RollbackSettings, outcome: Outcome) -> Triggered | None:
        if outcome.status is not RunStatus.ERRORED or not self._means.progress.began:
            return None
        if not settings.takes_back(Trigger.APPLY_ERROR):
            return None
        return self._triggered(Trigger.APPLY_ERROR, outcome.reason)

    def _watched(self, settings: RollbackSettings) -> Triggered | None:
        """The same as `_bake`; whatever ends it early leaves word that it did not see the end."""
        if (trigger := settings.unwatched()) is not None:
            self._means.progress.owed = self._triggered(trigger, "it was to be watched to the end, and was not")
        triggered = self._bake(settings)
        self._means.progress.owed = triggered
        return triggered

    def _bake(self, settings: RollbackSettings) -> Triggered | None:
        """Watch what was applied; why it is taken back, or None."""
        means = self._means
        if settings.bake_s or settings.checks:
            means.watcher.extend(settings.watched_s * 1000)
            means.progress.baking()
            # Nothing more is to be changed: from here on the proxy holds the run to reads.
            if (mode := self._refreshed()) != "reads":
                raise LeaseRefused(
                    f"what was applied is to be watched, but the signing proxy holds the run to {mode!r}, not to reads",
                    hint="does the proxy reach the scheduler, and the same one as this worker?",
                )
            looks = Looks(
                hosts=means.settings.check_hosts,
                provider_region=means.assignment.target.provider_region,
                commands=means.commands,
                directory=means.directory,
                confined=means.confined,
                clock=means.clock,
            )
            bake = Bake(settings, looks=looks, wait=means.stop.wait, clock=means.clock, note=means.note)
            if (triggered := bake.watch(self._places(settings))) is not None:
                return triggered
        if settings.preproduction_test:
            return self._triggered(Trigger.PREPRODUCTION_TEST, "the flock is a test: it held, and is taken back")
        return None

    def _refreshed(self) -> str:
        """The mode that holds; where the proxy does not reach the scheduler just now it is asked again."""
        for _ in range(BAKE_TRIES - 1):
            if (mode := self._refresh()) != "unknown":
                return mode
            self._means.stop.wait(BAKE_PAUSE_MS)
        return self._refresh()

    def _places(self, settings: RollbackSettings) -> dict[str, str]:
        """What checks may refer to. An output that is no text, or is secret, is none of it."""
        target = self._means.assignment.target
        values = place_of(target=target.id, provider_region=target.provider_region)
        if any(outputs_of(check) for check in settings.checks):
            try:
                values |= _texts(self._terraform.outputs())
            except (TerraformFailed, ConfigurationError) as error:
                # The checks that need one will not have passed, and say which it is.
                self._means.note(f"the deployment's outputs cannot be read: {error}")
        return values

    def _state_is_stored(self) -> bool:
        """Whether the stored state is the newest: an apply that could not store it left it here.

        Planned against an older one a rollback would not see what was made since.
        """
        directory = self._means.directory
        if directory.errored_state() is None:
            return True
        self._means.note("the apply could not store its state: it is to be stored now")
        if self._terraform.push_state(ERRORED_STATE) != 0:
            return False
        directory.discard(ERRORED_STATE)
        return True

    def _roll_back(self, order: RollbackOrder, triggered: Triggered) -> Outcome:
        means = self._means
        means.note(f"rolling back ({triggered.trigger}): {triggered.reason}")
        means.count("rollback")
        # What follows a deployment has its own time: one that used up all of its own is taken back as well.
        means.watcher.extend(means.settings.run_hard_limit_s * 1000)
        means.progress.rolling_back(triggered)
        # Nothing may be changed any more until the scheduler has seen a plan of the first configuration. A proxy that
        # could not ask signs nothing that changes either; it asks again before anything is applied.
        if (mode := self._refresh()) not in ("reads", "unknown"):
            raise LeaseRefused(
                f"a rollback is to be planned, but the signing proxy holds the run to {mode!r}, not to reads",
                hint="does the proxy reach the same scheduler as this worker?",
            )
        ways = rollback.Ways(
            api=means.api,
            clock=means.clock,
            take_over=self._take_over(rolling_back=True),
            first=self._lay_out,
            refresh=self._refresh,
            state_is_stored=self._state_is_stored,
            api_was_away=lambda: means.watcher.api_was_away,
            note=means.note,
        )
        back = rollback.Rollback(ways, means.assignment, order, self._terraform)
        rearranged = order.rearranged if order.rollback_only else self._gate.rearranged or Rearrangement()
        return rollback.outcome_of(back.carry_out(triggered, rearranged, prepared=not order.rollback_only))

    def _lay_out(self, digest: str) -> Terraform:
        """That release in place of what is there; Terraform for it, before init."""
        means = self._means
        run = means.assignment.run.model_copy(update={"release_digest": digest})
        try:
            fetched = release_files.fetch(
                means.api,
                means.assignment.model_copy(update={"run": run}),
                regions=means.settings.regions,
                stop=means.stop,
                cache=means.releases,
            )
        except PeerError as error:
            raise ConfigurationError(str(error), hint=error.hint) from error
        give_up_at_ms = means.clock.boot_ms() + LAY_OUT_LIMIT_MS
        means.directory.lay_out_anew(fetched.files, lambda: means.clock.boot_ms() >= give_up_at_ms)
        means.note(f"first release {digest}: {len(fetched.files)} files verified")
        return Terraform(means.commands, means.directory, replace(means.job, versions=fetched.terraform))

    def _take_over(self, *, rolling_back: bool = False) -> TakeOver:
        means = self._means
        return TakeOver(
            means.api,
            means.assignment,
            means.commands,
            confined=means.confined,
            note=means.note,
            count=means.count,
            rolling_back=rolling_back,
        )

    def _refresh(self) -> str:
        return self._means.proxy.refresh_allowance().mode

    def _wish(self) -> Triggered | None:
        """An operator's, that has come meanwhile."""
        wish = self._means.stop.answered(Cause.ROLLBACK)
        return None if wish is None else self._triggered(Trigger.OPERATOR, wish.detail)

    def _triggered(self, trigger: Trigger, reason: str) -> Triggered:
        return Triggered(trigger=trigger, reason=reason[:MAX_WHY], at_ms=self._means.clock.boot_ms())


def _texts(outputs: Mapping[str, Any]) -> dict[str, str]:
    """Outputs that a check can refer to, by the name that it uses."""
    found = {}
    for name, output in outputs.items():
        value = output.get("value") if isinstance(output, dict) and not output.get("sensitive") else None
        if isinstance(value, bool):
            found[f"output.{name}"] = "true" if value else "false"
        elif isinstance(value, str | int | float):
            found[f"output.{name}"] = str(value)
    return found
