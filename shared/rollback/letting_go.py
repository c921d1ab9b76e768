"""What a rollback lets go again because the deployment had taken it in, and what is told of that. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.recovery.table import TABLE
from shared.rollback.records import Imported, Residue, ResidueKind
from shared.rollback.states import id_of

_CHANGED: Final = "the deployment imported and changed it at once: what it was before is in no state"
_REPLACED: Final = (
    "the deployment imported it and replaced it at once by one of the same id: which of the two is there cannot be "
    "told, and it is in no state again"
)
_MADE_BEFORE: Final = "{run} had made it before, the deployment had taken it over, and it is in no state again"


#: Types of which no two ever have one id: one that has the id of before was not replaced.
_NEVER_TWICE: Final = frozenset(rule.type for rule in TABLE if rule.anonymous)


def is_another(one: Imported, held: Mapping[str, Any]) -> bool:
    """Whether what is held at the address of an import is not what was imported: that was replaced since.

    Args:
        one: the import.
        held: values that the state has there now.
    """
    return one.object_id is not None and id_of(held) != one.object_id


def let_go(one: Imported) -> Iterator[Residue]:
    """What of something that is let go is not as it was, or nobody's.

    Args:
        one: the import.
    """
    if one.made_by is not None:
        yield _residue(one, ResidueKind.LEFT, _MADE_BEFORE.format(run=one.made_by))
    elif one.also == "update":
        yield _residue(one, ResidueKind.CHANGED, _CHANGED)
    elif one.also == "replace" and one.type not in _NEVER_TWICE:
        yield _residue(one, ResidueKind.UNKNOWN, _REPLACED)


def may_be_let_go(one: Imported) -> Iterator[Residue]:
    """The same, of what the state does not hold: an earlier try may have let it go, or it was never taken in.

    Args:
        one: the import.
    """
    for found in let_go(one):
        yield found.model_copy(update={"kind": ResidueKind.UNKNOWN, "reason": f"{found.reason}, if it came to that"})


def _residue(one: Imported, kind: ResidueKind, why: str) -> Residue:
    return Residue(kind=kind, address=one.address, type=one.type, id=one.id, reason=why)
