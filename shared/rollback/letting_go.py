"""What a rollback lets go again because the deployment had taken it in, and what is told of that. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.rollback.records import Imported, Residue, ResidueKind
from shared.rollback.states import id_of

_CHANGED: Final = "the deployment imported and changed it at once: what it was before is in no state"


def is_another(one: Imported, held: Mapping[str, Any]) -> bool:
    """Whether what is held at the address of an import is not what was imported: the plan replaced that as well.

    Args:
        one: the import.
        held: values that the state has there now.
    """
    return one.also == "replace" and one.object_id is not None and id_of(held) != one.object_id


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
