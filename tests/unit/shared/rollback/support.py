"""First states and rollback plans, as short as they can be said."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from shared.rollback.records import FirstResource, FirstState, RollbackPlan, RollbackPlanItem
from shared.safety.entries import Operation

TARGET = "web.north"
RUN = "run-0000000000000001"


def kind_of(address: str) -> str:
    """The type in an address without dots in its keys."""
    return address.split("[")[0].split(".")[-2] if "[" not in address else address.rsplit(".", 1)[0].split(".")[-1]


def first_state(*resources: FirstResource, **more: Any) -> FirstState:
    """What was there before."""
    return FirstState(
        target=TARGET, run_id=RUN, epoch=1, taken_at=datetime(2026, 1, 1, tzinfo=UTC), resources=resources, **more
    )


def was(address: str, id_: str | None = "", **more: Any) -> FirstResource:
    """An object that was there; its id is made of its address unless it is given, and an import takes it by that."""
    name = f"id of {address}" if id_ == "" else id_
    return FirstResource(address=address, type=kind_of(address), id=name, **{"import_id": name, **more})


def item(operation: str, address: str, id_: str | None = None, **more: Any) -> RollbackPlanItem:
    """One operation of a rollback plan; an import of its object would take its id."""
    kind = more.pop("type", kind_of(address))
    named = {"import_id": id_, **more}
    return RollbackPlanItem(address=address, type=kind, operation=Operation(operation), id=id_, **named)


def plan_of(*items: RollbackPlanItem, complete: bool = True) -> RollbackPlan:
    """A plan of the first configuration."""
    return RollbackPlan(items=items, complete=complete)
