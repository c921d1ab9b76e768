"""Which journaled calls make which Terraform resources, and what identifies them.

The table itself is `table`. Not in it: calls that may be repeated without harm, see `REPEATABLE`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from shared.models import JournalRecord
from shared.recovery.table import TABLE, Rule

#: By service and operation.
BY_CALL: Final[Mapping[tuple[str, str], tuple[Rule, ...]]] = {
    call: tuple(rule for rule in TABLE if (rule.service, rule.operation) == call)
    for call in dict.fromkeys((rule.service, rule.operation) for rule in TABLE)
}
#: What an import can be made of: the named list of docs/recovery.md.
IMPORTABLE: Final[tuple[str, ...]] = tuple(sorted({rule.type for rule in TABLE if rule.import_id}))
#: Attributes that a configuration may give without what the cloud's name ends with: the name of the zone.
_SHORT: Final = frozenset({("aws_route53_record", "fqdn|name")})
#: Of what is part of something else, attributes that have to be known beside that: one that is not known (yet) is that
#: of something which is still to be made.
_TELLING: Final = frozenset(
    {"key", "rule_number", "egress", "type", "set_identifier", "fqdn|name"}
    | {"destination_cidr_block|destination_ipv6_cidr_block|destination_prefix_list_id"}
)

_NAME: Final = re.compile(r"\{([\w|]+)\}")
_OPTIONAL: Final = re.compile(r"\[([^\]]+)\]")

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
        ("iam", "CreatePolicyVersion"),
        ("s3", "CreateMultipartUpload"),
        ("autoscaling", "CreateOrUpdateTags"),
    }
)


def rules_of(call: JournalRecord) -> tuple[Rule, ...]:
    """The rules that say what a call makes; more than one where types share an operation.

    Args:
        call: journaled.
    """
    rules = BY_CALL.get((call.service, call.operation), ())
    if not any(rule.where for rule in rules):
        return rules
    asked = {leaf(name): value for name, value in call.resource.items()}
    return tuple(
        rule for rule in rules if all(asked.get(name.lower()) in values.split("|") for name, values in rule.where)
    )


def rule_of(call: JournalRecord) -> Rule | None:
    """The first rule that says what a call makes.

    Args:
        call: journaled.
    """
    return next(iter(rules_of(call)), None)


def is_part(service: str, operation: str) -> bool:
    """Whether all that an operation makes is set on something else.

    Args:
        service: signing name.
        operation: of the service.
    """
    rules = BY_CALL.get((service, operation), ())
    return bool(rules) and all(rule.part for rule in rules)


def makes_something(call: JournalRecord) -> bool:
    """Whether a call has to be accounted for after a cut. One whose operation is not known has to.

    Args:
        call: changes something.
    """
    if rules_of(call):
        return True
    if (call.service, call.operation) in REPEATABLE:
        return False
    return call.operation in ("", "Unknown") or call.operation.startswith(MAKERS)


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
    needed = _OPTIONAL.sub(lambda match: match[1] if _filled(match[1], names) is not None else "", rule.import_id)
    filled = _filled(needed, names) if needed else None
    # Route 53 answers with `/hostedzone/Z…` and takes the last part.
    return filled.rpartition("/")[2] if filled is not None and filled.startswith("/hostedzone/") else filled


def _filled(template: str, names: Mapping[str, str]) -> str | None:
    wanted = {found: named(names, found) for found in _NAME.findall(template)}
    if not all(wanted.values()):
        return None
    return _NAME.sub(lambda match: wanted[match[1]] or "", template)


def as_planned(rule: Rule, values: Mapping[str, Any]) -> dict[str, str]:
    """The names of an import that a configuration writes in its own way.

    Args:
        rule: of the call.
        values: attributes of what is planned.
    """
    own = {name.lower(): text_of(values.get(attribute)) for name, attribute in rule.as_planned}
    return {name: text for name, text in own.items() if text}


def named(names: Mapping[str, str], alternatives: str) -> str | None:
    """The first of some names that is known.

    Args:
        names: result of `names_of`.
        alternatives: with `|` between them.
    """
    return next((found for name in alternatives.split("|") if (found := names.get(name.lower()))), None)


def text_of(value: Any) -> str:
    """A scalar as the cloud writes it; empty for nothing.

    Args:
        value: of an attribute.
    """
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def same(rule: Rule, names: Mapping[str, str], values: Mapping[str, Any]) -> bool:
    """Whether all identifying attributes that both sides know are equal, and there is at least one.

    Of what is part of something else, that has to be known: a name within it says nothing without it.

    Args:
        rule: of the call.
        names: result of `names_of`.
        values: attributes of a resource.
    """
    if rule.part and any(
        named(names, name) and value_of(values, attribute) is None for name, attribute in _needed(rule)
    ):
        return False
    known = _known(rule, names, values)
    return rule.alone or (bool(known) and all(known))


def _needed(rule: Rule) -> tuple[tuple[str, str], ...]:
    """The pairs of `Rule.same` that have to be known on both sides where the call names them."""
    return tuple(pair for at, pair in enumerate(rule.same) if rule.part and (at == 0 or pair[1] in _TELLING))


def is_short(rule: Rule, attribute: str) -> bool:
    """Whether a configuration may write an attribute without the end that the cloud's name has.

    Args:
        rule: of a call.
        attribute: as in `Rule.same`.
    """
    return (rule.type, attribute) in _SHORT


def differs(rule: Rule, names: Mapping[str, str], values: Mapping[str, Any]) -> bool:
    """Whether an identifying attribute that both sides know is another one.

    Args:
        rule: of the call.
        names: result of `names_of`.
        values: attributes of a resource.
    """
    return not all(_known(rule, names, values))


def _known(rule: Rule, names: Mapping[str, str], values: Mapping[str, Any]) -> list[bool]:
    """Of each attribute that both sides know, whether it is the same."""
    found = []
    for name, attribute in rule.same:
        value = value_of(values, attribute)
        if (asked := named(names, name)) and value is not None:
            found.append(_equal(asked.rstrip("."), value, short=is_short(rule, attribute)))
    return found


def value_of(values: Mapping[str, Any], attribute: str) -> Any:
    """The first alternative of an attribute that says something, else the first that is known; None: none is.

    Args:
        values: of a resource.
        attribute: as in `Rule.same`.
    """
    known = [value for one in attribute.split("|") if (value := values.get(one)) is not None]
    return next((one for one in known if one != ""), known[0] if known else None)


def _equal(asked: str, value: Any, *, short: bool) -> bool:
    if isinstance(value, list):
        return asked in map(text_of, value)
    text = text_of(value).rstrip(".")
    return asked == text or (short and bool(text) and asked.startswith(f"{text}."))
