"""From a plan to its safety plan. Pure, and closed: what is not in the table is an entry that nothing can allow."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Final

from shared.errors import ConfigurationError
from shared.rollback.lasting import outlasts
from shared.rollback.one_way import one_way
from shared.safety.entries import MAX_ENTRIES, Entry, Operation, SafetyPlan
from shared.safety.plan_document import Change, PlanDocument, without_keys

#: What a resource's actions are called; the order of a replacement's two is what tells them apart.
OPERATIONS: Final[Mapping[tuple[str, ...], Operation | None]] = {
    ("no-op",): None,
    ("create",): Operation.CREATE,
    ("read",): Operation.READ,
    ("update",): Operation.UPDATE,
    ("delete",): Operation.DELETE,
    ("delete", "create"): Operation.REPLACE_DELETE_FIRST,
    ("create", "delete"): Operation.REPLACE_CREATE_FIRST,
    ("forget",): Operation.FORGET,
    ("create", "forget"): Operation.REPLACE_FORGET,
}
#: Operations with which provisioners may run. The JSON does not say whether one runs at creation or at destruction.
_PROVISIONED: Final = frozenset(
    {
        Operation.CREATE,
        Operation.DELETE,
        Operation.REPLACE_DELETE_FIRST,
        Operation.REPLACE_CREATE_FIRST,
        Operation.REPLACE_FORGET,
        Operation.UNKNOWN,
    }
)
#: Stands for what a plan that is not complete does not name.
REST: Final = "(rest of an incomplete plan)"


def safety_plan(document: PlanDocument, taken_over: Container[str] = ()) -> SafetyPlan:
    """Everything that applying the plan does.

    Args:
        document: the plan.
        taken_over: addresses of what earlier runs left: no configuration asked for these imports.

    Raises ConfigurationError for a plan that ended with an error, or that does more than can be approved at once.
    """
    if document.errored:
        raise ConfigurationError("the plan ended with an error", hint="a plan that failed cannot be approved")
    entries = frozenset(_entries(document))
    if len(entries) > MAX_ENTRIES:
        raise ConfigurationError(
            f"the plan does {len(entries)} things; {MAX_ENTRIES} can be approved at once", hint="split the flock"
        )
    turned = frozenset(outlasts(document)) | frozenset(
        change.address
        for change in document.resource_changes
        if one_way(change) is not None
        or (change.importing and change.actions == ("update",) and change.address not in taken_over)
    )
    return SafetyPlan(entries=entries, one_way=turned)


def _entries(document: PlanDocument) -> Iterator[Entry]:
    for change in document.resource_changes:
        yield from _of_resource(change, document.provisioners.get(without_keys(change.address), ()))
    for name, actions in document.output_changes.items():
        if actions != ("no-op",):
            yield Entry(address=f"output.{name}", type="output", operation=Operation.OUTPUT)
    for invocation in document.action_invocations:
        yield Entry(address=invocation.address, type=invocation.type, operation=Operation.ACTION)
    for change in document.deferred_changes:
        yield Entry(address=change.address, type=change.type, operation=Operation.DEFERRED)
    for invocation in document.deferred_action_invocations:
        yield Entry(address=invocation.address, type=invocation.type, operation=Operation.DEFERRED)
    if not document.complete and not document.deferred_changes and not document.deferred_action_invocations:
        yield Entry(address=REST, type="", operation=Operation.DEFERRED)


def _of_resource(change: Change, provisioners: tuple[str, ...]) -> Iterator[Entry]:
    operation = OPERATIONS.get(change.actions, Operation.UNKNOWN)
    # The key of a deposed object is drawn by lot; that it is one tells it apart from the object in use.
    address = f"{change.address} (deposed)" if change.deposed else change.address
    if operation is not None:
        yield Entry(address=address, type=change.type, operation=operation)
        if operation in _PROVISIONED:
            for kind in provisioners:
                yield Entry(address=address, type=kind, operation=Operation.PROVISIONER)
    if change.importing:
        yield Entry(address=address, type=change.type, operation=Operation.IMPORT)
    if change.previous_address is not None and change.previous_address != change.address:
        yield Entry(address=address, type=change.type, operation=Operation.MOVE)
