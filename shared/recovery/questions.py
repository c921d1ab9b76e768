"""Asks the cloud what exists of the types that only an id tells apart, or whose id the journal may not know.

Pure but for the `Transport` that is passed in. A type whose questions were not all answered is left out of the result:
not knowing is not the same as knowing that there is nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from shared.models import JournalRecord
from shared.recovery.answers import attributes_at, described, items_of, looked_up, root_of, text_at
from shared.recovery.building import Call, CallBuilder
from shared.recovery.calls import was_answered
from shared.recovery.described import ASSOCIATION_ATTRIBUTES, EC2, RULE_ATTRIBUTES, RULE_DIRECTIONS
from shared.recovery.lookups import LOOKUPS, Lookup, instant
from shared.recovery.rules import leaf, rule_of
from shared.recovery.views import Candidate, PlanView, tags_of

MAX_KEYS = 200
MAX_FILTER_VALUES = 200
#: Services that answer for all regions, or refuse a question that belongs into another one.
EVERYWHERE = frozenset({"iam", "route53", "s3"})


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    """HTTP status; 0: no answer."""
    body: str
    """Its text."""


Transport = Callable[[Sequence[Call]], Sequence[Answer]]


class NotAnswered(Exception):  # noqa: N818  # named after what happened, as in shared.errors
    """A question was refused, cut short or not answered; nothing follows from it."""


def query_candidates(
    records: Sequence[JournalRecord], view: PlanView, *, region: str, transport: Transport
) -> dict[str, tuple[Candidate, ...]]:
    """Ask about every type that needs it.

    Args:
        records: the creates to account for.
        view: the plan; the tags of what it would make are part of the questions.
        region: the cloud's region.
        transport: makes calls.

    Returns:
        By Terraform type; a type that could not be asked for is missing.
    """
    by_type: dict[str, list[JournalRecord]] = {}
    for record in records:
        rule = rule_of(record)
        if rule is not None:
            by_type.setdefault(rule.type, []).append(record)
    asker = _Asker(view, region, transport)
    found: dict[str, tuple[Candidate, ...]] = {}
    for kind, made in by_type.items():
        lost = any(not was_answered(record) for record in made)
        if any(record.service not in EVERYWHERE and record.region != region for record in made):
            continue  # asked here, what is in another region would seem to be gone
        try:
            if kind in EC2:
                found[kind] = tuple(asker.ec2(kind, made))
            elif kind in RULE_DIRECTIONS:
                found[kind] = tuple(asker.group_rules(kind, made))
            elif kind == "aws_route_table_association":
                found[kind] = tuple(asker.associations(made))
            elif kind == "aws_kms_key":
                found[kind] = tuple(asker.keys(made))
            elif kind == "aws_route53_zone":
                found[kind] = tuple(asker.zones(made))
            elif kind == "aws_iam_policy" and lost:
                found[kind] = tuple(asker.policies(made))
            elif kind in LOOKUPS and lost:
                found[kind] = tuple(asker.by_name(LOOKUPS[kind], made))
        except (NotAnswered, ElementTree.ParseError, ValueError, KeyError, TypeError):
            continue
    return found


class _Asker(CallBuilder):
    """Builds questions and reads answers."""

    def __init__(self, view: PlanView, region: str, transport: Transport) -> None:
        super().__init__(region)
        self._view = view
        self._transport = transport

    def ec2(self, kind: str, made: Sequence[JournalRecord]) -> list[Candidate]:
        """Everything with an id of the journal or with the tags of something planned."""
        spec = EC2[kind]
        wanted: list[dict[str, str]] = []
        known = _ids(made, spec.id)
        if known:
            ids = _few(known, f"ids of {kind}")
            by_parameter = {f"{spec.id_parameter}.{number}": value for number, value in enumerate(ids, start=1)}
            wanted.append(_filters({spec.id_filter: ids}) if spec.id_filter else by_parameter)
        if any(not _ids([record], spec.id) for record in made):
            tagged = [tags for res in self._planned_or_held(kind) if (tags := tags_of(res.values))]
            if not tagged:
                raise NotAnswered(f"nothing planned of type {kind} has tags to look for")
            by_tags = [_filters({f"tag:{key}": [value] for key, value in tags.items()}) for tags in tagged]
            wanted += [filters for number, filters in enumerate(by_tags) if filters not in by_tags[:number]]
        found: dict[str, Candidate] = {}
        calls = [self.query("ec2", spec.action, "2016-11-15", item) for item in wanted]
        for answer in self._transport(calls):
            if spec.id_parameter and answer.status == 400 and ".NotFound" in answer.body:
                continue  # a filter finds nothing; a parameter says so
            found |= {item.id: item for item in described(spec, _whole(answer), known)}
        return list(found.values())

    def by_name(self, lookup: Lookup, made: Sequence[JournalRecord]) -> list[Candidate]:
        """What the cloud has of the journal's names, and since when."""
        found: list[Candidate] = []
        for name in sorted(_ids(made, lookup.journal)):
            (answer,) = self._transport([self._lookup_call(lookup, name)])
            if answer.status in (400, 404) and any(word in answer.body for word in lookup.missing):
                continue
            cut_short = '"Truncated":true' in answer.body.replace(" ", "") or "<NextToken>" in answer.body
            if answer.status != 200 or cut_short:
                raise NotAnswered(answer.body[:200])
            found += looked_up(lookup, name, answer.body)
        return found

    def group_rules(self, kind: str, made: Sequence[JournalRecord]) -> list[Candidate]:
        """Every rule of the groups that the journal names; ours by their place, so tags are not asked for."""
        groups = _few(_ids(made, "groupid"), "security groups")
        call = self.query("ec2", "DescribeSecurityGroupRules", "2016-11-15", _filters({"group-id": groups}))
        found = []
        for item in items_of(self._ask([call])[0], "securityGroupRuleSet"):
            if text_at(item, "isEgress") == RULE_DIRECTIONS[kind]:
                attributes = attributes_at(item, RULE_ATTRIBUTES)
                if attributes.get("ip_protocol") == "-1":
                    # All ports: the service says -1, Terraform says nothing.
                    attributes = {key: value for key, value in attributes.items() if not key.endswith("_port")}
                found.append(Candidate(id=text_at(item, "securityGroupRuleId"), attributes=attributes))
        return found

    def associations(self, made: Sequence[JournalRecord]) -> list[Candidate]:
        """Every association of the route tables that the journal names; those of a table that is gone are gone."""
        tables = _few(_ids(made, "routetableid"), "route tables")
        call = self.query("ec2", "DescribeRouteTables", "2016-11-15", _filters({"route-table-id": tables}))
        found = []
        for item in items_of(self._ask([call])[0], "routeTableSet/item/associationSet"):
            # What it is not an association of is said as well: a subnet's is no gateway's.
            attributes = {name: text_at(item, path) for name, path in ASSOCIATION_ATTRIBUTES.items()}
            other = attributes["subnet_id"] or attributes["gateway_id"]
            if other and not text_at(item, "associationState/state").startswith("disassociat"):
                found.append(Candidate(id=f"{other}/{attributes['route_table_id']}", attributes=attributes))
        return found

    def keys(self, made: Sequence[JournalRecord]) -> list[Candidate]:
        """Keys that are not about to be deleted, with description and tags."""
        ids = _ids(made, "keyid")
        if any(not _ids([record], "keyid") for record in made):
            listed = json.loads(self._ask([self.json("kms", "TrentService.ListKeys", {"Limit": 1000})])[0])
            ids |= {str(key["KeyId"]) for key in listed["Keys"]}
            if listed.get("Truncated") or len(ids) > MAX_KEYS:
                raise NotAnswered(f"more than {MAX_KEYS} keys to look through")
        found = []
        for key in sorted(ids):
            described, tags = self._transport(
                [
                    self.json("kms", "TrentService.DescribeKey", {"KeyId": key}),
                    self.json("kms", "TrentService.ListResourceTags", {"KeyId": key}),
                ]
            )
            if described.status in (400, 404) and "NotFound" in described.body:
                continue
            if described.status != 200 or tags.status != 200:
                raise NotAnswered(described.body[:200])
            metadata = json.loads(described.body)["KeyMetadata"]
            if metadata.get("KeyState") != "PendingDeletion":
                found.append(
                    Candidate(
                        id=str(metadata["KeyId"]),
                        attributes={"description": str(metadata.get("Description", ""))},
                        tags={str(tag["TagKey"]): str(tag["TagValue"]) for tag in json.loads(tags.body)["Tags"]},
                        created_at=instant(metadata.get("CreationDate")),
                    )
                )
        return found

    def zones(self, made: Sequence[JournalRecord]) -> list[Candidate]:
        """Hosted zones of the names that the journal holds."""
        names = sorted({value.rstrip(".") for record in made for value in _ids([record], "name")})
        if not names:
            raise NotAnswered("the journal names no zone")
        calls = [
            self.rest("route53", "/2013-04-01/hostedzonesbyname", f"dnsname={quote(name, safe='')}&maxitems=100")
            for name in names
        ]
        found: dict[str, Candidate] = {}
        for name, answer in zip(names, self._ask(calls), strict=True):
            for zone in root_of(answer).findall("HostedZones/HostedZone"):
                if text_at(zone, "Name").rstrip(".") != name:
                    continue
                identifier = text_at(zone, "Id").rpartition("/")[2]
                (tags,) = self._ask([self.rest("route53", f"/2013-04-01/tags/hostedzone/{identifier}", "")])
                found[identifier] = Candidate(
                    id=identifier,
                    attributes={"name": name, "comment": text_at(zone, "Config/Comment")},
                    tags={
                        text_at(tag, "Key"): text_at(tag, "Value")
                        for tag in root_of(tags).findall("ResourceTagSet/Tags/Tag")
                    },
                )
        return list(found.values())

    def policies(self, made: Sequence[JournalRecord]) -> list[Candidate]:
        """Managed policies of the journal's names, in this account."""
        (identity,) = self._ask([self.query("sts", "GetCallerIdentity", "2011-06-15", {})])
        root = root_of(identity)
        account = text_at(root, "GetCallerIdentityResult/Account")
        partition = text_at(root, "GetCallerIdentityResult/Arn").split(":")[1]
        found = []
        for name in sorted(_ids(made, "policyname")):
            planned = [item for item in self._planned_or_held("aws_iam_policy") if item.values.get("name") == name]
            path = str(planned[0].values.get("path") or "/") if planned else "/"
            arn = f"arn:{partition}:iam::{account}:policy{path}{name}"
            (answer,) = self._transport([self.query("iam", "GetPolicy", "2010-05-08", {"PolicyArn": arn})])
            if answer.status == 200:
                created = instant(text_at(root_of(answer.body), "GetPolicyResult/Policy/CreateDate"))
                found.append(Candidate(id=arn, attributes={"name": name}, created_at=created))
            elif answer.status != 404:
                raise NotAnswered(answer.body[:200])
        return found

    def _planned_or_held(self, kind: str) -> list[Any]:
        return [item for item in self._view.creates + self._view.held if item.type == kind]

    def _ask(self, calls: Sequence[Call]) -> list[str]:
        return [_whole(answer) for answer in self._transport(calls)]

    def _lookup_call(self, lookup: Lookup, name: str) -> Call:
        operation, _, version = lookup.operation.partition(" ")
        if operation == "GET":
            return self.rest(lookup.service, version, "", region=self._region)
        if version:
            named = {lookup.parameter: name} if lookup.parameter else {}
            return self.query(lookup.service, operation, version, named)
        return self.json(lookup.service, operation, lookup.body(name))


