"""What can be done of a plan without what is refused of it."""

from __future__ import annotations

from typing import Any

from shared.rollback.records import Refusal, RollbackPlanItem, RollbackVerdict
from shared.safety.entries import Operation
from worker.rollback_targets import targets


def item(operation: str, address: str) -> RollbackPlanItem:
    return RollbackPlanItem(address=address, type="aws_x", operation=Operation(operation))


def verdict(*allowed: RollbackPlanItem, refused: tuple[RollbackPlanItem, ...] = ()) -> RollbackVerdict:
    return RollbackVerdict(allowed=allowed, refused=tuple(Refusal(item=one, reason="no") for one in refused))


def document(module: dict[str, list[str]] | None = None, **root: list[str]) -> dict[str, Any]:
    def resources(needs: dict[str, list[str]]) -> list[dict[str, Any]]:
        return [{"address": address, "depends_on": on} for address, on in needs.items()]

    values = {
        "root_module": {
            "resources": resources({f"aws_x.{name}": on for name, on in root.items()}),
            "child_modules": [{"resources": resources(module or {})}],
        }
    }
    return {"prior_state": {"values": values}}


def test_what_is_allowed_is_chosen_once_and_what_is_no_resource_is_not() -> None:
    allowed = verdict(
        item("delete", "aws_x.a"),
        item("move", "aws_x.a"),
        item("output", "output.o"),
        item("read", "data.aws_y.d"),
        item("provisioner", "aws_x.a"),
        refused=(item("delete", "aws_x.b"),),
    )
    assert targets(document(a=[], b=[]), allowed) == ("aws_x.a",)


def test_both_ends_of_a_move_are_chosen() -> None:
    moved = item("update", "aws_x.old").model_copy(update={"previous_address": "aws_x.new"})
    assert targets(document(), verdict(moved, refused=(item("delete", "aws_x.b"),))) == ("aws_x.old", "aws_x.new")


def test_what_needs_something_refused_can_be_deleted_without_it() -> None:
    chosen = targets(
        document(policy=["aws_x.bucket"], bucket=[]),
        verdict(item("delete", "aws_x.policy"), refused=(item("delete", "aws_x.bucket"),)),
    )
    assert chosen == ("aws_x.policy",)


def test_what_something_refused_needs_is_not_deleted_however_long_the_way() -> None:
    chosen = targets(
        document({"module.m.aws_x.subnet": ["aws_x.vpc"]}, vpc=[], db=["module.m.aws_x.subnet"]),
        verdict(
            item("delete", "aws_x.vpc"),
            item("delete", "module.m.aws_x.subnet[0]"),
            refused=(item("delete", "aws_x.db[1]"),),
        ),
    )
    assert chosen == ()


def test_what_needs_something_refused_is_not_changed_without_it() -> None:
    chosen = targets(
        document(a=["aws_x.b"], b=["aws_x.c"], c=[], d=[]),
        verdict(item("update", "aws_x.a"), item("update", "aws_x.d"), refused=(item("update", "aws_x.c"),)),
    )
    assert chosen == ("aws_x.d",)


def test_an_address_of_which_a_part_is_refused_is_not_chosen() -> None:
    both = verdict(item("move", "aws_x.a"), refused=(item("delete", "aws_x.a"),))
    assert targets(document(a=[]), both) == ()


def test_a_plan_without_a_state_has_no_dependencies() -> None:
    assert targets({}, verdict(item("create", "aws_x.a"))) == ("aws_x.a",)


def test_a_circle_ends() -> None:
    chosen = targets(
        document(a=["aws_x.b"], b=["aws_x.a"]),
        verdict(item("delete", "aws_x.a"), refused=(item("delete", "aws_x.b"),)),
    )
    assert chosen == ()
