"""Brings in what earlier, cut runs left, before this run plans: their state, and what they made that no state holds.

    quarantined state -> accepted, if lineage and serial continue
    journaled creates -> plan, ask the cloud, decide (`shared.recovery`), import blocks, plan again, until nothing new
                         is found
    a create that stays unaccounted for -> listed, and the run stops

The last plan is the run's own plan; only a destroy makes another. A rollback destroys too: what was made is taken into
the state, so that a plan of the first configuration deletes it, and what cannot be is named and left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.api_client import ApiClient
from shared.errors import ApiError, InterlockError
from shared.models import Assignment, JournalRecord, RunKind
from shared.recovery.building import Call
from shared.recovery.calls import to_account_for
from shared.recovery.imports import Import, missing_imports, render_imports, vanished_imports
from shared.recovery.provenance import doubtful
from shared.recovery.questions import Answer, query_candidates
from shared.recovery.reconciling import Reconciliation, Unimportable, reconcile
from shared.recovery.views import PlanView, read_plan
from worker.commands import Commands
from worker.provisioners.terraform import Terraform, TerraformFailed, diagnostics_in
from worker.questions import ask

IMPORTS_FILE = "interlock_recovery.tf"
MAX_ROUNDS = 8
_LISTED = 20


class OrphansLeft(InterlockError):  # noqa: N818  # named after what happened, as in shared.errors
    """Something that a cut run made is held by no state and cannot be imported; the run stops and names it."""


class TakeOver:
    """One run's recovery of what came before it."""

    def __init__(
        self,
        api: ApiClient,
        assignment: Assignment,
        commands: Commands,
        *,
        confined: bool,
        note: Callable[[str], None],
        count: Callable[[str], None],
        rolling_back: bool = False,
    ) -> None:
        """Bind the parts.

        Args:
            api: quarantine and journal.
            assignment: the run that takes over.
            commands: runs the questions to the cloud.
            confined: whether commands run in a sandbox (decides paths).
            note: takes a line for the run's log.
            count: counts an event.
            rolling_back: whether what is found is about to be destroyed, and what cannot be imported stops nothing.
        """
        self._api = api
        self._assignment = assignment
        self._commands = commands
        self._confined = confined
        self._note = note
        self._count = count
        self._rolling_back = rolling_back
        self._destroying = rolling_back or assignment.run.kind in (RunKind.DESTROY, RunKind.RECOVER)
        self._left: list[Unimportable] = []
        self._imports: list[Import] = []
        self._made_by: dict[str, str] = {}
        self.records: tuple[JournalRecord, ...] = ()
        """Calls of earlier runs that are accounted for, once it was asked for them."""
        self._others: frozenset[str] = frozenset()
        self._restoring: frozenset[str] = frozenset()
        self._named: frozenset[str] = frozenset()
        self._dropped: set[str] = set()
        self._vanished: set[str] = set()
        self._doubtful: dict[str, Unimportable] = {}

    def carry_out(self, terraform: Terraform) -> bool | None:
        """Do all of it.

        Args:
            terraform: after init.

        Returns:
            Whether the plan that is now in place has changes; None when the run has to make its plan itself.

        Raises:
            OrphansLeft: something stays unaccounted for.
            TerraformFailed: a plan failed for another reason than an import of what does not exist.
            StopRequested: the run has to stop.
        """
        records = self.begin()
        if not records:
            return None
        self._note(f"{len(records)} calls of earlier runs that make something are accounted for")
        changes = self._rounds(terraform, records)
        if not self._destroying:
            return changes
        self._import_all(terraform)
        return None

    @property
    def taken_over(self) -> dict[str, str]:
        """The addresses of what it took in, with the run that had made it."""
        return {item.address: self._made_by[item.call_id] for item in self._imports if item.call_id in self._made_by}

    def settle(
        self,
        terraform: Terraform,
        records: Sequence[JournalRecord],
        *,
        restoring: frozenset[str] = frozenset(),
        named: bool = False,
    ) -> tuple[Unimportable, ...]:
        """The same for a rollback: with the configuration that was being applied, before the first one is planned.

        Args:
            terraform: of the configuration that was being applied, after init.
            records: from `begin`.
            restoring: addresses at which something was before, once the first configuration is laid out.
            named: whether these are what the configuration that was being applied did not settle.

        Returns:
            What stays unaccounted for.

        Raises:
            OrphansLeft: imports did not come to an end.
            TerraformFailed: a plan of that configuration, or an import, failed.
            StopRequested: the run has to stop.
        """
        self._named = frozenset(record.call_id for record in records if named)
        self._imports, self._left = [], []
        self._restoring = restoring
        # As a rule the state holds all of it: Terraform ended by itself. Then there is nothing to ask anybody.
        if not unheld(records, {"prior_state": terraform.show_state()}):
            return ()
        self._note(f"{len(records)} calls that make something are accounted for")
        self._rounds(terraform, records)
        self._import_all(terraform)
        return tuple(self._left)

    def begin(self) -> list[JournalRecord]:
        """Accept what state there is to be accepted; returns the calls to account for."""
        run, target = self._assignment.run, self._assignment.target
        left = self._api.recovery(target.id, run=run.id, holder=self._assignment.holder)
        if left.quarantine is not None:
            self._accept(left.quarantine.epoch, left.quarantine.serial)
        self._others = frozenset(left.others)
        records = to_account_for(left.creates)
        self.records = tuple(records)
        self._made_by = {record.call_id: record.run_id for record in records}
        return records

    def _import_all(self, terraform: Terraform) -> None:
        """One by one: a destroy does not read import blocks."""
        terraform.directory.discard(IMPORTS_FILE)
        for item in self._imports:
            code = terraform.import_one(item.address, item.id)
            if code != 0:
                raise TerraformFailed(f"import of {item.address}", code)

    def _accept(self, epoch: int, serial: int) -> None:
        run, target = self._assignment.run, self._assignment.target
        try:
            self._api.accept_quarantine(target.id, epoch=epoch, run=run.id, holder=self._assignment.holder)
            self._note(f"the state that epoch {epoch} could not deliver is taken over (serial {serial})")
        except ApiError as error:
            if error.code == "lease_lost":
                raise
            self._note(f"the quarantined state of epoch {epoch} does not continue the stored one, it stays: {error}")

    def _rounds(self, terraform: Terraform, records: Sequence[JournalRecord]) -> bool:
        for _ in range(MAX_ROUNDS):
            changes = self._plan(terraform)
            plan = terraform.show_plan()
            if self._gave_up_doubtful(terraform, plan, records):
                continue
            view = read_plan(plan)
            decision = self._decide(terraform, view, records)
            if not decision.imports:
                self._require_nothing_left([*decision.unimportable, *decision.deferred, *self._doubtful.values()])
                return changes
            for item in decision.imports:
                self._note(f"importing {item.address} from {item.id}: an earlier run made it")
                self._count("import")
                if item.address in view.gone:
                    self._make_room(terraform, item.address)
            self._imports += decision.imports
            terraform.directory.write(IMPORTS_FILE, render_imports(self._imports))
        raise OrphansLeft(
            f"{MAX_ROUNDS} rounds of imports did not come to an end", hint="import what the log names by hand"
        )

    def _make_room(self, terraform: Terraform, address: str) -> None:
        """What the cut run deleted there, as the first half of a replacement, the stored state still holds."""
        code = terraform.forget(address)
        if code != 0:
            raise TerraformFailed(f"state rm {address}", code)

    def _plan(self, terraform: Terraform) -> bool:
        """A plan that succeeds, without the imports whose target turns out not to exist."""
        while True:
            if all(item.certain for item in self._imports):
                # As every plan, for people to read in the log.
                code = terraform.try_plan()
                if code in (0, 2):
                    return code == 2
                if not self._imports:
                    raise TerraformFailed("plan", code)
            code, diagnostics = self._plan_as_json(terraform)
            if code in (0, 2):
                return code == 2
            for item in diagnostics:
                if item.get("severity") == "error":
                    self._note(f"plan: {item.get('summary', '')}: {str(item.get('detail', ''))[:500]}")
            # Each turn removes an import or hears of one for the first time, so this ends.
            missing = missing_imports(diagnostics, self._imports)
            vanished = vanished_imports(diagnostics, self._imports)
            gone = vanished & self._vanished
            if not missing and vanished <= self._vanished and not gone:
                raise TerraformFailed("plan", code)
            self._vanished |= vanished
            self._dropped |= missing | gone
            self._imports = [item for item in self._imports if item.call_id not in self._dropped]
            if missing:
                self._note(f"{len(missing)} calls without an answer turn out to have made nothing")
            if gone:
                # Twice: what was made just before the cut may not show at once.
                self._note(f"{len(gone)} things that were made do not exist any more, as two plans found")
            terraform.directory.write(IMPORTS_FILE, render_imports(self._imports))

    def _plan_as_json(self, terraform: Terraform) -> tuple[int, list[Mapping[str, Any]]]:
        capture = terraform.directory.captures / "plan-messages.json"
        code = terraform.try_plan("-json", capture=capture)
        return code, diagnostics_in(capture)

    def _gave_up_doubtful(self, terraform: Terraform, plan: dict[str, Any], records: Sequence[JournalRecord]) -> bool:
        """Whether an import was withdrawn: what has that name may be somebody else's."""
        doubts = doubtful(plan, self._imports, records)
        if not doubts:
            return False
        self._doubtful |= doubts
        self._imports = [item for item in self._imports if item.call_id not in doubts]
        terraform.directory.write(IMPORTS_FILE, render_imports(self._imports))
        return True

    def _decide(self, terraform: Terraform, view: PlanView, records: Sequence[JournalRecord]) -> Reconciliation:
        candidates = query_candidates(
            records,
            view,
            region=self._assignment.target.provider_region,
            transport=lambda calls: self._ask(terraform, calls),
        )
        dropped = frozenset(self._dropped | self._doubtful.keys())
        return reconcile(
            records,
            view,
            candidates,
            destroying=self._destroying,
            dropped=dropped,
            others=self._others,
            restoring=self._restoring,
            named=self._named,
            goes="made" if self._rolling_back else "all" if self._assignment.run.kind is RunKind.DESTROY else "nothing",
        )

    def _require_nothing_left(self, left: Sequence[Unimportable]) -> None:
        """Stop for what Terraform may have made; what an exec run's command made is named, it was never Terraform's."""
        kinds: dict[str, RunKind] = {}
        stopping = []
        for item in left:
            run_id = item.record.run_id
            if run_id not in kinds:
                kinds[run_id] = self._api.run(run_id).kind
            if kinds[run_id] is RunKind.EXEC:
                self._note(f"left by an exec run, not touched: {item}")
            else:
                stopping.append(item)
                self._note(f"not accounted for: {item}")
        if self._rolling_back:
            self._left = stopping
        elif stopping:
            listed = "; ".join(str(item) for item in stopping[:_LISTED])
            more = f"; and {len(stopping) - _LISTED} more" if len(stopping) > _LISTED else ""
            raise OrphansLeft(
                f"an earlier run left {len(stopping)} resources that no state holds: {listed}{more}",
                hint="import or delete them (`interlock exec --target T -- …` is journaled), then run again",
            )

    def _ask(self, terraform: Terraform, calls: Sequence[Call]) -> list[Answer]:
        """Make calls from inside the sandbox, through the proxy, as every client there."""
        return ask(
            calls,
            terraform.directory,
            confined=self._confined,
            run=lambda argv, capture: self._commands.run(argv, capture=capture),
        )


def unheld(records: Sequence[JournalRecord], plan: Mapping[str, Any]) -> tuple[Unimportable, ...]:
    """Which calls made something that the state of a plan does not hold, as far as that can be told without asking.

    Args:
        records: of calls that make something.
        plan: as `terraform show -json` says it.
    """
    found = reconcile(records, PlanView(creates=(), held=read_plan(plan).held), {}, destroying=True, parts=True)
    return (*found.unimportable, *found.deferred)
