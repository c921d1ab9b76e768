"""Between a check for drift and the scheduler: what earlier runs left there, and the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.api_client import ApiClient
from shared.drift.report import DriftReport
from shared.models import Assignment, JournalRecord, RunKind, RunStatus
from shared.recovery.calls import to_account_for
from worker.provisioners.drift import run_drift
from worker.provisioners.known_shapes import KnownShapes
from worker.provisioners.outcome import Outcome
from worker.provisioners.terraform import Terraform
from worker.take_over import unheld

_LISTED: Final = 20
_THEN: Final = "the next plan or apply takes it over"


class DriftDelivery:
    """One check's dealings with the scheduler."""

    def __init__(self, api: ApiClient, assignment: Assignment, *, note: Callable[[str], None]) -> None:
        """Bind the parts.

        Args:
            api: the scheduler.
            assignment: the run that checks.
            note: takes a line for the run's log.
        """
        self._api = api
        self._assignment = assignment
        self._note = note
        self._creates: tuple[JournalRecord, ...] = ()

    def in_the_way(self) -> str | None:
        """Why nothing is to be looked at: the state is not the newest that there is. None: it is."""
        run, target = self._assignment.run, self._assignment.target
        left = self._api.recovery(target.id, run=run.id, holder=self._assignment.holder)
        self._creates = left.creates
        if left.quarantine is None:
            return None
        # Compared with the stored one, everything that the cut run did would look as if somebody else had done it.
        return f"{left.quarantine.run_id} was cut, and its last state is not taken over yet; {_THEN}"

    def left(self, plan: Mapping[str, Any] | None) -> list[str]:
        """What earlier runs made, or may have made, that the state does not hold.

        Args:
            plan: `terraform show -json` of a plan, for the state that was read; None: nothing is known of it.
        """
        said: list[str] = []
        recovers = self._assignment.recovers
        if recovers is not None and self._api.run(recovers).status is RunStatus.LOST:
            said.append(f"{recovers} was cut: what it changed after its last saved state looks as if changed outside")
        records = to_account_for(self._creates)
        if not records:
            return said
        # What an exec run's command made was never Terraform's.
        kinds = {run_id: self._api.run(run_id).kind for run_id in {record.run_id for record in records}}
        records = [record for record in records if kinds[record.run_id] is not RunKind.EXEC]
        found = unheld(records, {} if plan is None else plan)
        said += [f"not in the state: {item}; {_THEN}" for item in found[:_LISTED]]
        if len(found) > _LISTED:
            said.append(f"and {len(found) - _LISTED} more calls of earlier runs that made something")
        return said

    def deliver(self, report: DriftReport) -> None:
        """Hand the report over. Raises ApiError when the lease is lost, Unavailable when nobody answers."""
        run, holder = self._assignment.run, self._assignment.holder
        check = self._api.deliver_drift_report(run.id, holder=holder, report=report)
        if check.ignored:
            self._note(f"{check.ignored} changes are ignored by the flock's rules: {check.roll_up.value}")


def check(
    api: ApiClient,
    assignment: Assignment,
    terraform: Terraform,
    *,
    shapes: KnownShapes,
    progress: Callable[[RunStatus], None],
    note: Callable[[str], None],
) -> Outcome:
    """Carry out a drift run; see `run_drift`."""
    known = shapes.of(assignment.run.release_digest)
    return run_drift(terraform, DriftDelivery(api, assignment, note=note), known=known, progress=progress, note=note)
