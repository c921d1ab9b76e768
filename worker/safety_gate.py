"""Between a plan and its apply: what the plan does is shown to the scheduler, which decides; the proxy hears it there.

The worker carries the answer out and has no say in it. What it tells about the plan comes from inside the sandbox,
where a hostile provider runs too: should that lie here, the proxy still signs only what the approved entries need.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

from shared import exit_codes
from shared.api_client import ApiClient
from shared.errors import InterlockError, LeaseRefused
from shared.models import Assignment, RunKind, RunStatus
from shared.recovery.orphans import planned_of
from shared.rollback.lasting import outlasts
from shared.rollback.one_way import one_way
from shared.rollback.rearranging import combined, rearrangement
from shared.rollback.records import Rearrangement
from shared.safety.comparison import named
from shared.safety.entries import Existing
from shared.safety.making import safety_plan
from shared.safety.plan_document import read
from shared.safety.verdict import Decision, Verdict
from worker.provisioners.outcome import Outcome
from worker.provisioners.terraform import Terraform

#: Entries that the run's log names.
_LISTED = 50
_IMPORTED = "it is imported as well, and no state has what it was before"


class SafetyGate:
    """One run's question whether its plan may be applied."""

    def __init__(
        self,
        api: ApiClient,
        assignment: Assignment,
        *,
        refresh: Callable[[], str],
        note: Callable[[str], None],
        taken_over: Callable[[], Mapping[str, str]] = dict,
        existing: Callable[[Terraform, Mapping[str, Any]], frozenset[Existing]] = lambda terraform, shown: frozenset(),
    ) -> None:
        """Bind the parts.

        Args:
            api: decides.
            assignment: the run.
            refresh: has the proxy ask what the run may do now; returns the mode that holds.
            note: takes a line for the run's log.
            taken_over: addresses of what earlier runs left and the plan only takes in, with the run that made it.
            existing: finds out what the plan would make although something of that name is there.
        """
        self._existing = existing
        self._taken_over = taken_over
        self._api = api
        self._assignment = assignment
        self._refresh = refresh
        self._note = note
        self.rearranged: Rearrangement | None = None
        """What the plan does with addresses only, once it was shown; None where nothing is taken back."""

    def __call__(self, terraform: Terraform) -> Outcome | None:
        """Show the plan that is in place.

        Args:
            terraform: has just planned.

        Returns:
            How the run ends instead of going on; None: it goes on. A plan run always does: its plan waits.

        Raises:
            ConfigurationError: a plan that cannot be read.
            LeaseRefused: the proxy did not take over what was decided.
            ApiError: the lease is lost.
        """
        shown = terraform.show_plan()
        read_plan = read(shown)
        plan = safety_plan(read_plan, taken_over=self._taken_over().keys())
        plan = plan.model_copy(update={"existing": self._existing(terraform, shown)})
        run, order = self._assignment.run, self._assignment.rollback
        more: dict[str, Rearrangement] = {}
        if order is not None:
            own = with_origins(rearrangement(shown), self._taken_over(), order.tries)
            self.rearranged = more["rearranged"] = combined((order.rearranged, own))
        record = self._api.deliver_safety_plan(run.id, holder=self._assignment.holder, plan=plan, **more)
        self._note(f"safety plan {record.digest}: {len(plan.entries)} entries, {record.verdict}")
        for entry in record.verdict.entries[:_LISTED]:
            self._note(f"  {entry}")
        for one in sorted(plan.existing, key=lambda one: one.address)[:_LISTED]:
            there = f"exists already: {one.id or one.type}" if one.certain else "may exist already: nobody could tell"
            self._note(f"  what {one.address} would make {there}")
        lasts = outlasts(read_plan)
        for change in read_plan.resource_changes:
            if change.address in plan.one_way:
                why = one_way(change) or lasts.get(change.address) or _IMPORTED
                self._note(f"  nothing turns around what is done to {change.address}: {why}")
        if run.kind is RunKind.PLAN:
            return None
        if record.verdict.decision is not Decision.ACCEPTED:
            return _ended(record.verdict, run.id)
        self._deliver_planned(shown)
        mode = self._refresh()
        if mode == "unknown":
            raise LeaseRefused(
                "the signing proxy could not learn from the scheduler what this run may do",
                hint="nothing was applied; apply again once the scheduler answers the proxy",
            )
        if mode != "entries":
            # An apply in which each change is refused, or none: neither is what was accepted.
            raise LeaseRefused(
                f"the safety plan is accepted, but the signing proxy holds the run to {mode!r} instead of its entries",
                hint="nothing was applied; the proxy asks the scheduler of its own settings: is it this run's?",
            )
        return None

    def _deliver_planned(self, shown: dict[str, Any]) -> None:
        """Where things belong, for the report should this run be cut. It is no reason to stop when that fails."""
        try:
            planned = planned_of(shown)
            self._api.deliver_planned(self._assignment.run.id, holder=self._assignment.holder, planned=planned)
        except (InterlockError, ValueError) as error:
            self._note(f"the scheduler does not know where things belong, should this run be cut: {error}")


def with_origins(rearranged: Rearrangement, taken_over: Mapping[str, str], tries: Container[str]) -> Rearrangement:
    """With who made what is taken in, and without the imports of what was not there before the deployment: a rollback
    destroys that, and does not forget it.

    Args:
        rearranged: by the plan.
        taken_over: addresses of what earlier runs left, with the run.
        tries: runs that are earlier tries of this deployment.
    """
    kept = tuple(
        one.model_copy(update={"made_by": taken_over.get(one.address)})
        for one in rearranged.imported
        if taken_over.get(one.address) not in tries
    )
    return rearranged.model_copy(update={"imported": kept})


def _ended(verdict: Verdict, run_id: str) -> Outcome:
    """Why nothing was applied."""
    match verdict.decision:
        case Decision.HELD:
            reason = f"{verdict.why}; `interlock plan approve {run_id}`, then apply again"
        case Decision.OUTSIDE:
            reason = f"halted before the apply: {named(verdict.entries)} is not in the approved plan"
        case _:
            reason = f"halted before the apply: {verdict.why}"
    status = RunStatus.PLANNED if verdict.decision is Decision.HELD else RunStatus.HALTED
    return Outcome(status=status, exit_code=exit_codes.REFUSED, reason=reason)
