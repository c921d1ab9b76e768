"""A roll-out as people see it: rows, notes about what changed, and the exit code at its end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cli.output import Output
from cli.unused import after_rollout
from shared import exit_codes
from shared.errors import ConfigurationError, Unavailable
from shared.rollouts import Rollout, RolloutPhase, RolloutStatus, RolloutTarget, Stage

if TYPE_CHECKING:
    from shared.api_client import ApiClient

POLL_S = 0.5
#: An API that restarts is away for a moment; the roll-out goes on without it.
MAX_FAILED_POLLS = 100
_EXIT = {
    RolloutStatus.SUCCEEDED: exit_codes.OK,
    RolloutStatus.FAILED: exit_codes.ERROR,
    RolloutStatus.CANCELED: exit_codes.CANCELED,
}


class Watcher:
    """Follows a roll-out by polling."""

    def __init__(self, client: ApiClient, out: Output, rollout_id: str, *, poll_s: float = POLL_S) -> None:
        self._client = client
        self._out = out
        self._rollout_id = rollout_id
        self._poll_s = poll_s
        self._failed_polls = 0

    def to_the_end(self) -> int:
        """Note every change until it is over; returns the exit code.

        Raises `Unavailable` when the API stays away. An interrupt ends the watching, not the roll-out.
        """
        before: Rollout | None = None
        while True:
            seen = self._look(before)
            if seen is not None:
                if seen != before:
                    self._out.line(seen)
                    for note in changes(before, seen):
                        self._out.note(note)
                before = seen
                if seen.status.over:
                    self._out.say(f"{seen.id} {seen.status.value}" + (f": {seen.reason}" if seen.reason else ""))
                    after_rollout(self._client, self._out, seen)
                    return _EXIT[seen.status]
            time.sleep(self._poll_s)

    def _look(self, before: Rollout | None) -> Rollout | None:
        try:
            seen = self._client.rollout(self._rollout_id)
        except Unavailable as error:
            self._failed_polls += 1
            if before is None or self._failed_polls > MAX_FAILED_POLLS:
                raise
            if self._failed_polls == 1:
                self._out.note(f"{error}; the roll-out goes on, waiting for the API to come back")
            return None
        self._failed_polls = 0
        return seen


def changes(before: Rollout | None, after: Rollout) -> Iterator[str]:
    """What is different now, one sentence each. Pure."""
    if before is None or before.status is not after.status:
        yield f"{after.id}: {after.status.value}" + (f" ({after.reason})" if after.reason else "")
    old_phases = {phase.name: phase for phase in before.phases} if before else {}
    for phase in after.phases:
        old = old_phases.get(phase.name)
        if old is None or old.status is not phase.status:
            until = f" until {phase.bake_until:%H:%M:%S}" if phase.bake_until and phase.status.value == "baking" else ""
            yield f"phase {phase.name}: {phase.status.value}{until}, {progress(after, phase)}"
    old_targets = {target.id: target for target in before.targets} if before else {}
    for target in after.targets:
        known = old_targets.get(target.id)
        if known is not None and known.stage is not target.stage:
            yield f"{target.id}: {target.stage.value}" + (f" ({target.reason})" if target.reason else "")
    for name in waiting_for_approval(after):
        if before is None or name not in waiting_for_approval(before):
            yield f"phase {name} waits for approval: `interlock rollout approve {after.id} --phase {name}`"


def waiting_for_approval(rollout: Rollout) -> list[str]:
    """The phases in which a plan waits for a person: the phase asks for one, or the safety rules do."""
    planned = [target for target in rollout.targets if target.stage is Stage.PLANNED]
    return [
        phase.name
        for phase in rollout.phases
        if any(target.phase == phase.name and (phase.approval or target.held) for target in planned)
    ]


def plans_that_wait(rollout: Rollout, *, phase: str | None, targets: Sequence[str]) -> dict[str, str]:
    """The digests of the plans that a decision is about, by target.

    Raises `ConfigurationError` for a phase or target that there is not, or has no plan waiting, or when none waits.
    """
    if phase is not None and phase not in {one.name for one in rollout.phases}:
        names = ", ".join(one.name for one in rollout.phases)
        raise ConfigurationError(f"{rollout.id} has no phase {phase!r}", hint=f"its phases are {names}")
    waiting = {
        target.id: target.plan_digest
        for target in rollout.targets
        if target.stage is Stage.PLANNED and target.plan_digest is not None and phase in (None, target.phase)
    }
    for name in targets:
        if name not in waiting:
            known = rollout.target(name)
            stands = f"is {known.stage.value}" if known else "is not one of its targets"
            raise ConfigurationError(
                f"no plan of {name} waits: it {stands}", hint=f"`interlock rollout show {rollout.id}` lists them"
            )
    chosen = {name: digest for name, digest in waiting.items() if not targets or name in targets}
    if not chosen:
        raise ConfigurationError(
            f"no plan waits for approval in {rollout.id}", hint=f"`interlock rollout watch {rollout.id}` says when"
        )
    return chosen


def progress(rollout: Rollout, phase: RolloutPhase) -> str:
    """How far a phase is: `2/5 applied, 1 errored, 2 planning`. Pure."""
    stages = [target.stage for target in rollout.targets if target.phase == phase.name]
    parts = [f"{stages.count(Stage.APPLIED)}/{len(stages)} applied"]
    parts += [
        f"{stages.count(stage)} {stage.value}" for stage in Stage if stage is not Stage.APPLIED and stage in stages
    ]
    return ", ".join(parts)


def phase_row(rollout: Rollout, phase: RolloutPhase) -> tuple[object, ...]:
    """A phase as a line of the table."""
    return (
        phase.name,
        phase.status.value,
        progress(rollout, phase),
        phase.max_concurrent,
        phase.failure_tolerance,
        f"{phase.bake_s} s",
        phase.approval,
    )


def target_row(target: RolloutTarget) -> tuple[object, ...]:
    """A target as a line of the table."""
    return (
        target.id,
        target.phase,
        target.stage.value,
        target.run_id,
        target.plan_digest,
        target.confirmed_by or None,
        target.reason if target.rollback is None else f"{target.rollback.id} {target.rollback.status}: {target.reason}",
    )
