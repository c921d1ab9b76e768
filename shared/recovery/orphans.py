"""What a run left in the cloud that no state holds: the report, and how it is made. Pure.

From the journal, the state that followed, and what the run's plan would have made. The same rules as a take-over's,
without its questions to the cloud: a report is made within seconds of the end, by a scheduler that has no way there.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from shared.models import Digest, Identifiers, JournalRecord, Label, RunId, RunKind, TargetId
from shared.record import Record
from shared.recovery.calls import was_answered
from shared.recovery.imports import block
from shared.recovery.reconciling import Reconciliation, reconcile
from shared.recovery.references import references_of, referred, value_of
from shared.recovery.rules import import_id, names_of, rule_of, rules_of, text_of
from shared.recovery.table import TABLE
from shared.recovery.views import PlanView, Resource, read_plan

MAX_ORPHANS: Final = 1000
MAX_PLANNED: Final = 20_000
#: Attributes that tell planned resources of one type apart: those that a rule compares.
IDENTIFYING: Final[Mapping[str, frozenset[str]]] = {
    kind: frozenset(one for rule in TABLE if rule.type == kind for _, same in rule.same for one in same.split("|"))
    for kind in sorted({rule.type for rule in TABLE})
}
Text = Annotated[str, StringConstraints(max_length=2048)]


class Planned(Record):
    """A resource that a run's plan would make: where, and by which names."""

    address: Text = Field(description="Terraform's address")
    type: Annotated[str, StringConstraints(max_length=256)] = Field(description="Terraform's type")
    names: Annotated[dict[str, Text], Field(max_length=8)] = Field(
        default={}, description="those attributes that a call to the cloud names, where they are known"
    )

    refers: Annotated[dict[str, Text], Field(max_length=8)] = Field(
        default={}, description="those that are not known yet, and what they refer to"
    )


class PlannedResources(Record):
    """What a run's plan would make, of the types that a rule knows."""

    resources: Annotated[tuple[Planned, ...], Field(max_length=MAX_PLANNED)] = Field(description="by address")


class Orphan(Record):
    """One call that made something, or may have, which no state holds."""

    call_id: str = Field(max_length=32, description="the journaled call")
    service: str = Field(max_length=128, description="signing name of the service")
    operation: str = Field(max_length=256, description="operation, or empty when unknown")
    region: str = Field(max_length=64, description="the cloud's region")
    at: AwareDatetime = Field(description="when it was signed")
    outcome: Literal["made", "unknown"] = Field(description="unknown: no answer came; a read has to settle it")
    names: Identifiers = Field(default={}, description="what the call and its answer named")
    type: str | None = Field(default=None, max_length=256, description="Terraform's type, where a rule knows it")
    id: Text | None = Field(default=None, description="what its import takes, where it is known")
    address: Text | None = Field(default=None, description="where the run's plan had it, where it can be told")
    why: Text = Field(default="", description="why there is no import block")
    import_block: str | None = Field(default=None, max_length=8192, description="ready to be pasted")


class KeptState(Record):
    """A state that came too late to be written and is kept beside the target."""

    epoch: int = Field(ge=1, description="epoch that was cut")
    serial: int = Field(ge=0, description="Terraform's serial")
    lineage: str = Field(max_length=128, description="Terraform's lineage")
    continues: bool = Field(description="whether the next holder can take it over")
    why: str = Field(default="", max_length=1024, description="why not")


class OrphanReport(Record):
    """What one run left."""

    run_id: RunId = Field(description="the run")
    target: TargetId = Field(description="its target")
    flock: Label = Field(description="its flock")
    epoch: int = Field(ge=1, description="its epoch")
    kind: RunKind = Field(description="what it did")
    status: str = Field(max_length=32, description="how it ended")
    ended_at: AwareDatetime = Field(description="when it was over")
    reported_at: AwareDatetime = Field(description="when it was looked at first")
    looked_at: AwareDatetime = Field(description="when it was looked at last")
    release_digest: Digest | None = Field(default=None, description="what it deployed")
    state_serial: int | None = Field(default=None, description="serial of the state that was compared; None: no state")
    orphans: Annotated[tuple[Orphan, ...], Field(max_length=MAX_ORPHANS)] = Field(
        default=(), description="what no state holds, oldest first"
    )
    more: int = Field(default=0, ge=0, description="orphans that were left out")
    kept_states: Annotated[tuple[KeptState, ...], Field(max_length=16)] = Field(
        default=(), description="states of the run that wait beside the target"
    )
    open: bool = Field(description="whether there is something left to do")
    trouble: str = Field(default="", max_length=1024, description="why it could not be looked at")
    settled_by: str = Field(default="", max_length=512, description="what settled it")
    recovery_run_id: RunId | None = Field(default=None, description="the run that takes over by the flock's own rule")

    @property
    def importable(self) -> tuple[Orphan, ...]:
        """Those with an import block."""
        return tuple(orphan for orphan in self.orphans if orphan.import_block is not None)


