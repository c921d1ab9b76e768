"""Everything around one rollback: a Terraform that plans by a script, a scheduler that allows what it is told to."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.clock import ManualClock
from shared.models import JournalRecord, Recovery, Run
from shared.rollback.records import (
    FirstResource,
    FirstState,
    Rearrangement,
    Refusal,
    RollbackOrder,
    RollbackPlan,
    RollbackResult,
    RollbackVerdict,
)
from shared.rollback.settings import RollbackSettings, Trigger
from shared.safety.making import REST
from tests.unit.shared.safety.support import change, document
from tests.unit.worker.support import HOLDER, RUN, TARGET, assignment, run
from worker import rollback
from worker.bake import Triggered
from worker.guards import CAPTURE
from worker.provisioners.terraform import Terraform, TerraformJob
from worker.run_directory import RunDirectory
from worker.take_over import TakeOver

FIRST = "sha256:" + "1" * 64
NEW = "sha256:" + "2" * 64
STATE = '{"format_version": "1.0"}'


def state(*addresses: str, **values: Any) -> str:
    """`terraform show -json` of a state with these resources."""
    held = [
        {"address": address, "mode": "managed", "type": address.split(".")[0], "values": values}
        for address in addresses
    ]
    return json.dumps({"format_version": "1.0", "values": {"root_module": {"resources": held}}})


EMPTY = document(complete=True)


def left(*names: str, complete: bool = True) -> bytes:
    """A plan of the first configuration that wants these deleted; one with -target is never complete."""
    return document(
        *(
            change(f"aws_x.{name}", "delete", change_before={"id": f"id-{name}"}, change_before_sensitive={})
            for name in names
        ),
        complete=complete,
    )


def named(result: RollbackResult) -> list[str]:
    """What was done, as the log has it."""
    return [str(item) for item in result.done]


def order(*, first: str | None = FIRST, **more: Any) -> RollbackOrder:
    state = FirstState(
        target=TARGET,
        run_id=RUN,
        epoch=1,
        taken_at=datetime(2026, 1, 1, tzinfo=UTC),
        release_digest=first,
        resources=(FirstResource(address="aws_x.old", type="aws_x", id="id-old"),),
    )
    values = {"settings": RollbackSettings(), "first": state, "undoes": RUN, "release_digest": NEW}
    return RollbackOrder(**{**values, **more})


def refusing(*addresses: str) -> str:
    """What `terraform plan -json` says of what may not be destroyed."""
    said = (
        {
            "severity": "error",
            "summary": "Instance cannot be destroyed",
            "detail": f"Resource {address} has lifecycle.prevent_destroy set, but the plan calls for this resource to "
            "be destroyed. To avoid this error and continue with the plan, either disable lifecycle.prevent_destroy "
            "or reduce the scope of the plan using the -target option.",
        }
        for address in addresses
    )
    lines = (json.dumps({"@level": "error", "type": "diagnostic", "diagnostic": one}) for one in said)
    return "\n".join(["a provider's own words", '["nothing"]', *lines])


class Commands:
    """Terraform by a script: what each plan shows, and what each step's exit codes are, the last for ever."""

    def __init__(self, *plans: bytes) -> None:
        self.plans = list(plans)
        self.codes: dict[str, list[int]] = {}
        self.lines: list[str] = []
        self.shown = b""
        self.outputs = "{}"
        self.state = STATE
        self.stored = ""
        self.work = Path()
        self.during: dict[str, Callable[[], None]] = {}
        self.rollback_file: list[bool] = []
        self.guarding: list[list[str]] = []
        """Addresses that a plan which failed names as guarded, each time it is asked for its reasons."""

    def run(self, argv: Sequence[str], *, capture: Path | None = None) -> int:
        step = argv[1]
        if capture is not None and capture.name == CAPTURE:
            capture.write_text(refusing(*self.guarding.pop(0)) if self.guarding else "")
            return 1
        self.lines.append(" ".join(argv[1:]))
        if step in self.during:
            self.during[step]()
        codes = self.codes.get(step, [0])
        code = codes.pop(0) if len(codes) > 1 else codes[0]
        if step == "plan" and code == 0:
            self.shown = self.plans.pop(0) if len(self.plans) > 1 else self.plans[0]
            (self.work / "interlock.tfplan").write_bytes(b"plan")
            self.rollback_file.append((self.work / "interlock_rollback.tf").exists())
            code = 0 if self.shown == EMPTY else 2
        if capture is not None:
            says = {"show": self.shown.decode() if "interlock.tfplan" in argv else self.state, "output": self.outputs}
            says["state"] = self.stored
            capture.write_text(says.get(step, '{"terraform_version": "1.11.4"}'))
        return code

    def run_within(
        self, argv: Sequence[str], *, limit_ms: int, enough: Callable[[], bool], capture: Path | None = None
    ) -> int | None:
        return self.run(["", "check", *argv])

    @property
    def steps(self) -> list[str]:
        """What changes something, or asks a provider: `state pull` does neither."""
        return [line.split()[0] for line in self.lines if not line.startswith("state pull")]


