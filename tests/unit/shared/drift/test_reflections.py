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


def test_a_port_from_zero_on_is_none_from_another_one_on() -> None:
    wide = {**element(443, "0.0.0.0/0"), "from_port": 0}
    shown = {
        "security_group_id": "sg-1",
        "from_port": 443,
        "to_port": 443,
        "ip_protocol": "tcp",
        "cidr_ipv4": "0.0.0.0/0",
    }
    newer = resource("aws_vpc_security_group_ingress_rule.r", {"id": "sgr-1", **shown})
    for one in (rule(443, "0.0.0.0/0"), newer):
        assert explained("ingress", [], [element(443, "0.0.0.0/0")], GROUP, one)
        assert not explained("ingress", [], [wide], GROUP, one)


def test_all_ports_are_zero_to_zero_and_no_port_at_all() -> None:
    shown = {
        "security_group_id": "sg-1",
        "from_port": None,
        "to_port": None,
        "ip_protocol": "-1",
        "cidr_ipv4": "10.0.0.0/8",
    }
    everything = {**element(0, "10.0.0.0/8"), "protocol": "-1"}
    newer = resource("aws_vpc_security_group_egress_rule.r", {"id": "sgr-1", **shown})
    assert explained("egress", [], [everything], GROUP, newer)


def test_a_number_that_is_a_rules_and_one_that_is_a_ports_are_two_things() -> None:
    acl = resource("aws_network_acl.a", {"id": "acl-1"})
    values = {"network_acl_id": "acl-1", "egress": False, "rule_number": 100, "rule_action": "allow", "protocol": "6"}
    held = resource("aws_network_acl_rule.r", {**values, "from_port": 443, "to_port": 443, "cidr_block": "0.0.0.0/0"})
    shown = {"action": "allow", "protocol": "6", "from_port": 443, "to_port": 443, "cidr_block": "0.0.0.0/0"}
    assert explained("ingress", [], [{**shown, "rule_no": 100}], acl, held)
    assert not explained("ingress", [], [{**shown, "rule_no": 443, "from_port": 0}], acl, held)
    assert not explained("ingress", [], [{**shown, "rule_no": 443}], acl, held)


@pytest.mark.parametrize(
    ("attribute", "kind", "values"),
    [
        ("logging", "aws_s3_bucket_logging", {"target_bucket": "b"}),
        ("replication_configuration", "aws_s3_bucket_replication_configuration", {"rule": [{"destination": "b"}]}),
    ],
)
def test_what_only_mentions_a_bucket_decides_nothing_of_it(attribute: str, kind: str, values: dict[str, Any]) -> None:
    of_another = resource(f"{kind}.x", {"id": "app", "bucket": "app", **values})
    assert not explained(attribute, [], [{"target_bucket": "stranger"}], BUCKET, of_another)
    assert explained(attribute, [], [{"target_bucket": "x"}], BUCKET, resource(f"{kind}.x", {"bucket": "b"}))


def test_a_policy_that_a_user_of_the_same_name_has_is_none_of_the_role() -> None:
    attached = {"policy_arn": "arn:p", "users": ["r"], "roles": []}
    assert not explained("managed_policy_arns", [], ["arn:p"], ROLE, resource("aws_iam_policy_attachment.a", attached))
    attached = {"policy_arn": "arn:p", "roles": ["r"]}
    assert explained("managed_policy_arns", [], ["arn:p"], ROLE, resource("aws_iam_policy_attachment.a", attached))


MANAGED = resource("aws_iam_policy.p", {"id": "arn:p", "arn": "arn:p", "name": "app"})
ON_ROLE = resource("aws_iam_role_policy_attachment.a", {"policy_arn": "arn:p", "role": "app"})
ON_MANY = resource("aws_iam_policy_attachment.b", {"policy_arn": "arn:p", "roles": ["app"], "users": ["anna", "bert"]})
IN_ROLE = resource("aws_iam_role.r", {"id": "app", "name": "app", "managed_policy_arns": ["arn:p"]})


@pytest.mark.parametrize(
    ("held", "most"),
    [([], 0), ([ON_ROLE], 1), ([IN_ROLE, ON_ROLE], 1), ([ON_MANY], 3), ([ON_ROLE, ON_MANY, IN_ROLE], 3)],
)
def test_a_count_is_explained_as_far_as_the_state_accounts_for_it(held: list[Any], most: int) -> None:
    for count in range(5):
        assert explained("attachment_count", 9, count, MANAGED, *held) is (count <= most)
    assert not explained("attachment_count", 1, None, MANAGED, *held)


def test_a_mount_target_that_the_state_does_not_hold_was_made_outside() -> None:
    system = resource("aws_efs_file_system.f", {"id": "fs-1", "arn": "arn:fs"})
    target = resource("aws_efs_mount_target.t", {"id": "fsmt-1", "file_system_id": "fs-1"})
    assert explained("number_of_mount_targets", 0, 1, system, target)
    assert not explained("number_of_mount_targets", 1, 2, system, target)


def test_a_domain_beside_the_one_of_the_state_was_made_outside() -> None:
    pool = resource("aws_cognito_user_pool.p", {"id": "eu_1", "arn": "arn:p", "name": "p"})
    domain = resource("aws_cognito_user_pool_domain.d", {"id": "pfx", "domain": "pfx", "user_pool_id": "eu_1"})
    assert explained("domain", "", "pfx", pool, domain)
    assert not explained("custom_domain", "", "login.example", pool, domain)


def test_an_address_that_was_given_to_somebody_else_is_told() -> None:
    address = resource("aws_eip.e", {"id": "eipalloc-1"})
    held = {"id": "eipassoc-1", "allocation_id": "eipalloc-1", "instance_id": "i-1"}
    association = resource("aws_eip_association.a", held)
    assert explained("instance", "", "i-1", address, association)
    assert not explained("instance", "", "i-stranger", address, association)


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
