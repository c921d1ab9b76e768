"""Finds what a plan would make although something of that name is there, in no state. Pure but for `Transport`.

Asked before anything of a deployment is applied, for the types of `upserts`: their creates take over or overwrite what
is there, and whoever deleted it later would delete somebody else's. What was not answered may exist. What the plan does
not know the name of yet is not asked for, and neither is what the state holds already.

A deployment that continues an unfinished try finds what that one made. The journal says so, and what that try itself
had found stays found.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote
from xml.etree import ElementTree

from shared.models import JournalRecord
from shared.recovery.answers import root_of, text_at
from shared.recovery.building import Call, CallBuilder
from shared.recovery.lookups import items_in
from shared.recovery.placing import Placing
from shared.recovery.questions import EVERYWHERE, Answer, NotAnswered, Transport
from shared.recovery.rules import names_of, rules_of, same
from shared.recovery.upserts import UPSERTS, Question
from shared.recovery.views import read_plan
from shared.rollback.precedents import Precedents
from shared.safety.entries import Existing

#: Calls for one plan; what is more may exist.
MAX_CALLS: Final = 500
_NAME: Final = re.compile(r"\{(\w+)(?::([^}]*))?\}")
_CUT_SHORT: Final = re.compile(r'<NextToken>|<nextToken>|<IsTruncated>true|"[nN]extToken": ?"')
_STS: Final = "2011-06-15"
#: Services without regions.
_GLOBAL: Final = EVERYWHERE - {"s3"}


@dataclass(frozen=True, kw_only=True)
class _Named:
    """Something with a name, as a plan says it."""

    address: str
    type: str
    values: Mapping[str, Any]
    unknown: Mapping[str, Any]
    """By attributes that only the apply will tell."""
    region: str | None
    """Where it is; None: nobody knows."""

    @property
    def question(self) -> Question:
        return UPSERTS[self.type]


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What names are made of and no resource says; empty: nobody knows."""

    region: str = ""
    """The target's."""
    account: str = ""
    partition: str = ""
    zones: Mapping[str, str] = field(default_factory=dict)
    """Names of hosted zones by their ids."""


class _NotKnownYet(Exception):  # noqa: N818  # named after what happened
    """What the name of something will be."""


def find_existing(
    plan: Mapping[str, Any],
    *,
    region: str,
    precedents: Precedents,
    made: Iterable[JournalRecord],
    transport: Transport,
) -> frozenset[Existing]:
    """Ask about everything that a plan would make, and whose create would not be refused.

    Args:
        plan: `terraform show -json` of it.
        region: the target's.
        precedents: unfinished tries that the deployment continues.
        made: journaled creates that no successful run has settled.
        transport: makes calls.

    Returns:
        What exists, and what may.
    """
    placing = Placing(plan, region)
    wanted = _wanted(plan, placing)
    if not wanted:
        return frozenset()
    facts = _facts(wanted, region, transport)
    held = {key for one in _held(plan, placing) for key in _keys(one, facts)}
    asked = [(one, key[0]) for one in wanted for key in _keys(one, facts) if key[0] is None or key not in held]
    calls = list(dict.fromkeys(call for _, call in asked if call is not None))[:MAX_CALLS]
    answers = dict(zip(calls, _answers(calls, transport), strict=True))
    ours = [record for record in made if record.run_id in precedents.tries]
    before = {one.address for one in precedents.existing}
    ids = {(one.type, one.id) for one in precedents.existing if one.id is not None}
    found = []
    for one, call in asked:
        there = _there(one, None if call is None else answers.get(call), facts)
        if there is None:
            continue
        if there.address in before or (there.type, there.id) in ids or not any(_made(record, one) for record in ours):
            found.append(there)
    return frozenset(found)


def _wanted(plan: Mapping[str, Any], placing: Placing) -> list[_Named]:
    found = []
    for change in plan.get("resource_changes") or ():
        detail = change.get("change") or {}
        values = detail.get("after") or {}
        question = UPSERTS.get(change.get("type"))
        if question is None or change.get("mode") != "managed" or "create" not in (detail.get("actions") or ()):
            continue
        unknown = detail.get("after_unknown") or {}
        if question.only_if and not values.get(question.only_if) and not unknown.get(question.only_if):
            continue
        address = str(change["address"])
        found.append(
            _Named(
                address=address,
                type=change["type"],
                values=values,
                unknown=unknown,
                region=placing.region_of(address, values),
            )
        )
    return found


def _held(plan: Mapping[str, Any], placing: Placing) -> list[_Named]:
    return [
        _Named(
            address=one.address,
            type=one.type,
            values=one.values,
            unknown={},
            region=placing.region_of(one.address, one.values),
        )
        for one in read_plan(plan).held
        if one.type in UPSERTS
    ]


def _facts(wanted: Sequence[_Named], region: str, transport: Transport) -> _Facts:
    """Two kinds of questions that others need the answers of."""
    builder = CallBuilder(region)
    ids = sorted({zone for one in wanted if "{fqdn}" in _text(one) and (zone := _word("zone_id", one, _Facts()))})
    calls = [builder.rest("route53", f"/2013-04-01/hostedzone/{quote(one, safe='')}", "") for one in ids]
    if any("{account}" in _text(one) for one in wanted):
        calls.append(builder.query("sts", "GetCallerIdentity", _STS, {}))
    zones: dict[str, str] = {}
    account = partition = ""
    for call, answer in zip(calls, _answers(calls, transport), strict=True):
        try:
            root = root_of(answer.body)
        except ElementTree.ParseError:
            continue
        if call.service == "sts":
            account = text_at(root, "GetCallerIdentityResult/Account")
            partition = text_at(root, "GetCallerIdentityResult/Arn").partition(":")[2].partition(":")[0]
        elif name := text_at(root, "HostedZone/Name").rstrip("."):
            zones[call.path.rpartition("/")[2]] = name
    return _Facts(region=region, account=account, partition=partition, zones=zones)


