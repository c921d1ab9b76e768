"""Which planned resource refers to which."""

from __future__ import annotations

from typing import Any

import pytest

from shared.recovery.references import references_of, referred, value_of


def plan(**expressions: Any) -> dict[str, Any]:
    resource = {"address": "aws_x.y", "expressions": expressions}
    module = {"resources": [resource], "module_calls": {"net": {"module": {"resources": [resource]}}}}
    return {"configuration": {"root_module": module}}


def refer(*references: str) -> dict[str, list[str]]:
    return {"references": list(references)}


def test_plain_references_to_one_resource_are_found_in_modules_too() -> None:
    found = references_of(plan(vpc_id=refer("aws_vpc.this.id", "aws_vpc.this"), name={"constant_value": "n"}))
    assert found == {"aws_x.y": {"vpc_id": "aws_vpc.this.id"}, "module.net.aws_x.y": {"vpc_id": "aws_vpc.this.id"}}


@pytest.mark.parametrize(
    "references",
    [
        ("var.name",),
        ("each.value",),
        ("local.name",),
        ("data.aws_vpc.this.id", "data.aws_vpc.this"),
        ("module.net.vpc_id", "module.net"),
        ("aws_vpc.this.id", "aws_vpc.this", "aws_subnet.a.id", "aws_subnet.a"),
        ("aws_vpc.this", "each.key"),
        ("aws_vpc.this",),
        (),
    ],
)
def test_nothing_else_counts(references: tuple[str, ...]) -> None:
    assert references_of(plan(vpc_id=refer(*references))) == {}
    assert references_of({}) == {}


def test_an_expression_of_a_block_is_no_reference() -> None:
    assert references_of(plan(rule=[{"name": refer("aws_vpc.this.id", "aws_vpc.this")}])) == {}


def test_an_instance_refers_within_its_own_module() -> None:
    references = {"module.net.aws_x.y": {"subnet_id": 'aws_subnet.a["b"].id'}}
    assert referred('module.net["eu"].aws_x.y[0]', references) == {"subnet_id": 'module.net["eu"].aws_subnet.a["b"].id'}
    assert referred("aws_x.y", references) == {}


def test_a_reference_is_what_is_known_of_it() -> None:
    known = {'aws_subnet.a["b.c"]': {"id": "subnet-1", "tags": {}, "arn": ""}}
    assert value_of('aws_subnet.a["b.c"].id', known) == "subnet-1"
    for unknown in ('aws_subnet.a["b.c"].tags', 'aws_subnet.a["b.c"].arn', "aws_subnet.a.id"):
        assert value_of(unknown, known) is None
