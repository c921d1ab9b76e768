"""Which journaled calls make which Terraform resources, and what identifies them.

The table itself is `table`. Not in it: calls that may be repeated without harm, see `REPEATABLE`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from shared.models import JournalRecord
from shared.recovery.table import TABLE, Rule

RULES: dict[tuple[str, str], Rule] = {(rule.service, rule.operation): rule for rule in TABLE}
#: What an import can be made of: the named list of docs/recovery.md.
IMPORTABLE: tuple[str, ...] = tuple(sorted({rule.type for rule in TABLE}))

# First words of operations that make something of their own. All others (Put…, Attach…, Add…, Enable…, Authorize…) set
# a property of something else: repeating them converges or fails in plain sight.
MAKERS = (
    "Create",
    "Run",
    "Allocate",
    "Request",
    "Register",
    "Import",
    "Copy",
    "Restore",
    "Purchase",
    "Provision",
    "Launch",
)

# Named like makers, and yet repeatable, or part of something that is looked at itself.
REPEATABLE = frozenset(
    {
        ("ec2", "CreateTags"),
        ("ec2", "CreateRoute"),  # part of its table; a second one is refused
        ("ec2", "CreateNetworkAclEntry"),  # part of its list
        ("iam", "CreatePolicyVersion"),
        ("s3", "CreateMultipartUpload"),
        ("s3", "CopyObject"),
        ("elasticloadbalancing", "RegisterTargets"),
        ("autoscaling", "CreateOrUpdateTags"),
    }
)


def makes_something(service: str, operation: str) -> bool:
    """Whether a call of this operation has to be accounted for after a cut.

    Args:
        service: signing name.
        operation: empty or `Unknown` when no model knows it; such a call counts.
    """
    if (service, operation) in RULES:
        return True
    if (service, operation) in REPEATABLE:
        return False
    return operation in ("", "Unknown") or operation.startswith(MAKERS)


def names_of(record: JournalRecord) -> dict[str, str]:
    """Names of a call by their last part, in lower case; what the answer says wins over the request.

    Args:
        record: the call.
    """
    names: dict[str, str] = {}
    for source in (record.outcome_resource, record.resource):
        for key, value in source.items():
            names.setdefault(leaf(key), value)
    return names


def leaf(name: str) -> str:
    """The last part of a journaled name that is no number, in lower case: `InstanceId.1` is `instanceid`.

    Args:
        name: as the proxy wrote it down.
    """
    parts = [part for part in name.split(".") if not part.isdigit() and part != "member"]
    return (parts[-1] if parts else name).lower()


def import_id(rule: Rule, names: Mapping[str, str]) -> str | None:
    """What `terraform import` takes; None when a name that it is made of is not known.

    Args:
        rule: of the call.
        names: result of `names_of`.
    """
    wanted = re.findall(r"\{(\w+)\}", rule.import_id)
    if not wanted or not all(names.get(name.lower()) for name in wanted):
        return None
    filled = re.sub(r"\{(\w+)\}", lambda match: names[match[1].lower()], rule.import_id)
    # Route 53 answers with `/hostedzone/Z…` and takes the last part.
    return filled.rpartition("/")[2] if filled.startswith("/hostedzone/") else filled


def same(rule: Rule, names: Mapping[str, str], values: Mapping[str, Any]) -> bool:
    """Whether all identifying attributes that both sides know are equal, and there is at least one.

    Args:
        rule: of the call.
        names: result of `names_of`.
        values: attributes of a resource.
    """
    known = _known(rule, names, values)
    return bool(known) and all(left == right for left, right in known)


def differs(rule: Rule, names: Mapping[str, str], values: Mapping[str, Any]) -> bool:
    """Whether an identifying attribute that both sides know is another one.

    Args:
        rule: of the call.
        names: result of `names_of`.
        values: attributes of a resource.
    """
    return any(left != right for left, right in _known(rule, names, values))


def _known(rule: Rule, names: Mapping[str, str], values: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs = [(names.get(name.lower()), values.get(attribute)) for name, attribute in rule.same]
    return [(left.rstrip("."), str(right).rstrip(".")) for left, right in pairs if left and right is not None]