def _answers(calls: Sequence[Call], transport: Transport) -> Sequence[Answer]:
    nothing = [Answer(status=0, body="") for _ in calls]
    try:
        return (transport(calls) if calls else None) or nothing
    except (NotAnswered, ValueError, KeyError, TypeError):
        return nothing


def _text(one: _Named) -> str:
    question = one.question
    return " ".join((question.operation, *(value for _, value in question.parameters)))


type _Key = tuple[Call | None, tuple[str | None, ...]]


def _keys(one: _Named, facts: _Facts) -> tuple[_Key, ...]:
    """The call that asks for it, and by what it is told in the answer; no call: nobody can ask.

    Empty: the plan does not say yet what it will be called.
    """
    try:
        match = tuple(_filled(value, one, facts) for _, value in one.question.match)
        return tuple((call, match) for call in _calls(one, facts))
    except _NotKnownYet:
        return ()


def _calls(one: _Named, facts: _Facts) -> tuple[Call | None, ...]:
    """The call that asks for it; None: nobody can ask. Raises `_NotKnownYet`."""
    question = one.question
    region = one.region or (facts.region if question.service in _GLOBAL else None)
    filled = {name: _filled(value, one, facts) for name, value in question.parameters}
    word, _, rest = question.operation.partition(" ")
    path, _, query = (_filled(part, one, facts, quoted=True) for part in rest.partition("?"))
    if region is None or path is None or query is None or None in filled.values():
        return (None,)
    known = {name: value for name, value in filled.items() if value is not None}
    builder = CallBuilder(region)
    if word in ("GET", "HEAD"):
        at = "us-east-1" if question.service in _GLOBAL else region
        return (builder.rest(question.service, path, query, region=at, method=word),)
    if rest:
        return (builder.query(question.service, word, rest, known),)
    body = {name.removesuffix("[]"): [value] if name.endswith("[]") else value for name, value in known.items()}
    return (builder.json(question.service, word, body),)


def _filled(template: str, one: _Named, facts: _Facts, *, quoted: bool = False) -> str | None:
    """A template with all names in it; None where the target does not tell one. Raises `_NotKnownYet`."""
    words = {}
    for name, default in _NAME.findall(template):
        if (word := _word(name, one, facts)) is None:
            has_default = f"{{{name}:{default}}}" in template
            if one.unknown.get(name) or not has_default:
                raise _NotKnownYet
            word = default
        if not word and name in ("account", "partition", "fqdn", "region"):
            return None
        words[name] = quote(word, safe="/~" if name == "key" else "~") if quoted else word
    return _NAME.sub(lambda match: words[match[1]], template)


def _word(name: str, one: _Named, facts: _Facts) -> str | None:
    match name:
        case "account" | "partition":
            return str(getattr(facts, name))
        case "region":
            return one.region or ""
        case "fqdn":
            return _fqdn(one, facts)
    value = one.values.get(name)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None


def _fqdn(one: _Named, facts: _Facts) -> str | None:
    """The name of a record with that of its zone, which a configuration may leave out."""
    name, zone_id = one.values.get("name"), one.values.get("zone_id")
    if not isinstance(name, str) or not isinstance(zone_id, str):
        return None
    zone, name = facts.zones.get(zone_id, ""), name.rstrip(".").lower()
    if not zone or name == zone or name.endswith(f".{zone}"):
        return name if zone else ""
    return f"{name}.{zone}" if name else zone


def _there(one: _Named, answer: Answer | None, facts: _Facts) -> Existing | None:
    """What is there, or may be; None: nothing is."""
    may_be = Existing(address=one.address, type=one.type)
    question = one.question
    if answer is None or answer.status == 0:
        return may_be
    words = question.missing
    if (
        answer.status == 404
        if not words
        else answer.status in (400, 404) and any(word in answer.body for word in words)
    ):
        return None
    if answer.status != 200:
        return may_be
    try:
        wanted = [(path, _filled(value, one, facts) or "") for path, value in question.match]
        items = _items(question, answer.body)
    except (ElementTree.ParseError, ValueError):
        return may_be
    matching = [item for item in items if all(_is(item.get(path, ""), value) for path, value in wanted)]
    if not matching:
        cut_short = not question.sorted and _CUT_SHORT.search(answer.body) is not None
        return may_be if cut_short else None
    name = matching[0].get(question.id[1:]) if question.id.startswith("@") else _filled(question.id, one, facts)
    return may_be.model_copy(update={"id": name or None, "certain": True})


def _items(question: Question, body: str) -> list[Mapping[str, str]]:
    """What an answer lists, as far as it is asked for."""
    paths = [path for path, _ in question.match]
    if "." in question.operation.partition(" ")[0]:
        paths.append(question.id.removeprefix("@"))
        listed = items_in(json.loads(body), question.items)
        return [{path: str(item[path]) for path in paths if item.get(path)} for item in listed]
    if not question.items:
        return [{}]
    return [{path: text_at(item, path) for path in paths} for item in root_of(body).findall(question.items)]


def _is(said: str, wanted: str) -> bool:
    # Route 53 ends names with a dot, and escapes an asterisk.
    return bool(said) if wanted == "*" else said.rstrip(".").replace("\\052", "*") == wanted.rstrip(".")


def _made(record: JournalRecord, one: _Named) -> bool:
    """Whether a journaled call made what has that name."""
    here = record.service in EVERYWHERE or one.region in (None, record.region)
    return here and any(rule.type == one.type and same(rule, names_of(record), one.values) for rule in rules_of(record))
