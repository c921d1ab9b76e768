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


def refers(*names: str) -> dict[str, Any]:
    return {"references": [part for name in names for part in (name, name.rpartition(".")[0])]}


def configured(**resources: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"address": f"aws_x.{name}", "expressions": said} for name, said in resources.items()]


def chosen(root: dict[str, Any]) -> tuple[str, ...]:
    """Of a configuration in which aws_x.vpc is refused a change, and all else is to be made again."""
    allowed = [item("create", one) for one in ("aws_x.a", "aws_x.free", "module.m.aws_x.a[0]")]
    verdict_ = verdict(*allowed, refused=(item("update", "aws_x.vpc"),))
    return targets({"configuration": {"root_module": root}}, verdict_)


def test_what_is_to_be_made_again_and_refers_to_something_refused_is_left_and_the_rest_is_done() -> None:
    direct = configured(a={"vpc_id": refers("aws_x.vpc.id")}, free={"name": {"constant_value": "n"}}, vpc={})
    assert chosen({"resources": direct}) == ("aws_x.free", "module.m.aws_x.a[0]")
    nested = configured(a={"rule": [{"group": refers('aws_x.vpc["k"].id')}]}, free={}, vpc={})
    assert chosen({"resources": nested}) == ("aws_x.free", "module.m.aws_x.a[0]")
    waits = [{"address": "aws_x.a", "depends_on": ["aws_x.b"]}, *configured(b={"x": refers("aws_x.vpc.id")})]
    assert chosen({"resources": waits}) == ("aws_x.free", "module.m.aws_x.a[0]")
    read = [
        *configured(a={"x": refers("data.aws_y.d.id")}),
        {"address": "data.aws_y.d", "expressions": {"x": refers("aws_x.vpc.id")}},
    ]
    assert chosen({"resources": read}) == ("aws_x.free", "module.m.aws_x.a[0]")


def test_what_is_passed_to_a_module_and_put_out_by_it_is_a_reference_too() -> None:
    inside = {
        "resources": configured(a={"vpc_id": refers("var.vpc")}),
        "outputs": {"made": {"expression": refers("aws_x.a.id")}},
    }
    calls = {"m": {"expressions": {"vpc": refers("aws_x.vpc.id")}, "module": inside}}
    assert chosen({"module_calls": calls}) == ("aws_x.a", "aws_x.free")
    root = configured(a={"x": refers("module.m.made")})
    assert chosen({"resources": root, "module_calls": calls}) == ("aws_x.free",)
