"""Brings in what earlier, cut runs left, before this run plans: their state, and what they made that no state holds.

    quarantined state -> accepted, if lineage and serial continue
    journaled creates -> plan, ask the cloud, decide (`recovery`), import blocks, plan again, until nothing new is found
    a create that stays unaccounted for -> listed, and the run stops

The last plan is the run's own plan; only a destroy makes another.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shared.api_client import ApiClient
from shared.errors import ApiError, InterlockError
from shared.log import log_event
from shared.models import Assignment, JournalRecord, RunKind
from worker import signed_call
from worker.cloud_queries import Answer, Call, NotAnswered, query_candidates
from worker.commands import Commands
from worker.provisioners.terraform import Terraform, TerraformFailed
from worker.recovery import (
    Import,
    Reconciliation,
    Unimportable,
    missing_imports,
    read_plan,
    reconcile,
    render_imports,
    unsettled,
)
from worker.sandbox_layout import SIGNED_CALL, WORK, python_runtime

IMPORTS_FILE = "interlock_recovery.tf"
_CALLS_FILE = ".interlock_calls.json"
MAX_ROUNDS = 8
MAX_CAPTURE_BYTES = 64 * 1024**2
_LISTED = 20

_log = logging.getLogger(__name__)


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
    ) -> None:
        """Bind the parts.

        Args:
            api: quarantine and journal.
            assignment: the run that takes over.
            commands: runs the questions to the cloud.
            confined: whether commands run in a sandbox (decides paths).
            note: takes a line for the run's log.
            count: counts an event.
        """
        self._api = api
        self._assignment = assignment
        self._commands = commands
        self._confined = confined
        self._note = note
        self._count = count
        self._destroying = assignment.run.kind is RunKind.DESTROY
        self._imports: list[Import] = []
        self._dropped: set[str] = set()

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
        run, target = self._assignment.run, self._assignment.target
        left = self._api.recovery(target.id, run=run.id, holder=self._assignment.holder)
        if left.quarantine is not None:
            self._accept(left.quarantine.epoch, left.quarantine.serial)
        records = unsettled(left.creates)
        if not records:
            return None
        self._note(f"an earlier run was cut: {len(records)} calls of it that make something are accounted for")
        changes = self._rounds(terraform, records)
        if not self._destroying:
            return changes
        terraform.directory.discard(IMPORTS_FILE)
        for item in self._imports:
            code = terraform.import_one(item.address, item.id)
            if code != 0:
                raise TerraformFailed(f"import of {item.address}", code)
        return None

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
            decision = self._decide(terraform, records)
            if not decision.imports:
                self._require_nothing_left([*decision.unimportable, *decision.deferred])
                return changes
            for item in decision.imports:
                self._note(f"importing {item.address} from {item.id}: a cut run made it")
                self._count("import")
            self._imports += decision.imports
            terraform.directory.write(IMPORTS_FILE, render_imports(self._imports))
        raise OrphansLeft(
            f"{MAX_ROUNDS} rounds of imports did not come to an end", hint="import what the log names by hand"
        )

    def _plan(self, terraform: Terraform) -> bool:
        """A plan that succeeds, without the imports whose target turns out not to exist."""
        while True:
            if not any(not item.certain for item in self._imports):
                return terraform.plan()
            code, diagnostics = self._plan_as_json(terraform)
            if code in (0, 2):
                return code == 2
            missing = missing_imports(diagnostics, self._imports)
            for item in diagnostics:
                if item.get("severity") == "error":
                    self._note(f"plan: {item.get('summary', '')}: {str(item.get('detail', ''))[:500]}")
            if not missing:
                raise TerraformFailed("plan", code)
            # Each turn removes at least one import, so this ends.
            self._dropped |= missing
            self._imports = [item for item in self._imports if item.call_id not in missing]
            self._note(f"{len(missing)} calls without an answer turn out to have made nothing")
            terraform.directory.write(IMPORTS_FILE, render_imports(self._imports))

    def _plan_as_json(self, terraform: Terraform) -> tuple[int, list[dict[str, Any]]]:
        capture = terraform.directory.captures / "plan-messages.json"
        code = terraform.try_plan("-json", capture=capture)
        diagnostics = []
        for line in _read(capture).splitlines():
            try:
                message = json.loads(line)
            except ValueError:
                continue  # a provider's own output
            if isinstance(message, dict) and message.get("type") == "diagnostic":
                diagnostics.append(message.get("diagnostic", {}))
        return code, diagnostics

    def _decide(self, terraform: Terraform, records: Sequence[JournalRecord]) -> Reconciliation:
        view = read_plan(terraform.show_plan())
        candidates = query_candidates(
            records,
            view,
            region=self._assignment.target.provider_region,
            transport=lambda calls: self._ask(terraform, calls),
        )
        return reconcile(records, view, candidates, destroying=self._destroying, dropped=frozenset(self._dropped))

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
        if stopping:
            listed = "; ".join(str(item) for item in stopping[:_LISTED])
            more = f"; and {len(stopping) - _LISTED} more" if len(stopping) > _LISTED else ""
            raise OrphansLeft(
                f"an earlier run was cut and left {len(stopping)} resources that no state holds: {listed}{more}",
                hint="import or delete them (`interlock exec --target T -- …` is journaled), then run again",
            )

    def _ask(self, terraform: Terraform, calls: Sequence[Call]) -> list[Answer]:
        """Make calls from inside the sandbox, through the proxy, as every client there."""
        directory = terraform.directory
        directory.write(_CALLS_FILE, json.dumps([asdict(call) for call in calls]))
        script = SIGNED_CALL if self._confined else signed_call.__file__
        work = WORK if self._confined else str(directory.work)
        capture = directory.captures / "answers.json"
        argv = [python_runtime().executable, "-I", "-S", "-B", script, f"{work}/{_CALLS_FILE}"]
        code = self._commands.run(argv, capture=capture)
        directory.discard(_CALLS_FILE)
        if code != 0:
            raise NotAnswered(f"the questions ended with exit code {code}")
        answers = [Answer(status=int(item["status"]), body=str(item["body"])) for item in json.loads(_read(capture))]
        for call, answer in zip(calls, answers, strict=True):
            if answer.status == 0 or answer.status >= 500:
                log_event(_log, "query_failed", level=logging.WARNING, host=call.host, why=answer.body[:200])
        return answers


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MAX_CAPTURE_BYTES).decode(errors="replace")