def _whole(answer: Answer) -> str:
    """The body of an answer that says all of it."""
    if answer.status != 200 or "<nextToken>" in answer.body:
        raise NotAnswered(answer.body[:200])
    return answer.body


def _filters(wanted: Mapping[str, Sequence[str]]) -> dict[str, str]:
    parameters = {}
    for number, (name, values) in enumerate(wanted.items(), start=1):
        parameters[f"Filter.{number}.Name"] = name
        for position, value in enumerate(values, start=1):
            parameters[f"Filter.{number}.Value.{position}"] = value
    return parameters


def _few(names: Iterable[str], what: str) -> list[str]:
    """The values of one filter. What is not asked for would seem to be gone, so with too many nothing is asked."""
    found = sorted(names)
    if not 0 < len(found) <= MAX_FILTER_VALUES:
        raise NotAnswered(f"{len(found)} {what} to ask for; a filter takes 1 to {MAX_FILTER_VALUES}")
    return found


def _ids(records: Iterable[JournalRecord], name: str) -> set[str]:
    """Values that the records have under `name`, whatever its case; answers before requests."""
    found = set()
    for record in records:
        for source in (record.outcome_resource, record.resource):
            values = [value for key, value in source.items() if leaf(key) == name.lower()]
            if values:
                found.add(values[0])
                break
    return found
