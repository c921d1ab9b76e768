"""Security groups that a rollback made again and that let everything out since, which no plan tells. Pure.

EC2 lets everything out of a new group, and hashicorp/aws takes that away as the second step of its creation ("NOTE on
Egress rules" of aws_security_group). A creation that was cut in between leaves the group open; and what a configuration
leaves out, as most leave out `egress`, a plan does not look at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from shared.rollback.records import MAX_ID, FirstResource
from shared.rollback.states import Instance

#: The only type of which anything is said here.
OPEN_TYPE: Final = "aws_security_group"
_EVERYWHERE: Final = "0.0.0.0/0"


def opened(first: Collection[Instance], final: Collection[Instance]) -> Iterator[FirstResource]:
    """Those whose rule for that is in no other resource of the final state, and was not there before.

    Args:
        first: objects of the first state.
        final: objects of the final one.
    """
    before = {one.address: one for one in first if one.type == OPEN_TYPE and one.deposed is None}
    ruled = {str(one.attributes.get("security_group_id")) for one in final if _is_such_a_rule(one)}
    for one in final:
        was, made = before.get(one.address), one.attributes.get("id")
        if one.type != OPEN_TYPE or one.deposed is not None or was is None or not isinstance(made, str):
            continue
        again = made != was.attributes.get("id") and made not in ruled
        if again and _lets_everything_out(one) and not _lets_everything_out(was):
            yield FirstResource(address=one.address, type=one.type, id=made if 0 < len(made) <= MAX_ID else None)


def _lets_everything_out(group: Instance) -> bool:
    rules = group.attributes.get("egress")
    return isinstance(rules, list) and any(_all_of(rule, "protocol") for rule in rules if isinstance(rule, dict))


def _is_such_a_rule(one: Instance) -> bool:
    if one.type == "aws_vpc_security_group_egress_rule":
        return one.attributes.get("ip_protocol") == "-1" and one.attributes.get("cidr_ipv4") == _EVERYWHERE
    return (
        one.type == "aws_security_group_rule"
        and one.attributes.get("type") == "egress"
        and _all_of(one.attributes, "protocol")
    )


def _all_of(rule: Mapping[str, Any], protocol: str) -> bool:
    blocks = rule.get("cidr_blocks")
    return rule.get(protocol) in ("-1", "all") and isinstance(blocks, list) and _EVERYWHERE in blocks
