"""Which calls an approved change of a resource type needs.

Pure. ``needs.json`` holds, for the types that were recorded, the operations of each action by name; ``tests.compile
.needs`` makes it. Any other type gets the classes that its actions are made of, within the services that it belongs
to. A type that belongs to no known service needs nothing, so nothing is signed for it.
"""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path

from signing_proxy.access import OperationClass
from signing_proxy.resource_types import guards_access, services_of

_FILE = Path(__file__).with_name("needs.json")


class Action(StrEnum):
    """What Terraform does to a resource in one step of an apply."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    INVOKE = "invoke"


#: Operation of a safety plan's entry -> the actions that Terraform carries out for it. None: nothing that changes.
ACTIONS: dict[str, tuple[Action, ...]] = {
    "create": (Action.CREATE,),
    "update": (Action.UPDATE,),
    "delete": (Action.DELETE,),
    "replace_delete_first": (Action.DELETE, Action.CREATE),
    "replace_create_first": (Action.CREATE, Action.DELETE),
    "replace_forget": (Action.CREATE,),
    "action": (Action.INVOKE,),
    "read": (),
    "import": (),
    "move": (),
    "forget": (),
    "provisioner": (),
    "deferred": (),
    "output": (),
}

# What a provider does beside the obvious: attributes that a create does not take are set right after it, and before a
# delete what stands in its way is taken off. Neither makes a second thing or deletes another one.
_CLASSES = {
    Action.CREATE: (OperationClass.CREATE, OperationClass.UPDATE),
    Action.UPDATE: (OperationClass.UPDATE,),
    Action.DELETE: (OperationClass.DELETE, OperationClass.UPDATE),
    Action.INVOKE: (OperationClass.CREATE, OperationClass.UPDATE, OperationClass.DATA),
}


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What one entry needs."""

    operations: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    """(service, operation)."""
    classes: frozenset[tuple[str, OperationClass]] = field(default_factory=frozenset)
    """(service, class), for a type without a map."""


@cache
def recorded() -> dict[str, dict[str, tuple[str, ...]]]:
    """The compiled map: type -> action -> ``service:Operation``."""
    raw: dict[str, dict[str, list[str]]] = json.loads(_FILE.read_text(encoding="utf-8"))["types"]
    return {kind: {action: tuple(names) for action, names in actions.items()} for kind, actions in raw.items()}


def needs_of(kind: str, operation: str) -> Needs:
    """What an entry of this resource type and operation needs. An operation that is not known needs nothing."""
    actions = ACTIONS.get(operation, ())
    known = recorded().get(kind)
    if known is None:
        services = services_of(kind)
        further = (OperationClass.PERMISSION,) if guards_access(kind) else ()
        return Needs(
            classes=frozenset(
                (service, allowed)
                for action in actions
                for service in services
                for allowed in (*_CLASSES[action], *further)
            )
        )
    named = [name.partition(":") for action in actions for name in known.get(action, ())]
    return Needs(operations=frozenset((service, operation_name) for service, _, operation_name in named))
