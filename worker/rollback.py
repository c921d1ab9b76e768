"""Brings back what a target was before a deployment: in the run that deployed, or in one that follows it.

    settle       what the deployment left that no state holds is taken into the state
    lay out      the first release, at the same place; was there none, everything of the present one is to go
    put back     what a replacement that did not come to its end left beside its successor
    turn         its moves, forgets and imports are turned around by a file beside the first configuration
    plan -> the scheduler says what of it may be done -> the proxy hears it there -> apply, until nothing is left to do
    plan         once more, of the first configuration alone: empty is ROLLED_BACK, anything else is named

It plans from what is there, so it may begin again after every death. What is refused is left, and the rest is done
without it. Nothing is decided here: the scheduler bounds every plan, and the proxy signs for what it allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared import exit_codes
from shared.api_client import ApiClient
from shared.clock import Clock
from shared.errors import ApiError, ConfigurationError, LeaseRefused, PeerError, Unavailable
from shared.models import Assignment, JournalRecord, RunStatus
from shared.recovery.calls import was_answered
from shared.recovery.reconciling import Half
from shared.recovery.rules import rules_of
from shared.recovery.views import read_plan
from shared.rollback.bounds import REPLACES
from shared.rollback.inverses import inverse
from shared.rollback.letting_go import is_another, let_go, may_be_let_go
from shared.rollback.making import residue, rollback_plan
from shared.rollback.open_groups import OPEN_TYPE
from shared.rollback.putting_back import put_back, put_beside, put_in_place, taken_out, untainted
from shared.rollback.records import (
    MAX_WHY,
    Imported,
    Rearrangement,
    Residue,
    ResidueKind,
    RollbackOrder,
    RollbackPlan,
    RollbackPlanItem,
    RollbackResult,
    RollbackState,
    RollbackVerdict,
)
from shared.safety.entries import Operation
from shared.safety.plan_document import read
from worker.bake import Triggered
from worker.guards import Unguarded
from worker.provisioners.outcome import Outcome
from worker.provisioners.terraform import PLAN_FILE, Terraform, TerraformFailed
from worker.rollback_residue import orphans, orphans_without_a_plan
from worker.rollback_targets import targets
from worker.stop import Cause, StopRequested
from worker.take_over import OrphansLeft, TakeOver
from worker.turning import Turning

#: Plans that are applied: a provider that failed once may not fail again, and each has to get somewhere.
MAX_ROUNDS: Final = 3
_LISTED: Final = 50
_REARRANGED_FILE: Final = "interlock_rearranged.tfstate"
_UNSEEN: Final = {"kind": ResidueKind.UNKNOWN, "reason": "it was applied, and no plan has said yet what became of it"}


class _Impossible(Exception):  # noqa: N818  # named after what happened, as in shared.errors
    """The rollback cannot go on, and trying it again by itself would not help."""


@dataclass(frozen=True, kw_only=True)
class Ways:
    """What a rollback works with."""

    api: ApiClient
    """The scheduler."""
    clock: Clock
    """Boot clock."""
    take_over: TakeOver
    """Finds what the deployment left; made for a rollback."""
    first: Callable[[str], Terraform]
    """Lays out that release in place of what is there; Terraform for it, before init."""
    refresh: Callable[[], str]
    """Has the proxy ask what the run may do now; returns the mode that holds."""
    state_is_stored: Callable[[], bool]
    """Stores a state that Terraform could not store; whether the stored one is the newest then."""
    api_was_away: Callable[[], bool]
    """Whether the scheduler did not answer at some time."""
    note: Callable[[str], None]
    """Takes a line for the run's log."""


