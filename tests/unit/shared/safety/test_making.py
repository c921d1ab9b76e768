"""From a plan to its safety plan."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import ConfigurationError
from shared.safety import making
from shared.safety.making import OPERATIONS, REST, safety_plan
from shared.safety.plan_document import parse
from tests.unit.shared.safety.support import change, document

EXEC: dict[str, Any] = {
    "configuration": {
        "root_module": {"resources": [{"address": "aws_x.one", "provisioners": [{"type": "local-exec"}]}]}
    }
}


def entries(*changes: dict[str, Any], **more: Any) -> list[str]:
    made = safety_plan(parse(document(*changes, **more)))
    return sorted(f"{one} ({one.type})" for one in made.entries)


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (["no-op"], []),
        (["create"], ["create"]),
        (["read"], ["read"]),
        (["update"], ["update"]),
        (["delete"], ["delete"]),
        (["delete", "create"], ["replace_delete_first"]),
        (["create", "delete"], ["replace_create_first"]),
        (["forget"], ["forget"]),
        (["create", "forget"], ["replace_forget"]),
        # What no version that was published writes.
        (["forget", "create"], ["unknown"]),
        (["create", "create"], ["unknown"]),
        (["update", "delete"], ["unknown"]),
        (["explode"], ["unknown"]),
        (["Create"], ["unknown"]),
        (["no-op", "create"], ["unknown"]),
    ],
)
def test_every_combination_of_actions_is_one_operation_or_unknown(actions: list[str], expected: list[str]) -> None:
    assert entries(change("aws_x.one", *actions)) == [f"{operation} aws_x.one (aws_x)" for operation in expected]


def test_an_import_that_changes_something_is_both() -> None:
    both = entries(change("aws_x.one", "update", change_importing={"id": "i"}))
    assert both == ["import aws_x.one (aws_x)", "update aws_x.one (aws_x)"]
    assert entries(change("aws_x.one", "no-op", change_importing={})) == ["import aws_x.one (aws_x)"]


def test_a_pure_move_is_no_action_and_yet_an_entry() -> None:
    assert entries(change("aws_x.one", "no-op", previous_address="aws_x.old")) == ["move aws_x.one (aws_x)"]
    assert entries(change("aws_x.one", "no-op", previous_address="aws_x.one")) == []
    moved = entries(change("aws_x.one", "update", previous_address="aws_x.old"))
    assert moved == ["move aws_x.one (aws_x)", "update aws_x.one (aws_x)"]


def test_the_deletion_of_what_a_replacement_left_is_not_that_of_the_object_in_use() -> None:
    left = entries(change("aws_x.one", "delete", deposed="4f2a9c01"))
    assert left == ["delete aws_x.one (deposed) (aws_x)"]
    assert left == entries(change("aws_x.one", "delete", deposed="00000000"))
    assert left != entries(change("aws_x.one", "delete"))


@pytest.mark.parametrize(
    ("actions", "runs"),
    [
        (["create"], True),
        (["delete"], True),
        (["delete", "create"], True),
        (["create", "delete"], True),
        (["create", "forget"], True),
        (["explode"], True),
        (["update"], False),
        (["no-op"], False),
        (["forget"], False),
    ],
)
def test_a_provisioner_is_an_entry_wherever_it_may_run(actions: list[str], runs: bool) -> None:
    found = entries(change("aws_x.one", *actions), **EXEC)
    assert ("provisioner aws_x.one (local-exec)" in found) == runs


def test_each_instance_with_a_provisioner_has_its_own_entry() -> None:
    made = entries(change("aws_x.one", "create", address='aws_x.one["a"]'), **EXEC)
    assert 'provisioner aws_x.one["a"] (local-exec)' in made


def test_outputs_actions_and_what_is_put_off_are_entries() -> None:
    found = entries(
        output_changes={"said": {"actions": ["update"]}, "same": {"actions": ["no-op"]}},
        action_invocations=[{"address": "action.aws_lambda_invoke.a", "type": "aws_lambda_invoke"}],
        deferred_changes=[{"reason": "unknown", "resource_change": change("aws_x.later", "create")}],
        deferred_action_invocations=[{"action_invocation": {"address": "action.a.b", "type": "a"}}],
        complete=False,
    )
    assert found == [
        "action action.aws_lambda_invoke.a (aws_lambda_invoke)",
        "deferred action.a.b (a)",
        "deferred aws_x.later (aws_x)",
        "output output.said (output)",
    ]


def test_the_rest_of_an_incomplete_plan_is_put_off_though_nothing_names_it() -> None:
    assert entries(complete=False) == [f"deferred {REST} ()"]


def test_a_plan_that_failed_has_no_safety_plan() -> None:
    with pytest.raises(ConfigurationError, match="ended with an error"):
        entries(change("aws_x.one", "create"), errored=True)


def test_more_than_can_be_approved_at_once_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "MAX_ENTRIES", 1)
    with pytest.raises(ConfigurationError, match="does 2 things"):
        entries(change("a.b", "create"), change("a.c", "create"))


def test_the_table_has_every_known_combination() -> None:
    assert len(OPERATIONS) == 9


def test_updates_that_nothing_turns_around_are_named() -> None:
    marks = {"change_before_sensitive": {}, "change_after_sensitive": {}}
    made = safety_plan(
        parse(
            document(
                change("aws_ebs_volume.a", "update", change_before={"size": 1}, change_after={"size": 2}, **marks),
                change("aws_ebs_volume.b", "update", change_before={"size": 2}, change_after={"size": 1}, **marks),
            )
        )
    )
    assert made.one_way == {"aws_ebs_volume.a"}


def test_what_is_imported_and_updated_at_once_is_named_unless_an_earlier_run_left_it() -> None:
    plan = parse(
        document(
            change("aws_x.both", "update", change_importing={"id": "b"}),
            change("aws_x.taken", "update", change_importing={"id": "t"}),
            change("aws_x.only", "no-op", change_importing={"id": "o"}),
            change("aws_x.update", "update"),
        )
    )
    assert safety_plan(plan, taken_over={"aws_x.taken"}).one_way == {"aws_x.both"}
    assert safety_plan(plan).one_way == {"aws_x.both", "aws_x.taken"}
