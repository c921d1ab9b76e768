"""Which calls an approved change needs: by name where it was recorded, by class within its services elsewhere."""

from __future__ import annotations

import json

import pytest

from signing_proxy import needs
from signing_proxy.access import OperationClass, access_table, class_of
from signing_proxy.needs import ACTIONS, Action, needs_of, recorded
from tests.compile import needs as compile_needs
from tests.compile.needs import TRACES

UNMAPPED = "aws_mq_broker"


def test_a_type_without_a_map_gets_classes_within_its_services() -> None:
    assert UNMAPPED not in recorded()
    made = needs_of(UNMAPPED, "create")
    assert made.operations == frozenset()
    assert made.classes == {("mq", OperationClass.CREATE), ("mq", OperationClass.UPDATE)}
    assert ("mq", OperationClass.DELETE) in needs_of(UNMAPPED, "delete").classes
    assert needs_of(UNMAPPED, "update").classes == {("mq", OperationClass.UPDATE)}


def test_no_class_holds_reads_or_what_is_unknown() -> None:
    for operation in ACTIONS:
        kinds = {kind for _, kind in needs_of(UNMAPPED, operation).classes}
        assert OperationClass.UNKNOWN not in kinds
        assert not any(kind.reads for kind in kinds)


def test_permission_management_is_for_types_that_are_about_permissions() -> None:
    assert ("mq", OperationClass.PERMISSION) not in needs_of(UNMAPPED, "create").classes
    assert ("glacier", OperationClass.PERMISSION) in needs_of("aws_glacier_vault_lock_policy", "create").classes


@pytest.mark.parametrize(
    "operation", ["read", "import", "move", "forget", "provisioner", "output", "deferred", "unknown"]
)
def test_what_changes_nothing_in_the_cloud_needs_nothing(operation: str) -> None:
    for kind in (UNMAPPED, "aws_sqs_queue"):
        assert needs_of(kind, operation) == needs.Needs()


def test_a_type_that_nobody_knows_needs_nothing() -> None:
    assert needs_of("null_resource", "create") == needs.Needs()
    assert needs_of("aws_nonesuch_thing", "create") == needs.Needs()


def test_a_replacement_needs_both() -> None:
    both = needs_of(UNMAPPED, "create").classes | needs_of(UNMAPPED, "delete").classes
    assert needs_of(UNMAPPED, "replace_delete_first").classes == both
    assert needs_of(UNMAPPED, "replace_create_first").classes == both
    assert needs_of(UNMAPPED, "replace_forget").classes == needs_of(UNMAPPED, "create").classes


def test_a_recorded_type_gets_its_operations_and_no_class() -> None:
    made, gone = needs_of("aws_sqs_queue", "create"), needs_of("aws_sqs_queue", "delete")
    assert ("sqs", "CreateQueue") in made.operations
    assert ("sqs", "DeleteQueue") not in made.operations
    assert ("sqs", "DeleteQueue") in gone.operations
    assert made.classes == gone.classes == frozenset()


def test_the_map_is_what_the_traces_give() -> None:
    traces = json.loads(TRACES.read_text(encoding="utf-8"))["types"]
    assert {kind: {name: list(found) for name, found in actions.items()} for kind, actions in recorded().items()} == (
        compile_needs.build(traces)
    )


def test_an_action_holds_what_it_called_when_it_was_recorded() -> None:
    traces = json.loads(TRACES.read_text(encoding="utf-8"))["types"]
    for kind, actions in recorded().items():
        for action, names in traces[kind].items():
            assert set(names) <= set(actions[action]), f"{action} {kind}"


def test_an_update_makes_no_second_one_that_says_who_may_do_what() -> None:
    traces = json.loads(TRACES.read_text(encoding="utf-8"))["types"]
    for kind, actions in recorded().items():
        for name in set(actions["update"]) - set(traces[kind].get("update", ())):
            service, _, operation = name.partition(":")
            makes = operation.startswith("Create") and class_of(service, operation) is OperationClass.PERMISSION
            assert not makes, f"{kind} {name}"


def test_the_map_names_nothing_that_the_table_does_not_know_and_no_read() -> None:
    for kind, actions in recorded().items():
        assert set(actions) <= {action.value for action in Action}, kind
        for names in actions.values():
            for name in names:
                service, _, operation = name.partition(":")
                assert operation in access_table()[service], f"{kind} {name}"
                assert not class_of(service, operation).reads, f"{kind} {name}"
