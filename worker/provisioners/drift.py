"""The `drift` kind: looks, and changes nothing.

    init -> the state as it is -> plan -refresh-only -> plan -> what both say becomes a report (`shared.drift`)

Nothing here takes over what a cut left: that would write state. Both plans are made without Terraform's own lock: the
lease keeps every other run away, a check writes no state that a lock would guard, and a lock is a write to a backend
that keeps it in the cloud. A check that is cut leaves none behind either.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final, Protocol

from shared import exit_codes
from shared.drift import schemas
from shared.drift.evidence import MAX_BYTES, Evidence, evidence
from shared.drift.reading import Look, drift_report, not_checked, nothing_differs, types_to_judge
from shared.drift.report import Cause, DriftReport, RollUp
from shared.drift.schemas import Shape
from shared.errors import ConfigurationError
from shared.models import RunStatus
from worker.provisioners.outcome import Outcome
from worker.provisioners.terraform import PLAN_FILE, Terraform, TerraformFailed

#: Lines that the run's log gets of a report.
_LISTED: Final = 50
_CODES: Final = {
    RollUp.IN_SYNC: exit_codes.OK,
    RollUp.DRIFTED: exit_codes.CHANGES,
    RollUp.NOT_CHECKED: exit_codes.ERROR,
}


class Scheduler(Protocol):
    """What a check needs of the scheduler."""

    def in_the_way(self) -> str | None:
        """Why there is nothing to be looked at; None: there is."""
        ...

    def left(self, plan: Mapping[str, Any] | None) -> list[str]:
        """What an earlier run left, so that this look is not one at everything."""
        ...

    def deliver(self, report: DriftReport) -> None:
        """Take the report."""
        ...


def run_drift(
    terraform: Terraform,
    scheduler: Scheduler,
    *,
    known: MutableMapping[str, Shape],
    progress: Callable[[RunStatus], None],
    note: Callable[[str], None],
) -> Outcome:
    """Carry out one check.

    Args:
        terraform: in its directory.
        scheduler: knows what is left, takes the report.
        known: shapes by resource type that earlier checks of this release learnt; takes what this one learns.
        progress: told when it begins to look.
        note: takes a line for the run's log.

    Returns:
        Checked, with exit code 0 in sync, 2 for drift, 1 when something could not be looked at and nothing else is
        known to differ. Errored, where Terraform did not come as far as looking: that is reported as well.

    Raises:
        StopRequested: the run had to stop; nothing is reported.
        ApiError: the lease is lost.
    """
    progress(RunStatus.PLANNING)
    if (why := scheduler.in_the_way()) is not None:
        return _checked(not_checked(why), scheduler, note)
    try:
        terraform.prepare()
        report = _look(terraform, scheduler, known, note)
    except (TerraformFailed, ConfigurationError) as error:
        scheduler.deliver(not_checked(str(error)))
        return Outcome(status=RunStatus.ERRORED, exit_code=exit_codes.ERROR, reason=str(error))
    return _checked(report, scheduler, note)


def _look(
    terraform: Terraform, scheduler: Scheduler, known: MutableMapping[str, Shape], note: Callable[[str], None]
) -> DriftReport:
    state = _state(terraform)
    refreshed = _plan(terraform, note, "-refresh-only")
    planned: Look | None = None
    shapes: Mapping[str, Shape] = {}
    if refreshed.plan is not None:
        shapes = _shapes(terraform, refreshed.plan, known, note)
        if not refreshed.evidence.failures:
            # After an error it would fail in the same way, and take as long as the first one did.
            planned = _plan(terraform, note, show_empty=not nothing_differs(refreshed.plan))
    gaps = scheduler.left(refreshed.plan)
    if state is None:
        gaps.append("the state cannot be shown: what replacements left, and data sources, were not compared")
    return drift_report(refreshed, planned, state=state, shapes=shapes, gaps=gaps)


def _plan(terraform: Terraform, note: Callable[[str], None], *options: str, show_empty: bool = True) -> Look:
    """One plan, with what Terraform said meanwhile; a plan that failed has a file, too, as far as it came.

    To show a plan Terraform starts every provider once more, a sixth of what a check costs: of an empty one that adds
    to nothing it is not asked for.
    """
    terraform.directory.discard(PLAN_FILE)
    capture = terraform.directory.captures / "plan-messages.json"
    code = terraform.try_plan("-json", "-lock=false", *options, capture=capture)
    with capture.open("rb") as file:
        said = evidence(file.read(MAX_BYTES))
    capture.unlink()
    for failure in said.failures[:_LISTED]:
        note(f"plan: {failure.address or 'error'}: {failure.text}")
    if code == exit_codes.OK and not said.failures and not show_empty:
        return Look(evidence=said, empty=True)
    try:
        plan = terraform.show_plan()
    except TerraformFailed:
        plan = None
    if code not in (exit_codes.OK, exit_codes.CHANGES) and not said.failures:
        # Killed, or stopped in a way that it did not explain: what it has not read it does not claim to have read.
        plan, said = None, Evidence(refreshed=said.refreshed, read=said.read)
    return Look(plan=plan, evidence=said)


def _state(terraform: Terraform) -> dict[str, Any] | None:
    """The state before the look; one written by another version of a provider cannot be shown, only planned with."""
    try:
        return terraform.show_state()
    except (TerraformFailed, ConfigurationError):
        return None


def _shapes(
    terraform: Terraform, plan: Mapping[str, Any], known: MutableMapping[str, Shape], note: Callable[[str], None]
) -> Mapping[str, Shape]:
    """The schemas of what differs. Without them more is told as a change, never less."""
    types = types_to_judge(plan)
    if types - known.keys():
        try:
            known.update(schemas.shapes(json.loads(terraform.provider_schemas()), types))
        except (TerraformFailed, ValueError, RecursionError) as error:
            note(f"the providers' schemas cannot be read: {error}")
    return {kind: known[kind] for kind in types & known.keys()}


def _checked(report: DriftReport, scheduler: Scheduler, note: Callable[[str], None]) -> Outcome:
    counts = ", ".join(f"{count} {status.value.replace('_', ' ')}" for status, count in report.counts().items())
    note(f"drift: {report.roll_up.value.replace('_', ' ')}" + (f" ({counts})" if counts else ""))
    told = [*report.drifted, *report.not_checked]
    for resource in told[:_LISTED]:
        outside = (change for change in resource.attributes if change.cause is Cause.CHANGED_OUTSIDE)
        paths = ", ".join(change.path for change in outside if change.path)
        note(f"  {resource.address} {resource.status.value}" + (f": {paths or resource.reason}"[:1000]))
    if len(told) > _LISTED:
        note(f"  and {len(told) - _LISTED} more")
    for gap in report.gaps[:_LISTED]:
        note(f"  not everything was looked at: {gap}")
    scheduler.deliver(report)
    return Outcome(status=RunStatus.CHECKED, exit_code=_CODES[report.roll_up], reason=_reason(report))


def _reason(report: DriftReport) -> str:
    match report.roll_up:
        case RollUp.IN_SYNC:
            return ""
        case RollUp.DRIFTED:
            return f"{len(report.drifted)} resources were changed or deleted outside"
        case RollUp.NOT_CHECKED:
            left = len(report.not_checked)
            first = next(iter(report.gaps), "") or next((one.reason for one in report.not_checked), "")
            return (
                f"{left} resources could not be looked at" if left else "not everything was looked at"
            ) + f": {first}"
