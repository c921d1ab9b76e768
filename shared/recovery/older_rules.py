"""`aws_security_group_rule`: the older type for rules of a security group, which has no id of the cloud's.

Its import takes all its values in one word. One resource may stand for several rules of the cloud's: one a source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

OLDER_RULE: Final = "aws_security_group_rule"
#: The newer types' attribute of a source -> the older type's.
_SOURCES: Final = {
    "cidr_ipv4": "cidr_blocks",
    "cidr_ipv6": "ipv6_cidr_blocks",
    "prefix_list_id": "prefix_list_ids",
    "referenced_security_group_id": "source_security_group_id",
}
_DIRECTIONS: Final = {
    "aws_vpc_security_group_ingress_rule": "ingress",
    "aws_vpc_security_group_egress_rule": "egress",
}


def older_rule_is(planned: Mapping[str, Any], kind: str, actual: Mapping[str, str]) -> bool:
    """Whether an existing rule is (one of) what a planned resource of the older type stands for.

    Args:
        planned: values of the planned one.
        kind: type of the existing one.
        actual: its attributes, by the newer types' names.
    """
    if planned.get("type") != _DIRECTIONS[kind] or not planned.get("security_group_id"):
        return False
    protocol = str(planned.get("protocol"))
    same = {
        "security_group_id": str(planned["security_group_id"]),
        "ip_protocol": "-1" if protocol == "all" else protocol,
    }
    if same["ip_protocol"] != "-1":
        same |= {name: str(planned.get(name)) for name in ("from_port", "to_port")}
    if any(actual.get(name) != value for name, value in same.items()):
        return False
    source = next(((name, actual[name]) for name in _SOURCES if actual.get(name)), None)
    if source is None:
        return False
    name, value = source
    if planned.get("self") and name == "referenced_security_group_id":
        return value == same["security_group_id"]
    wanted = planned.get(_SOURCES[name])
    return value in wanted if isinstance(wanted, list) else value == wanted


def older_rule_id(planned: Mapping[str, Any]) -> str:
    """What the import takes.

    Args:
        planned: values of the planned one.
    """
    sources: list[str] = []
    for attribute in ("cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids"):
        sources += [str(source) for source in planned.get(attribute) or ()]
    if planned.get("self"):
        sources.append("self")
    elif planned.get("source_security_group_id"):
        sources.append(str(planned["source_security_group_id"]))
    protocol = "all" if str(planned.get("protocol")) == "-1" else str(planned.get("protocol"))
    words = (planned["security_group_id"], planned["type"], protocol, planned["from_port"], planned["to_port"])
    return "_".join([str(word) for word in words] + sources)