def planned_of(plan: Mapping[str, Any]) -> PlannedResources:
    """What is kept of a plan, for a report that may never be needed.

    Args:
        plan: `terraform show -json`.
    """
    references = references_of(plan)
    kept = []
    for item in read_plan(plan).creates:
        if item.type in IDENTIFYING:
            names = _names(item)
            wanted = IDENTIFYING[item.type] - names.keys()
            refers = {name: to for name, to in referred(item.address, references).items() if name in wanted}
            kept.append(Planned(address=item.address, type=item.type, names=names, refers=refers))
    return PlannedResources(resources=tuple(sorted(kept, key=lambda item: item.address))[:MAX_PLANNED])


def _names(item: Resource) -> dict[str, str]:
    known = {name: item.values.get(name) for name in IDENTIFYING[item.type]}
    scalar = {name: value for name, value in known.items() if isinstance(value, str | int) and value != ""}
    return {name: text_of(value)[:2048] for name, value in sorted(scalar.items())}


def find_orphans(
    records: Sequence[JournalRecord], states: Iterable[Sequence[Resource]], planned: PlannedResources | None
) -> list[Orphan]:
    """The calls that no state accounts for.

    Args:
        records: result of `calls.to_account_for`, of one run.
        states: what each state since the run began holds, the newest first: what one of them held, Terraform has let
            go of itself. As many are looked at as it takes.
        planned: what the run would have made; None: it is not known.
    """
    made = planned.resources if planned is not None else ()
    held: tuple[Resource, ...] = ()
    left = list(records)
    for number, state in enumerate(states):
        if number == 0:
            held = tuple(state)
        elif not left:
            break
        left = _unheld(left, state, made)
    found = _placed(left, held, made)
    bound = {item.call_id: item for item in found.imports}
    why = {item.record.call_id: item.why for item in (*found.deferred, *found.unimportable)}
    orphans = []
    for record in sorted(left, key=lambda record: record.at_wall):
        if record.call_id not in bound and record.call_id not in why:
            continue
        rule = rule_of(record)
        names = names_of(record)
        item = bound.get(record.call_id)
        orphans.append(
            Orphan(
                call_id=record.call_id,
                service=record.service,
                operation=record.operation,
                region=record.region,
                at=record.at_wall,
                outcome="made" if was_answered(record) else "unknown",
                names=_shown({**record.resource, **record.outcome_resource}),
                type=rule.type if rule else None,
                id=item.id if item else (import_id(rule, names) if rule else None),
                address=item.address if item else None,
                why=why.get(record.call_id, ""),
                import_block=block(item.address, item.id) if item else None,
            )
        )
    return orphans


def _unheld(
    records: Sequence[JournalRecord], state: Sequence[Resource], planned: Sequence[Planned]
) -> list[JournalRecord]:
    """Those that a state does not account for. What is part of something else counts where the plan had it."""
    addresses = {item.address for item in state}
    creates = tuple(
        Resource(address=item.address, type=item.type, values=item.names)
        for item in planned
        if item.address not in addresses
    )
    found = reconcile(records, PlanView(creates=creates, held=tuple(state)), {}, destroying=True, parts=True)
    open_ids = {item.call_id for item in found.imports}
    open_ids |= {item.record.call_id for item in (*found.deferred, *found.unimportable)}
    kinds = {item.type for item in creates}
    return [record for record in records if record.call_id in open_ids and _counts(record, kinds)]


def _counts(record: JournalRecord, kinds: Container[str]) -> bool:
    """Whether it is more than a part of what it was set on: where the plan had none of its type it is no more."""
    rules = rules_of(record)
    return not rules or any(not rule.part or rule.type in kinds for rule in rules)


def _placed(records: Sequence[JournalRecord], held: Sequence[Resource], planned: Sequence[Planned]) -> Reconciliation:
    """The decision about what is left; each thing that is placed may say where another belongs, which refers to it."""
    known: dict[str, Mapping[str, Any]] = {item.address: item.values for item in held}
    free = [item for item in planned if item.address not in known]
    found = Reconciliation()
    while True:
        creates = tuple(
            Resource(
                address=item.address,
                type=item.type,
                values={**{name: value_of(to, known) for name, to in item.refers.items()}, **item.names},
            )
            for item in free
        )
        before = len(found.imports)
        found = reconcile(records, PlanView(creates=creates, held=tuple(held)), {}, destroying=True)
        if len(found.imports) <= before:
            return found
        names = {item.address: item.names for item in free}
        for item in found.imports:
            own = dict.fromkeys(("id", "zone_id"), item.id) | ({"arn": item.id} if item.id.startswith("arn:") else {})
            known[item.address] = {**own, **names[item.address]}


def _shown(names: Mapping[str, Any]) -> dict[str, str]:
    return dict(list(names.items())[:20])
