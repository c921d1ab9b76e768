"""What a rollback names that no plan names: what the journal says was made, and no state holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.errors import ConfigurationError
from shared.models import JournalRecord
from shared.recovery.reconciling import Unimportable
from shared.recovery.rules import import_id, names_of, rule_of
from shared.rollback.records import MAX_WHY, Residue, ResidueKind
from shared.safety.entries import MAX_ADDRESS
from worker.provisioners.terraform import Terraform, TerraformFailed
from worker.take_over import unheld


def orphans(records: Sequence[JournalRecord], plan: Mapping[str, Any]) -> tuple[Residue, ...]:
    """Those of a plan's state.

    Args:
        records: of calls that make something.
        plan: as `terraform show -json` says it.
    """
    return tuple(map(_orphan, unheld(records, plan)))


def orphans_without_a_plan(
    records: Sequence[JournalRecord], terraform: Terraform, note: Callable[[str], None]
) -> tuple[Residue, ...]:
    """The same of the stored state; empty where it cannot be read: then nobody can tell what it holds.

    Args:
        records: of calls that make something.
        terraform: reads the state.
        note: takes a line for the run's log.
    """
    if not records:
        return ()
    try:
        return orphans(records, {"prior_state": terraform.show_state()})
    except (TerraformFailed, ConfigurationError) as error:
        note(f"nobody can tell whether the state holds what was made: {error}")
        return ()


def _orphan(item: Unimportable) -> Residue:
    record, rule = item.record, rule_of(item.record)
    return Residue(
        kind=ResidueKind.LEFT,
        address=item.call[:MAX_ADDRESS],
        type=rule.type if rule else "",
        id=import_id(rule, names_of(record)) if rule else None,
        reason=f"made by {record.run_id}, held by no state: {item.why}"[:MAX_WHY],
    )
