"""Asks the cloud what exists of the types that only an id tells apart, or whose id the journal may not know.

Pure but for the `Transport` that is passed in. A type whose questions were not all answered is left out of the result:
not knowing is not the same as knowing that there is nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

from shared.models import JournalRecord
from worker.recovery import Candidate, PlanView
from worker.recovery_rules import RULES

MAX_KEYS = 200
MAX_FILTER_VALUES = 200


@dataclass(frozen=True, kw_only=True)
class Call:
    """One signed call; the names are those of `signed_call.sign`."""

    service: str
    region: str
    host: str
    method: str = "POST"
    path: str = "/"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


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


@dataclass(frozen=True, kw_only=True)
class _Ec2:
    """How one EC2 type is described."""

    action: str
    items: str
    id: str
    id_filter: str
    attributes: Mapping[str, str]
    """Terraform's name -> path in the answer's item."""


_EC2: dict[str, _Ec2] = {
    "aws_vpc": _Ec2(
        action="DescribeVpcs", items="vpcSet", id="vpcId", id_filter="vpc-id", attributes={"cidr_block": "cidrBlock"}
    ),
    "aws_subnet": _Ec2(
        action="DescribeSubnets",
        items="subnetSet",
        id="subnetId",
        id_filter="subnet-id",
        attributes={"cidr_block": "cidrBlock", "vpc_id": "vpcId", "availability_zone": "availabilityZone"},
    ),
    "aws_internet_gateway": _Ec2(
        action="DescribeInternetGateways",
        items="internetGatewaySet",
        id="internetGatewayId",
        id_filter="internet-gateway-id",
        attributes={"vpc_id": "attachmentSet/item/vpcId"},
    ),
    "aws_route_table": _Ec2(
        action="DescribeRouteTables",
        items="routeTableSet",
        id="routeTableId",
        id_filter="route-table-id",
        attributes={"vpc_id": "vpcId"},
    ),
    "aws_security_group": _Ec2(
        action="DescribeSecurityGroups",
        items="securityGroupInfo",
        id="groupId",
        id_filter="group-id",
        attributes={"name": "groupName", "vpc_id": "vpcId", "description": "groupDescription"},
    ),
}
_RULE_ATTRIBUTES = {
    "security_group_id": "groupId",
    "ip_protocol": "ipProtocol",
    "from_port": "fromPort",
    "to_port": "toPort",
    "cidr_ipv4": "cidrIpv4",
    "cidr_ipv6": "cidrIpv6",
    "prefix_list_id": "prefixListId",
    "referenced_security_group_id": "referencedGroupInfo/groupId",
    "description": "description",
}
_RULES = {"aws_vpc_security_group_ingress_rule": "false", "aws_vpc_security_group_egress_rule": "true"}


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
        rule = RULES.get((record.service, record.operation))
        if rule is not None:
            by_type.setdefault(rule.type, []).append(record)
    asker = _Asker(view, region, transport)
    found: dict[str, tuple[Candidate, ...]] = {}
    for kind, made in by_type.items():
        try:
            if kind in _EC2:
                found[kind] = tuple(asker.ec2(kind, made))
            elif kind in _RULES:
                found[kind] = tuple(asker.group_rules(kind, made))
            elif kind == "aws_kms_key":
                found[kind] = tuple(asker.keys(made))
            elif kind == "aws_route53_zone":
                found[kind] = tuple(asker.zones(made))
            elif kind == "aws_iam_policy" and any(not _ids([record], "arn") for record in made):
                found[kind] = tuple(asker.policies(made))
            elif kind == "aws_secretsmanager_secret" and any(not _ids([record], "arn") for record in made):
                found[kind] = tuple(asker.secrets(made))
        except (NotAnswered, ElementTree.ParseError, ValueError, KeyError, TypeError):
            continue
    return found


class _Asker:
    """Builds questions and reads answers."""

    def __init__(self, view: PlanView, region: str, transport: Transport) -> None:
        self._view = view
        self._region = region
        self._suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        self._transport = transport

    def ec2(self, kind: str, made: Sequence[JournalRecord]) -> list[Candidate]:
        """Everything with an id of the journal or with the tags of something planned."""
        spec = _EC2[kind]
        filters: list[dict[str, list[str]]] = []
        if ids := _ids(made, spec.id):
            filters.append({spec.id_filter: sorted(ids)[:MAX_FILTER_VALUES]})
        if any(not _ids([record], spec.id) for record in made):
            tagged = [res.values.get("tags") for res in self._planned_or_held(kind)]
            wanted = [{f"tag:{key}": [str(value)] for key, value in tags.items()} for tags in tagged if tags]
            if not wanted:
                raise NotAnswered(f"nothing planned of type {kind} has tags to look for")
            filters += [tags for number, tags in enumerate(wanted) if tags not in wanted[:number]]
        found: dict[str, Candidate] = {}
        for answer in self._ask([self._query("ec2", spec.action, "2016-11-15", _filters(item)) for item in filters]):
            for item in _items(answer, spec.items):
                candidate = Candidate(
                    id=_text(item, spec.id),
                    attributes=_attributes(item, spec.attributes),
                    tags={_text(tag, "key"): _text(tag, "value") for tag in item.findall("tagSet/item")},
                )
                # A VPC's main table was made with it, by nobody's call.
                if _text(item, "associationSet/item/main") != "true":
                    found[candidate.id] = candidate
        return list(found.values())

    def group_rules(self, kind: str, made: Sequence[JournalRecord]) -> list[Candidate]:
        """Every rule of the groups that the journal names; ours by their place, so tags are not asked for."""
        groups = sorted(_ids(made, "groupid"))[:MAX_FILTER_VALUES]
        if not groups:
            raise NotAnswered("the journal names no security group")
        call = self._query("ec2", "DescribeSecurityGroupRules", "2016-11-15", _filters({"group-id": groups}))
        found = []
        for item in _items(self._ask([call])[0], "securityGroupRuleSet"):
            if _text(item, "isEgress") == _RULES[kind]:
                attributes = _attributes(item, _RULE_ATTRIBUTES)
                if attributes.get("ip_protocol") == "-1":
                    # All ports: the service says -1, Terraform says nothing.
                    attributes = {key: value for key, value in attributes.items() if not key.endswith("_port")}
                found.append(Candidate(id=_text(item, "securityGroupRuleId"), attributes=attributes))
        return found

    def keys(self, made: Sequence[JournalRecord]) -> list[Candidate]:
        """Keys that are not about to be deleted, with description and tags."""
        ids = _ids(made, "keyid")
        if any(not _ids([record], "keyid") for record in made):
            listed = json.loads(self._ask([self._json("kms", "TrentService.ListKeys", {"Limit": 1000})])[0])
            ids |= {str(key["KeyId"]) for key in listed["Keys"]}
            if listed.get("Truncated") or len(ids) > MAX_KEYS:
                raise NotAnswered(f"more than {MAX_KEYS} keys to look through")
        found = []
        for key in sorted(ids):
            described, tags = self._transport(
                [
                    self._json("kms", "TrentService.DescribeKey", {"KeyId": key}),
                    self._json("kms", "TrentService.ListResourceTags", {"KeyId": key}),
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
                    )
                )
        return found

    def zones(self, made: Sequence[JournalRecord]) -> list[Candidate]:
        """Hosted zones of the names that the journal holds."""
        names = sorted({value.rstrip(".") for record in made for value in _ids([record], "name")})
        if not names:
            raise NotAnswered("the journal names no zone")
        calls = [
            self._rest("route53", "/2013-04-01/hostedzonesbyname", f"dnsname={quote(name, safe='')}&maxitems=100")
            for name in names
        ]
        found: dict[str, Candidate] = {}
        for name, answer in zip(names, self._ask(calls), strict=True):
            for zone in _root(answer).findall("HostedZones/HostedZone"):
                if _text(zone, "Name").rstrip(".") != name:
                    continue
                identifier = _text(zone, "Id").rpartition("/")[2]
                (tags,) = self._ask([self._rest("route53", f"/2013-04-01/tags/hostedzone/{identifier}", "")])
                found[identifier] = Candidate(
                    id=identifier,
                    attributes={"name": name, "comment": _text(zone, "Config/Comment")},
                    tags={
                        _text(tag, "Key"): _text(tag, "Value") for tag in _root(tags).findall("ResourceTagSet/Tags/Tag")
                    },
                )
        return list(found.values())

    def policies(self, made: Sequence[JournalRecord]) -> list[Candidate]:
        """Managed policies of the journal's names, in this account."""
        (identity,) = self._ask([self._query("sts", "GetCallerIdentity", "2011-06-15", {})])
        root = _root(identity)
        account = _text(root, "GetCallerIdentityResult/Account")
        partition = _text(root, "GetCallerIdentityResult/Arn").split(":")[1]
        found = []
        for name in sorted(_ids(made, "policyname")):
            planned = [item for item in self._planned_or_held("aws_iam_policy") if item.values.get("name") == name]
            path = str(planned[0].values.get("path") or "/") if planned else "/"
            arn = f"arn:{partition}:iam::{account}:policy{path}{name}"
            (answer,) = self._transport([self._query("iam", "GetPolicy", "2010-05-08", {"PolicyArn": arn})])
            if answer.status == 200:
                found.append(Candidate(id=arn, attributes={"name": name}))
            elif answer.status != 404:
                raise NotAnswered(answer.body[:200])
        return found

    def secrets(self, made: Sequence[JournalRecord]) -> list[Candidate]:
        """Secrets of the journal's names; their ARN ends in random characters."""
        found = []
        for name in sorted(_ids(made, "name")):
            call = self._json("secretsmanager", "secretsmanager.DescribeSecret", {"SecretId": name})
            (answer,) = self._transport([call])
            if answer.status == 200:
                found.append(Candidate(id=str(json.loads(answer.body)["ARN"]), attributes={"name": name}))
            elif not (answer.status in (400, 404) and "ResourceNotFound" in answer.body):
                raise NotAnswered(answer.body[:200])
        return found

    def _planned_or_held(self, kind: str) -> list[Any]:
        return [item for item in self._view.creates + self._view.held if item.type == kind]

    def _ask(self, calls: Sequence[Call]) -> list[str]:
        answers = self._transport(calls)
        for answer in answers:
            if answer.status != 200 or "<nextToken>" in answer.body:
                raise NotAnswered(answer.body[:200])
        return [answer.body for answer in answers]

    def _query(self, service: str, action: str, version: str, parameters: Mapping[str, str]) -> Call:
        host = f"{service}.{self._suffix}" if service == "iam" else f"{service}.{self._region}.{self._suffix}"
        return Call(
            service=service,
            region="us-east-1" if service == "iam" else self._region,
            host=host,
            headers={"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
            body=urlencode({"Action": action, "Version": version, **parameters}),
        )

    def _json(self, service: str, target: str, body: Mapping[str, Any]) -> Call:
        return Call(
            service=service,
            region=self._region,
            host=f"{service}.{self._region}.{self._suffix}",
            headers={"content-type": "application/x-amz-json-1.1", "x-amz-target": target},
            body=json.dumps(body),
        )

    def _rest(self, service: str, path: str, query: str) -> Call:
        return Call(
            service=service, region="us-east-1", host=f"{service}.{self._suffix}", method="GET", path=path, query=query
        )


def _filters(wanted: Mapping[str, Sequence[str]]) -> dict[str, str]:
    parameters = {}
    for number, (name, values) in enumerate(wanted.items(), start=1):
        parameters[f"Filter.{number}.Name"] = name
        for position, value in enumerate(values, start=1):
            parameters[f"Filter.{number}.Value.{position}"] = value
    return parameters


def _ids(records: Iterable[JournalRecord], name: str) -> set[str]:
    """Values that the records have under `name`, whatever its case; answers before requests."""
    found = set()
    for record in records:
        for source in (record.outcome_resource, record.resource):
            values = [value for key, value in source.items() if key.rpartition(".")[2].lower() == name.lower()]
            if values:
                found.add(values[0])
                break
    return found


def _root(text: str) -> ElementTree.Element:
    root = ElementTree.fromstring(text)  # noqa: S314  # expat bounds entity expansion; the answer is bounded
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _items(text: str, name: str) -> list[ElementTree.Element]:
    return _root(text).findall(f"{name}/item")


def _text(element: ElementTree.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _attributes(item: ElementTree.Element, names: Mapping[str, str]) -> dict[str, str]:
    found = {attribute: _text(item, path) for attribute, path in names.items()}
    return {attribute: value for attribute, value in found.items() if value}
