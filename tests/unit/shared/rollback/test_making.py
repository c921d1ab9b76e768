"""A plan of the first configuration becomes a rollback plan, and one that should be empty says what is left."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import ConfigurationError
from shared.rollback.making import residue, rollback_plan
from shared.rollback.records import ResidueKind, RollbackPlan
from shared.safety.entries import Operation
from shared.safety.making import safety_plan
from shared.safety.plan_document import parse
from tests.unit.shared.rollback.support import item, plan_of, was
from tests.unit.shared.safety.support import change, document


def of(*changes: dict[str, Any], **more: Any) -> RollbackPlan:
    return rollback_plan(parse(document(*changes, **more)))


def there(id_: str) -> dict[str, Any]:
    return {"change_before": {"id": id_}, "change_before_sensitive": {}}


def test_every_operation_comes_with_the_id_of_the_object_that_is_there() -> None:
    made = of(
        change("aws_vpc.a", "create"),
        change("aws_vpc.b", "delete", **there("vpc-b")),
        change("aws_vpc.c", "delete", **there("vpc-c"), deposed="00c0ffee"),
        change("aws_vpc.d", "create", "delete", **there("vpc-d"), previous_address="aws_vpc.e"),
        change("aws_vpc.f", "no-op"),
        change("aws_vpc.g", "update", **there("vpc-g"), change_importing={"id": "vpc-g"}),
    )
    assert made.items == (
        item("create", "aws_vpc.a"),
        item("delete", "aws_vpc.b", "vpc-b"),
        item("delete", "aws_vpc.c", "vpc-c", deposed="00c0ffee"),
        item("replace_create_first", "aws_vpc.d", "vpc-d", previous_address="aws_vpc.e"),
        item("move", "aws_vpc.d", "vpc-d", previous_address="aws_vpc.e"),
        item("update", "aws_vpc.g", "vpc-g"),
        item("import", "aws_vpc.g", "vpc-g"),
    )


def test_an_object_that_stays_where_it_is_does_not_move() -> None:
    assert of(change("aws_vpc.a", "update", previous_address="aws_vpc.a")).items == (item("update", "aws_vpc.a"),)


@pytest.mark.parametrize(("size", "kept"), [(4094, True), (4095, False)])
def test_names_are_bounded(size: int, kept: bool) -> None:
    values = {"id": "k", "bucket": "b", "key": "x" * size}
    marks = {"change_before_sensitive": {}, "deposed": "f" * 100}
    (one,) = of(change("aws_s3_object.a", "delete", change_before=values, **marks)).items
    assert (one.import_id is not None) is kept
    assert one.deposed == "f" * 64


def test_an_id_that_is_a_secret_is_no_id() -> None:
    made = of(change("aws_vpc.a", "delete", change_before={"id": "s"}, change_before_sensitive={"id": True}))
    assert made.items == (item("delete", "aws_vpc.a", None),)


def test_without_marks_of_what_is_sensitive_there_is_no_id() -> None:
    assert of(change("aws_vpc.a", "delete", change_before={"id": "s"})).items == (item("delete", "aws_vpc.a", None),)


def test_what_is_no_resource_is_in_it_too() -> None:
    made = of(
        change("null_resource.a", "delete"),
        change("aws_vpc.z", "bring-to-life"),
        output_changes={"o": {"actions": ["update"]}, "same": {"actions": ["no-op"]}},
        configuration={
            "root_module": {"resources": [{"address": "null_resource.a", "provisioners": [{"type": "local-exec"}]}]}
        },
        action_invocations=[{"address": "action.x.y", "type": "x"}],
        deferred_changes=[{"reason": "r", "resource_change": change("aws_vpc.later", "create")}],
        complete=False,
    )
    assert {(str(one), one.type) for one in made.items} == {
        ("delete null_resource.a", "null_resource"),
        ("unknown aws_vpc.z", "aws_vpc"),
        ("provisioner null_resource.a", "local-exec"),
        ("output output.o", "output"),
        ("action action.x.y", "x"),
        ("deferred aws_vpc.later", "aws_vpc"),
    }
    assert not made.complete


def test_a_provisioner_of_an_object_left_behind_has_its_address() -> None:
    made = of(
        change("null_resource.a", "delete", deposed="00c0ffee"),
        configuration={
            "root_module": {"resources": [{"address": "null_resource.a", "provisioners": [{"type": "local-exec"}]}]}
        },
    )
    assert [(one.address, one.operation.value) for one in made.items] == [
        ("null_resource.a", "delete"),
        ("null_resource.a", "provisioner"),
    ]


def test_it_does_nothing_that_a_safety_plan_of_the_same_does_not_name() -> None:
    shown = parse(
        document(
            change("aws_vpc.a", "create"),
            change("aws_vpc.b", "delete", deposed="1"),
            change("aws_vpc.c", "update", previous_address="aws_vpc.d", change_importing={"id": "x"}),
            change("aws_vpc.e", "create", "forget"),
            change("data.aws_ami.f", "read"),
            output_changes={"o": {"actions": ["create"]}},
        )
    )
    named = {(entry.address.removesuffix(" (deposed)"), entry.operation) for entry in safety_plan(shown).entries}
    assert {(one.address, one.operation) for one in rollback_plan(shown).items} == named


def test_a_plan_that_failed_is_none() -> None:
    with pytest.raises(ConfigurationError, match="ended with an error"):
        of(change("aws_vpc.a", "create"), errored=True)


LEFT = {
    "create": ResidueKind.MISSING,
    "import": ResidueKind.MISSING,
    "delete": ResidueKind.LEFT,
    "forget": ResidueKind.LEFT,
    "update": ResidueKind.CHANGED,
    "replace_delete_first": ResidueKind.CHANGED,
    "replace_create_first": ResidueKind.CHANGED,
    "replace_forget": ResidueKind.CHANGED,
    "move": ResidueKind.CHANGED,
    "output": ResidueKind.CHANGED,
    "deferred": ResidueKind.UNKNOWN,
    "action": ResidueKind.UNKNOWN,
    "unknown": ResidueKind.UNKNOWN,
}


@pytest.mark.parametrize("operation", Operation)
def test_what_is_still_wanted_is_what_is_left(operation: Operation) -> None:
    found = residue(plan_of(item(operation, "aws_vpc.a", "vpc-1")), {"aws_vpc.a": "it was refused"})
    if operation in (Operation.READ, Operation.PROVISIONER):
        assert found == ()
    else:
        (one,) = found
        assert (one.kind, one.id, one.reason) == (LEFT[operation.value], "vpc-1", "it was refused")


def test_without_a_reason_it_says_what_is_wanted() -> None:
    (one,) = residue(plan_of(item("update", "aws_vpc.a")), {"aws_vpc.b": "no"})
    assert one.reason == "the first configuration wants: update"


def test_an_object_is_left_once_and_one_left_behind_besides() -> None:
    made = plan_of(
        item("move", "aws_vpc.a", "vpc-1", previous_address="aws_vpc.b"),
        item("delete", "aws_vpc.a", "vpc-1"),
        item("import", "aws_vpc.a", "vpc-1"),
        item("delete", "aws_vpc.a", "vpc-2", deposed="00c0ffee"),
    )
    assert [(one.kind, one.id) for one in residue(made, {})] == [
        (ResidueKind.LEFT, "vpc-1"),
        (ResidueKind.LEFT, "vpc-2"),
    ]


def test_a_plan_that_puts_off_something_unnamed_leaves_something_unknown() -> None:
    (one,) = residue(plan_of(complete=False), {})
    assert one.kind is ResidueKind.UNKNOWN
    assert len(residue(plan_of(item("deferred", "aws_vpc.a"), complete=False), {})) == 1


def test_a_long_reason_is_cut() -> None:
    (one,) = residue(plan_of(item("update", "aws_vpc.a")), {"aws_vpc.a": "x" * 9000})
    assert len(one.reason) == 1024


def test_what_existed_and_is_only_deposed_is_there_and_what_has_its_address_is_too_much() -> None:
    first = (was("aws_x.a", "old"),)
    both = plan_of(item("replace_create_first", "aws_x.a", "new"), item("delete", "aws_x.a", "old", deposed="1"))
    assert [(one.kind, one.id) for one in residue(both, {}, first)] == [
        (ResidueKind.LEFT, "new"),
        (ResidueKind.CHANGED, "old"),
    ]
    alone = plan_of(item("create", "aws_x.a"), item("delete", "aws_x.a", "old", deposed="1"))
    assert [one.kind for one in residue(alone, {}, first)] == [ResidueKind.MISSING, ResidueKind.CHANGED]


def test_what_ends_at_an_address_that_is_guarded_is_marked() -> None:
    made = rollback_plan(
        parse(
            document(
                change("aws_vpc.a", "delete", **there("vpc-a")),
                change("aws_vpc.a", "delete", **there("vpc-old"), deposed="00c0ffee"),
                change("aws_vpc.b", "create", "delete", **there("vpc-b"), previous_address="aws_vpc.z"),
                change("aws_vpc.c", "update", **there("vpc-c")),
                change("aws_vpc.free", "delete", **there("vpc-f")),
            )
        ),
        lambda address: address != "aws_vpc.free",
    )
    assert [str(one) for one in made.items if one.guarded] == ["delete aws_vpc.a", "replace_create_first aws_vpc.b"]