class Api:
    """Allows everything but what it refuses by address."""

    def __init__(self) -> None:
        self.refused: dict[str, str] = {REST: "never"}
        self.refused_operations: set[str] = set()
        self.creates: tuple[JournalRecord, ...] = ()
        self.plans: list[RollbackPlan] = []
        self.results: list[RollbackResult] = []
        self.error: Exception | None = None
        self.allowed = RollbackVerdict()

    def recovery(self, target: str, *, run: str, holder: str) -> Recovery:
        return Recovery(creates=self.creates)

    def run(self, run_id: str) -> Run:
        return run(id=run_id)

    def deliver_planned(self, run_id: str, *, holder: str, planned: Any) -> None:
        assert (run_id, holder) == (RUN, HOLDER)

    def deliver_rollback_plan(self, run_id: str, *, holder: str, plan: RollbackPlan) -> RollbackVerdict:
        assert (run_id, holder) == (RUN, HOLDER)
        if self.error is not None:
            raise self.error
        self.plans.append(plan)
        why = {
            item: self.refused.get(item.address, "existed" if item.operation in self.refused_operations else "")
            for item in plan.items
        }
        self.allowed = RollbackVerdict(
            allowed=tuple(item for item in plan.items if not why[item]),
            refused=tuple(Refusal(item=item, reason=why[item]) for item in plan.items if why[item]),
        )
        return self.allowed

    def deliver_rollback_result(self, run_id: str, *, holder: str, result: RollbackResult) -> None:
        assert (run_id, holder) == (RUN, HOLDER)
        self.results.append(result)


class World:
    """One rollback."""

    def __init__(self, folder: Path, *plans: bytes, first: str | None = FIRST, rollback_only: bool = False) -> None:
        self.clock = ManualClock()
        self.api = Api()
        self.notes: list[str] = []
        self.mode = "entries"
        self.away = False
        self.stored = True
        self.laid_out: list[str] = []
        self.lay_out_error: Exception | None = None
        self.commands = Commands(*plans)
        self.directory = RunDirectory(folder, RUN)
        self.directory.create()
        self.commands.work = self.directory.work
        (self.directory.work / "main.tf").write_text("# new")
        self.rollback = rollback.Rollback(
            rollback.Ways(
                api=self.api,  # type: ignore[arg-type]  # the part that is used
                clock=self.clock,
                take_over=TakeOver(
                    self.api,  # type: ignore[arg-type]  # the part that is used
                    assignment(),
                    self.commands,
                    confined=False,
                    note=self.notes.append,
                    count=lambda _: None,
                    rolling_back=True,
                ),
                first=self.lay_out,
                refresh=lambda: self.mode,
                state_is_stored=lambda: self.stored,
                api_was_away=lambda: self.away,
                note=self.notes.append,
            ),
            assignment(),
            order(first=first, rollback_only=rollback_only),
            self.terraform(),
        )

    def terraform(self) -> Terraform:
        return Terraform(self.commands, self.directory, TerraformJob(terraform=("terraform",)))

    def lay_out(self, digest: str) -> Terraform:
        if self.lay_out_error is not None:
            raise self.lay_out_error
        self.laid_out.append(digest)
        return self.terraform()

    def carry_out(self, rearranged: Rearrangement | None = None, *, prepared: bool = True) -> RollbackResult:
        triggered = Triggered(trigger=Trigger.ALARM, reason="it burns", at_ms=self.clock.boot_ms() - 200)
        result = self.rollback.carry_out(triggered, rearranged or Rearrangement(), prepared=prepared)
        assert self.api.results == [result]
        return result
