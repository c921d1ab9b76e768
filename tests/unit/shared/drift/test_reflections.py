"""Attributes that show other resources of the same state."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.drift.instances import instances
from shared.drift.reflections import Reflections
from tests.unit.shared.drift.support import resource, state

ROLE = resource("aws_iam_role.r", {"id": "r", "name": "r", "arn": "arn:aws:iam::1:role/r"})
POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
#: The same, as IAM gives it back.
SPELLED = json.dumps({"Statement": [{"Action": ["s3:*"], "Effect": "Allow", "Resource": "*"}], "Version": "2012-10-17"})
INLINE = resource("aws_iam_role_policy.p", {"id": "r:p", "role": "r", "name": "p", "policy": POLICY})
GROUP = resource("aws_security_group.g", {"id": "sg-1", "name": "g"})


def rule(port: int, *cidrs: str, kind: str = "ingress", name: str = "x") -> Any:
    values = {"security_group_id": "sg-1", "type": kind, "from_port": port, "to_port": port, "protocol": "tcp"}
    return resource(f"aws_security_group_rule.{name}{port}", {**values, "cidr_blocks": [*cidrs], "self": False})


def element(port: int, *cidrs: str) -> dict[str, Any]:
    shown = {"from_port": port, "to_port": port, "protocol": "tcp", "cidr_blocks": [*cidrs]}
    return {**shown, "description": "", "self": False, "ipv6_cidr_blocks": []}


def explained(attribute: str, before: Any, after: Any, *held: Any) -> bool:
    known = instances(state(*held))
    first = next(iter(known.values()))
    return Reflections(known.values()).explain(first, attribute, before, after)


def test_a_policy_of_the_state_is_one_that_nobody_put_there_outside() -> None:
    shown = [{"name": "p", "policy": SPELLED}]
    assert explained("inline_policy", [], shown, ROLE, INLINE)
    assert not explained("inline_policy", [], shown, ROLE)


def test_another_policy_was_put_there_outside() -> None:
    assert not explained("inline_policy", [], [{"name": "evil", "policy": SPELLED}], ROLE, INLINE)
    other = SPELLED.replace("s3:*", "*")
    assert not explained("inline_policy", [], [{"name": "p", "policy": other}], ROLE, INLINE)
    both = [{"name": "p", "policy": SPELLED}, {"name": "evil", "policy": SPELLED}]
    assert not explained("inline_policy", [], both, ROLE, INLINE)


def test_a_policy_of_another_role_explains_nothing() -> None:
    other = resource("aws_iam_role_policy.p", {"id": "s:p", "role": "s", "name": "p", "policy": POLICY})
    assert not explained("inline_policy", [], [{"name": "p", "policy": SPELLED}], ROLE, other)


def test_what_is_missing_was_removed_by_an_apply_or_is_told_of_the_resource_itself() -> None:
    assert explained("inline_policy", [{"name": "p", "policy": SPELLED}], [], ROLE)


def test_one_element_may_show_several_rules_that_differ_in_their_lists_only() -> None:
    rules = rule(22, "10.0.0.0/8"), rule(22, "10.1.0.0/16", name="y"), rule(80, "0.0.0.0/0")
    assert explained("ingress", [], [element(22, "10.0.0.0/8", "10.1.0.0/16")], GROUP, *rules)
    # Port and address are each in some rule, and together in none.
    assert not explained("ingress", [], [element(22, "10.0.0.0/8", "0.0.0.0/0")], GROUP, *rules)
    assert not explained("ingress", [], [element(22, "0.0.0.0/0")], GROUP, *rules)


def test_a_rule_for_one_direction_explains_nothing_of_the_other() -> None:
    assert not explained("ingress", [], [element(22, "10.0.0.0/8")], GROUP, rule(22, "10.0.0.0/8", kind="egress"))
    assert explained("egress", [], [element(22, "10.0.0.0/8")], GROUP, rule(22, "10.0.0.0/8", kind="egress"))


BUCKET = resource("aws_s3_bucket.b", {"id": "b", "bucket": "b", "arn": "arn:aws:s3:::b"})


def test_where_one_resource_decides_the_whole_attribute_it_is_that_ones_to_tell() -> None:
    versioning = resource("aws_s3_bucket_versioning.v", {"id": "b", "bucket": "b"})
    off, on = [{"enabled": False}], [{"enabled": True}]
    assert explained("versioning", off, on, BUCKET, versioning)
    assert not explained("versioning", off, on, BUCKET)
    elsewhere = resource("aws_s3_bucket_versioning.v", {"id": "c", "bucket": "c"})
    assert not explained("versioning", off, on, BUCKET, elsewhere)


PARENT = resource("a_parent.p", {"id": "p-1"})


@pytest.mark.parametrize(
    ("child", "after", "expected"),
    [
        ({"parent": "p-1", "name": "x", "port": 7}, [{"name": "x", "port": 7, "extra": None}], True),
        ({"parent": "p-1", "name": "x", "port": 7}, [{"name": "x", "port": 8}], False),
        ({"parent": "p-2", "name": "x", "port": 7}, [{"name": "x", "port": 7}], False),
        ({"parent": "p-1", "name": "x"}, [{}], False),
        ({"parent": "p-1", "key": "k", "value": "v"}, {"k": "v"}, True),
        ({"parent": "p-1", "key": "k", "value": "v"}, {"k": "w"}, False),
    ],
)
def test_of_other_types_a_resource_that_depends_on_it_has_to_account_for_everything_new(
    child: dict[str, Any], after: Any, expected: bool
) -> None:
    dependent = resource("a_child.c", child, depends_on=["a_parent.p"])
    assert explained("children", [] if isinstance(after, list) else {}, after, PARENT, dependent) is expected
    stranger = resource("a_child.c", child)
    assert not explained("children", [] if isinstance(after, list) else {}, after, PARENT, stranger)


def test_of_other_types_nothing_may_be_missing_or_replaced() -> None:
    dependent = resource("a_child.c", {"parent": "p-1", "name": "x"}, depends_on=["a_parent.p"])
    assert not explained("children", [{"name": "y"}], [{"name": "x"}], PARENT, dependent)
    assert not explained("child", "y", "x", PARENT, dependent)
    assert not explained("size", 1, 2, PARENT, dependent)


def test_of_other_types_what_was_set_on_the_one_that_depends_as_well_explains_nothing() -> None:
    parent = resource("aws_subnet.n", {"id": "subnet-1", "tags": {}})
    child = {"id": "i-1", "subnet_id": "subnet-1"}
    then = instances(state(parent, resource("aws_instance.i", child, depends_on=["aws_subnet.n"])))
    set_too = {"tag": [{"key": "by", "value": "somebody"}]}
    tagged = resource("aws_instance.i", {**child, **set_too}, depends_on=["aws_subnet.n"])
    now = instances(state(parent, tagged))
    subnet = next(one for one in now.values() if one.type == "aws_subnet")
    after = {"by": "somebody"}
    assert Reflections(now.values()).explain(subnet, "tags", {}, after), "as far as anybody can tell without the state"
    assert not Reflections(now.values(), then).explain(subnet, "tags", {}, after)
    assert Reflections(now.values(), now).explain(subnet, "tags", {}, after), "the state had it already"