class Rollback:
    """One rollback."""

    def __init__(self, ways: Ways, assignment: Assignment, order: RollbackOrder, terraform: Terraform) -> None:
        """Bind the parts.

        Args:
            ways: what it works with.
            assignment: the run that carries it out.
            order: where to go back to.
            terraform: of the release that was being deployed, which is laid out.
        """
        self._ways = ways
        self._run, self._holder = assignment.run, assignment.holder
        self._order = order
        self._terraform = Unguarded(terraform, ways.note)
        self._options: tuple[str, ...] = ()
        self._turning: Turning | None = None
        self._unsettled: tuple[JournalRecord, ...] = ()
        self._restoring: frozenset[str] = frozenset()
        """Addresses at which something was before, once the first release is laid out."""
        self._made: dict[str, Half] = {}
        """What the deployment made in place of something that is there, by the id of the call."""
        self._made_again: dict[str, Half] = {}
        """What earlier tries of the rollback made in place of what is there."""
        self._left: list[Residue] = []
        self._changed: frozenset[str] = frozenset()
        """Addresses of what stays, and the deployment set something on."""
        self._plan: RollbackPlan | None = None
        self._document: dict[str, Any] = {}
        self._verdict = RollbackVerdict()
        self._done: dict[RollbackPlanItem, None] = {}
        self._applied: tuple[RollbackPlanItem, ...] = ()
        """Of which no plan has said yet what became of it."""
        self._failed = ""

    def carry_out(self, triggered: Triggered, rearranged: Rearrangement, *, prepared: bool) -> RollbackResult:
        """Do it and tell the scheduler what came of it.

        Args:
            triggered: why.
            rearranged: what the deployment did with addresses.
            prepared: whether Terraform is ready to plan the release that was being deployed.

        Raises:
            StopRequested: the run has to stop. If that was a wish the scheduler knows how far it came.
            Unavailable, LeaseRefused, PeerError: something did not answer or gave way; to be tried by another run.
            ApiError: the lease is lost.
        """
        start_ms = max(0, self._ways.clock.boot_ms() - triggered.at_ms)
        self._changed = frozenset(one.address for one in rearranged.changed)
        state, reason = RollbackState.FAILED, triggered.reason
        try:
            self._settle(prepared)
            self._lay_out_first(rearranged)
            self._go_back()
            self._store_what_is_there()
            state = self._came_to()
            if state is RollbackState.PARTIAL and self._failed and self._ways.api_was_away():
                # A call may have been carried out without an answer: who begins anew finds it in the journal.
                raise Unavailable(
                    f"the scheduler did not answer during the rollback: {self._failed}",
                    hint="another run finds out what was carried out, and goes on",
                )
        except StopRequested as stopped:
            if stopped.reason.cause not in (Cause.CANCELED, Cause.TIME_LIMIT):
                raise
            self._deliver(self._result(triggered, self._broken_off(), stopped.reason.detail, start_ms))
            raise
        except (TerraformFailed, ConfigurationError, _Impossible) as error:
            if self._ways.api_was_away():
                raise Unavailable(f"the rollback stopped: {error}; the scheduler did not answer meanwhile") from error
            state, reason = self._broken_off(), f"{error} (after: {triggered.reason})"
            if self._plan is None:
                self._left += orphans_without_a_plan(self._unsettled, self._terraform, self._ways.note)
        result = self._result(triggered, state, reason, start_ms)
        self._deliver(result)
        return result

    def _settle(self, prepared: bool) -> None:
        """Take what the deployment left into the state, as far as its own configuration still helps with that."""
        records = [one for one in self._ways.take_over.begin() if one.run_id != self._run.id or _may_be_lost(one)]
        self._unsettled = tuple(records)
        needed = bool(records) or self._order.first.release_digest is None
        try:
            if needed and not prepared:
                self._terraform.prepare()
        except (TerraformFailed, ConfigurationError) as error:
            self._ways.note(f"what was being deployed cannot be planned any more: {error}")
            return
        self._made = self._take_in()

    def _take_in(self, *, anew: bool = True, named: bool = False) -> dict[str, Half]:
        """Take what no state holds into it, as far as the configuration that is laid out has a place for it.

        `named` is what another configuration had no place for: that this one has none either settles nothing.
        """
        if not self._unsettled:
            return {}
        try:
            if anew:
                # An earlier try may have been cut before any plan: what it added is found again, by the same rules.
                self._rearrange(taken_out, "what an earlier try added is looked for anew")
            left = self._ways.take_over.settle(self._terraform, self._unsettled, restoring=self._restoring, named=named)
            self._unsettled = tuple(item.record for item in left)
            return {item.record.call_id: item.half for item in left if item.half is not None}
        except (TerraformFailed, OrphansLeft, ConfigurationError) as error:
            # What the state holds is brought back all the same. What it does not hold is named, once it is known. Of
            # its own calls that were answered Terraform was told, and has stored it.
            self._unsettled = tuple(one for one in self._unsettled if not self._is_told(one))
            self._ways.note(f"what was left could not be settled: {error}")
            return {}

    def _is_told(self, record: JournalRecord) -> bool:
        own = record.run_id == self._run.id and was_answered(record)
        return own and all(rule.part for rule in rules_of(record))

    def _lay_out_first(self, rearranged: Rearrangement) -> None:
        """From here on Terraform plans what was there before."""
        first = self._order.first
        if first.release_digest is None:
            self._options = ("-destroy",)
            self._let_go([item.address for item in rearranged.imported], rearranged.imported)
            return
        try:
            self._terraform = Unguarded(self._ways.first(first.release_digest), self._ways.note)
            self._terraform.prepare()
        except (ConfigurationError, ApiError) as error:
            if isinstance(error, ApiError) and error.code == "lease_lost":
                raise
            raise _Impossible(f"the first release cannot be planned: {error}") from error
        self._restoring = frozenset(one.address for one in first.resources)
        if self._order.rollback_only:
            # An earlier try of this rollback may have made again what only this configuration has.
            self._made_again = self._take_in(named=True)
            unsettled = {record.call_id for record in self._unsettled} - self._made_again.keys()
            self._made = {call: half for call, half in self._made.items() if call in unsettled}
        self._put_back(rearranged.imported)
        if self._made_again:
            # What hangs on what has its address now has a place, too.
            self._take_in(anew=False, named=True)
        # Not by `removed` blocks: not every Terraform knows them, and each knows this.
        turned = inverse(rearranged, first, removed_blocks=False)
        self._let_go(turned.forget, rearranged.imported)
        self._turning = Turning(self._terraform.directory, turned, self._ways.note)
        self._turning.write()

    def _put_back(self, imported: Iterable[Imported]) -> None:
        """What existed, and is held as what a replacement left, has its address again; what replaced it has to go."""
        first = self._order.first.resources
        existed = {(one.type, one.id) for one in first if one.id is not None}
        existed |= {(one.type, one.id) for one in imported if one.id is not None}

        def way_back(content: bytes) -> bytes | None:
            state = put_back(content, first) or content
            state = put_beside(state, _places(self._made), existed=existed) or state
            state = put_in_place(state, _places(self._made_again), existed=existed) or state
            return None if state is content else state

        self._rearrange(way_back, "both halves of it are in the state now, what existed at its address")

    def _rearrange(self, change: Callable[[bytes], bytes | None], what: str) -> bool:
        """Store the state changed so; whether it was changed.

        Where it cannot be stored the rollback does what it can without it, and names what is left.
        """
        directory = self._terraform.directory
        try:
            state = change(self._terraform.pull_state())
            if state is None:
                return False
            directory.write_bytes(_REARRANGED_FILE, state)
            code = self._terraform.push_state(_REARRANGED_FILE)
        except ConfigurationError as error:
            self._ways.note(f"the state stays as it is: {error}")
            return False
        finally:
            directory.discard(_REARRANGED_FILE)
        self._ways.note(f"something was cut: {what}" + ("" if code == 0 else ": the state could not be stored"))
        return code == 0

    def _let_go(self, addresses: Sequence[str], imported: Iterable[Imported]) -> None:
        """Take out of the state what was there before and in none: the deployment had taken it in."""
        if not addresses:
            return
        known = {one.address: one for one in imported}
        held = {res.address: res for res in read_plan({"prior_state": self._terraform.show_state()}).held}
        for address in addresses:
            if address not in held:
                self._left += may_be_let_go(known[address]) if self._order.rollback_only else ()
                continue
            if is_another(known[address], held[address].values):
                continue
            if (code := self._terraform.forget(address)) != 0:
                raise TerraformFailed(f"state rm {address}", code)
            self._left += let_go(known[address])

    def _store_what_is_there(self) -> None:
        """Where the last plan read other values than the state has, on what the deployment set or of what may be open.

        A plan that has nothing to do stores nothing, and the stored states are what is compared in the end.
        """
        if self._plan is None or not self._plan.empty:
            return
        drifted = read(self._document).resource_drift
        found = [one for one in drifted if one.address in self._changed or one.type == OPEN_TYPE]
        if found and self._terraform.store_refreshed() != 0:
            why = "what is there is not what the state has, and could not be stored: see the run's log"
            self._left += [
                Residue(kind=ResidueKind.UNKNOWN, address=one.address, type=one.type, reason=why) for one in found
            ]

    def _go_back(self) -> None:
        """Plan and apply until a plan is empty, nothing of it may be done, or nothing moves any more."""
        try:
            plan = self._make_plan()
        except TerraformFailed:
            if not self._rearrange(taken_out, "what was beside it cannot be planned, and is let go"):
                raise
            plan = self._make_plan()
        self._left += orphans(self._unsettled, self._document)
        for _ in range(MAX_ROUNDS):
            if plan.empty and self._turn_off():
                plan = self._make_plan()
            if not plan.changes:
                return
            self._verdict = self._ask(plan)
            if self._untaint(plan):
                plan = self._make_plan()
                if not plan.changes:
                    return
                self._verdict = self._ask(plan)
            code = self._apply_allowed()
            if code is None:
                return
            self._failed = "" if code == 0 else f"terraform apply failed with exit code {code}; the log says why"
            if code == 0:
                self._turn_off()
            before, plan = plan, self._make_plan()
            self._done |= dict.fromkeys(item for item in self._applied if item not in plan.items)
            self._applied = ()
            if plan == before and code == 0:
                return  # it did what it could, and it is as it was

    def _untaint(self, plan: RollbackPlan) -> bool:
        """Change what must not be replaced, and would be only since a try was cut while it made it again.

        Not where provisioners belong to its creation: nobody knows whether they ran.
        """
        provisioned = {item.address for item in plan.items if item.operation is Operation.PROVISIONER}
        refused = {refusal.item.address for refusal in self._verdict.refused if refusal.item.operation in REPLACES}
        tainted = {
            str(change.get("address"))
            for change in self._document.get("resource_changes", ())
            if change.get("action_reason") == "replace_because_tainted"
        }
        kept = (refused & tainted) - provisioned
        return bool(kept) and self._rearrange(
            lambda content: untainted(content, kept), f"{', '.join(sorted(kept))[:MAX_WHY]} is changed, not replaced"
        )

    def _make_plan(self) -> RollbackPlan:
        """Plan all of it; what is left at the end is what the last of these says."""
        self._plan = self._planned()
        return self._plan

    def _planned(self, *more: str) -> RollbackPlan:
        self._terraform.plan(*self._options, *more)
        self._document = self._terraform.show_plan()
        if more:
            # Terraform calls every plan with -target incomplete. What it put off on top of that it lists.
            self._document = {**self._document, "complete": True}
        return rollback_plan(read(self._document), self._terraform.guarded)

    def _part(self, chosen: Sequence[str]) -> RollbackPlan:
        """Plan these alone, in place of the whole plan; empty where that cannot be planned."""
        try:
            return self._planned(*(f"-target={address}" for address in chosen))
        except TerraformFailed as error:
            self._ways.note(str(error))
            return RollbackPlan()

    def _ask(self, plan: RollbackPlan) -> RollbackVerdict:
        """What of it may be done; from then on the proxy signs for that."""
        try:
            verdict = self._ways.api.deliver_rollback_plan(self._run.id, holder=self._holder, plan=plan)
        except ApiError as error:
            if error.code == "lease_lost":
                raise
            raise _Impossible(str(error)) from error
        if {*verdict.allowed, *(refusal.item for refusal in verdict.refused)} != {*plan.items}:
            # An empty answer refuses nothing, and allows nothing either.
            raise PeerError("the scheduler's answer is not about the rollback's plan", hint="what is between the two?")
        self._ways.note(f"rollback plan: {len(verdict.allowed)} allowed, {len(verdict.refused)} refused")
        for item in verdict.allowed[:_LISTED]:
            self._ways.note(f"  {item}")
        for refusal in verdict.refused[:_LISTED]:
            self._ways.note(f"  refused: {refusal.item}: {refusal.reason}")
        return verdict

    def _apply_allowed(self) -> int | None:
        """Apply the plan, or what is allowed of it; Terraform's exit code, None where nothing may be done."""
        verdict = self._verdict
        if not verdict.whole:
            chosen = targets(self._document, verdict)
            if not chosen:
                return None
            part = self._part(chosen)
            narrowed = self._ask(part) if part.changes else None
            if narrowed is None or not narrowed.whole:
                self._ways.note("what is allowed cannot be done without what is refused: nothing more is done")
                return None
            verdict = narrowed
        made = self._terraform.plan_file()
        mode = self._ways.refresh()
        if mode != "entries":
            raise LeaseRefused(
                f"the signing proxy holds the run to {mode!r} instead of what its rollback may do",
                hint="nothing more was applied; the rollback is tried by another run",
            )
        self._terraform.directory.write_bytes(PLAN_FILE, made)
        self._applied = verdict.changes
        code = self._terraform.apply()
        if not self._ways.state_is_stored():
            raise Unavailable("the rollback could not store its state", hint="another run takes it over and goes on")
        return code

    def _turn_off(self) -> bool:
        """Go on without the inverses: whatever plans after this run has none. Whether there were any."""
        if self._turning is None:
            return False
        turning, self._turning = self._turning, None
        return turning.remove()

    def _came_to(self) -> RollbackState:
        if self._plan is None or not self._plan.empty or self._left:
            return RollbackState.PARTIAL
        return RollbackState.ROLLED_BACK if self._done else RollbackState.NOT_NEEDED

    def _broken_off(self) -> RollbackState:
        """What it is when its end was not reached."""
        return RollbackState.PARTIAL if self._done or self._applied else RollbackState.FAILED

    def _result(self, triggered: Triggered, state: RollbackState, reason: str, start_ms: int) -> RollbackResult:
        left: tuple[Residue, ...] = ()
        if state in (RollbackState.PARTIAL, RollbackState.FAILED):
            first = self._order.first.resources
            left = (*self._left, *(residue(self._plan, self._reasons(), first) if self._plan is not None else ()))
            applied = {item.address for item in self._applied}
            left = tuple(one.model_copy(update=_UNSEEN) if one.address in applied else one for one in left)
        return RollbackResult(
            state=state,
            trigger=triggered.trigger,
            reason=reason[:MAX_WHY],
            done=tuple(self._done),
            refused=self._verdict.refused,
            residue=left,
            start_ms=start_ms,
        )

    def _reasons(self) -> Mapping[str, str]:
        """Why each address was left: by a bound, or else by what Terraform said last."""
        plan = self._plan or RollbackPlan()
        why = dict.fromkeys((item.address for item in plan.changes), self._failed or "the rollback did not get to it")
        return why | {refusal.item.address: refusal.reason for refusal in self._verdict.refused}

    def _deliver(self, result: RollbackResult) -> None:
        self._ways.note(f"rollback: {result.state}" + (f", {len(result.residue)} left" if result.residue else ""))
        for item in result.residue[:_LISTED]:
            self._ways.note(f"  {item}")
        self._ways.api.deliver_rollback_result(self._run.id, holder=self._holder, result=result)


