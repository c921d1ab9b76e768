"""What a rollback lets go again because the deployment had taken it in, and what is told of that. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.rollback.records import Imported, Residue, ResidueKind
from shared.rollback.states import id_of

_CHANGED: Final = "the deployment imported and changed it at once: what it was before is in no state"


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
        why = f"{one.made_by} had made it before, the deployment had taken it over, and it is in no state again"
        yield Residue(kind=ResidueKind.LEFT, address=one.address, type=one.type, id=one.id, reason=why)
    elif one.also == "update":
        yield Residue(kind=ResidueKind.CHANGED, address=one.address, type=one.type, id=one.id, reason=_CHANGED)


def may_be_let_go(one: Imported) -> Iterator[Residue]:
    """The same, of what the state does not hold: an earlier try may have let it go, or it was never taken in.

    Args:
        one: the import.
    """
    if one.also == "update":
        why = f"{_CHANGED}, if it came to that"
        yield Residue(kind=ResidueKind.UNKNOWN, address=one.address, type=one.type, id=one.id, reason=why)