def outcome_of(result: RollbackResult) -> Outcome:
    """How a run ends whose rollback came to this."""
    match result.state:
        case RollbackState.ROLLED_BACK:
            status, said = RunStatus.ROLLED_BACK, "rolled back"
        case RollbackState.NOT_NEEDED:
            status, said = RunStatus.ROLLED_BACK, "nothing had to be rolled back"
        case RollbackState.PARTIAL:
            status, said = RunStatus.ERRORED, f"rolled back in part, {len(result.residue)} left"
        case RollbackState.FAILED:
            status, said = RunStatus.ERRORED, "not rolled back"
    listed = "; ".join(map(str, result.residue[:_LISTED]))
    reason = f"{said}: {result.reason}" + (f"; left: {listed}" if listed else "")
    return Outcome(status=status, exit_code=exit_codes.ERROR, reason=reason)


def _may_be_lost(own: JournalRecord) -> bool:
    """Whether a call of a deployment that ended by itself may have made what no state holds.

    A provider that got its answer has told Terraform. Where a rule says what such a call makes, the state is asked all
    the same; where none does, nobody could tell.
    """
    return not was_answered(own) or bool(rules_of(own))


def _places(halves: Mapping[str, Half]) -> dict[str, tuple[str, str]]:
    return {half.address: (half.id, half.region) for half in halves.values()}
