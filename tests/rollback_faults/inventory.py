"""Everything in one region of the cloud, attribute by attribute, as the cloud itself says it.

    Inventory.items()   what the services answer: one item for each thing that Terraform knows as a resource
    canonical(items)    with names in the place of ids, and without what no rollback can bring back

Two inventories can be compared then: a subnet that was replaced, and replaced again, has another id and is otherwise
what it was. Two things of one name stay two things.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.demo.inventory import CloudInventory

#: What stands for a target's name in the keys of an inventory.
OWN = "NAME"
#: Counters, instants and ids of the cloud's own: what was changed and changed back has others.
VOLATILE = frozenset(
    {
        "AlarmConfigurationUpdatedTimestamp",
        "AssociationId",
        "AttachmentCount",
        "AvailableIpAddressCount",
        "CreateDate",
        "LastModifiedDate",
        "OwnerId",
        "PolicyId",
        "ResponseMetadata",
        "RoleId",
        "RoleLastUsed",
        "StateReason",
        "StateReasonData",
        "StateTransitionedTimestamp",
        "StateUpdatedTimestamp",
        "UpdateDate",
        "creationTime",
        "storedBytes",
    }
)


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing in the cloud."""

    type: str
    """Its type as Terraform names it."""
    name: str
    """What it is called when its ids are left away; it may hold other things' ids, which are replaced then."""
    ids: tuple[str, ...]
    """What names it in a state or a report: id, ARN."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """What the cloud says about it."""


@dataclass(frozen=True, kw_only=True)
class Thing:
    """An item that can be compared."""

    type: str
    """Its type as Terraform names it."""
    ids: tuple[str, ...]
    """What names it; not compared."""
    attributes: Mapping[str, str]
    """By path, as JSON."""


def canonical(items: Iterable[Item], own: Mapping[str, str] | None = None) -> dict[str, Thing]:
    """The items by `type name`; a second one of the same gets `#2`.

    Args:
        items: what the cloud answered.
        own: words that belong to this target or region -> what stands for them, so that two targets can be compared.
    """
    listed = list(items)
    # The longest first: an ARN holds a name, and may hold an id.
    names = {one: f"<{item.type} {item.name}>" for item in listed for one in item.ids if _generated(one)}
    pattern = re.compile("|".join(sorted(map(re.escape, names), key=len, reverse=True))) if names else None

    words = re.compile(r"\b(" + "|".join(map(re.escape, own)) + r")\b") if own else None

    def named(text: str) -> str:
        # Twice: a name that was put in may hold an id itself, as an association's does.
        for _ in range(2 if pattern else 0):
            assert pattern is not None
            text = pattern.sub(lambda match: names[match[0]], text)
        return words.sub(lambda match: (own or {})[match[0]], text) if words else text

    found: dict[str, Thing] = {}
    for item in sorted(listed, key=lambda one: (one.type, named(one.name), one.ids)):
        key = first = f"{item.type} {named(item.name)}"
        count = 1
        while key in found:
            count += 1
            key = f"{first} #{count}"
        attributes = {path: named(value) for path, value in _flat(item.attributes)}
        found[key] = Thing(type=item.type, ids=item.ids, attributes=attributes)
    return found


def _generated(identity: str) -> bool:
    """Whether the cloud made it up: such an id has a run of hexadecimal digits."""
    return re.search(r"[0-9a-f]{8}", identity) is not None


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        if not value and path:
            yield path, "{}"
        for name in sorted(value):
            if name not in VOLATILE:
                yield from _flat(value[name], f"{path}.{name}" if path else name)
    elif isinstance(value, list | tuple):
        # Lists of a cloud have no order that anybody relies on.
        texts = sorted(json.dumps(_without_volatile(one), sort_keys=True, default=str) for one in value)
        yield path, "[" + ", ".join(texts) + "]"
    else:
        yield path, json.dumps(value, default=str)


def _without_volatile(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_volatile(one) for name, one in value.items() if name not in VOLATILE}
    return [_without_volatile(one) for one in value] if isinstance(value, list | tuple) else value


def tags_of(tags: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Tags by key."""
    return {tag["Key"]: tag["Value"] for tag in tags}


class Inventory(CloudInventory):
    """Reads one region, and of the global services what begins with a prefix."""

    def items(self, prefix: str) -> list[Item]:
        """Everything in the region, and of IAM, which is global, what begins with `prefix`.

        Raises:
            botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: the cloud did not answer.
        """
        readers = (self._network_items, self._parameter_items, self._messaging_items, self._watching_items, self._rest)
        found = [item for region in self._regions for reader in readers for item in reader(region)]
        return [*found, *self._iam(prefix)]

    def set_alarm(self, name: str, state: str) -> None:
        """The one thing that it does change: an alarm's state, which is nobody's configuration."""
        cloudwatch = self._client("cloudwatch", self._regions[0])
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="rollback-faults")

    def _network_items(self, region: str) -> Iterator[Item]:
        ours = set()
        for vpc in self._pages("ec2", region, "describe_vpcs", "Vpcs"):
            if not vpc["IsDefault"]:
                ours.add(vpc["VpcId"])
                yield _ec2("aws_vpc", vpc, "VpcId", dropped=("DhcpOptionsId",))
        for subnet in self._pages("ec2", region, "describe_subnets", "Subnets"):
            if subnet["VpcId"] in ours:
                yield _ec2("aws_subnet", subnet, "SubnetId", dropped=("SubnetArn",))
        for gateway in self._pages("ec2", region, "describe_internet_gateways", "InternetGateways"):
            if not gateway["Attachments"] or any(one["VpcId"] in ours for one in gateway["Attachments"]):
                yield _ec2("aws_internet_gateway", gateway, "InternetGatewayId")
        for table in self._pages("ec2", region, "describe_route_tables", "RouteTables"):
            if table["VpcId"] in ours and not any(one["Main"] for one in table["Associations"]):
                yield from _route_table(table)
        for group in self._pages("ec2", region, "describe_security_groups", "SecurityGroups"):
            if group["VpcId"] in ours and group["GroupName"] != "default":
                rules = list(
                    self._pages(
                        "ec2",
                        region,
                        "describe_security_group_rules",
                        "SecurityGroupRules",
                        Filters=[{"Name": "group-id", "Values": [group["GroupId"]]}],
                    )
                )
                # A group is born with a rule that lets everything out; that one is the group's own.
                born = [rule for rule in rules if rule["IsEgress"] and rule["IpProtocol"] == "-1"]
                yield _ec2(
                    "aws_security_group",
                    {**group, "everything_out": bool(born)},
                    "GroupId",
                    name=group["GroupName"],
                    dropped=("IpPermissions", "IpPermissionsEgress", "SecurityGroupArn"),
                )
                yield from (_rule(rule) for rule in rules if rule not in born)

    def _parameter_items(self, region: str) -> Iterator[Item]:
        ssm = self._client("ssm", region)
        for listed in self._pages("ssm", region, "describe_parameters", "Parameters"):
            name = listed["Name"]
            parameter = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
            # Its version counts every change, also the one that changes it back.
            parameter.pop("Version")
            tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
            attributes = {**parameter, "tier": listed.get("Tier"), "tags": tags_of(tags)}
            yield Item(type="aws_ssm_parameter", name=name, ids=(name, parameter["ARN"]), attributes=attributes)

    def _messaging_items(self, region: str) -> Iterator[Item]:
        sns = self._client("sns", region)
        for topic in self._pages("sns", region, "list_topics", "Topics"):
            arn = topic["TopicArn"]
            attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
            tags = tags_of(sns.list_tags_for_resource(ResourceArn=arn)["Tags"])
            yield Item(
                type="aws_sns_topic", name=arn.rpartition(":")[2], ids=(arn,), attributes={**attributes, "tags": tags}
            )
        for one in self._pages("sns", region, "list_subscriptions", "Subscriptions"):
            arn = one["SubscriptionArn"]
            yield Item(type="aws_sns_topic_subscription", name=one["Endpoint"], ids=(arn,), attributes=one)
        sqs = self._client("sqs", region)
        for url in self._pages("sqs", region, "list_queues", "QueueUrls"):
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            for counted in [name for name in attributes if name.startswith("Approximate") or name.endswith("stamp")]:
                attributes.pop(counted)
            name, arn = url.rpartition("/")[2], attributes["QueueArn"]
            yield Item(type="aws_sqs_queue", name=name, ids=(url, arn), attributes=attributes)

    def _watching_items(self, region: str) -> Iterator[Item]:
        cloudwatch, events, logs = (self._client(name, region) for name in ("cloudwatch", "events", "logs"))
        for alarm in self._pages("cloudwatch", region, "describe_alarms", "MetricAlarms"):
            name, arn = alarm["AlarmName"], alarm["AlarmArn"]
            tags = tags_of(cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"])
            # Its state is what its metric made of it, not what anybody configured.
            attributes = {key: value for key, value in alarm.items() if not key.startswith("StateV")}
            yield Item(
                type="aws_cloudwatch_metric_alarm", name=name, ids=(name, arn), attributes={**attributes, "tags": tags}
            )
        for rule in self._pages("events", region, "list_rules", "Rules"):
            name, arn = rule["Name"], rule["Arn"]
            tags = tags_of(events.list_tags_for_resource(ResourceARN=arn)["Tags"])
            yield Item(type="aws_cloudwatch_event_rule", name=name, ids=(name, arn), attributes={**rule, "tags": tags})
            for target in events.list_targets_by_rule(Rule=name)["Targets"]:
                ids = (f"{name}-{target['Id']}", f"{name}/{target['Id']}")
                yield Item(type="aws_cloudwatch_event_target", name=ids[1], ids=ids, attributes=target)
        for group in self._pages("logs", region, "describe_log_groups", "logGroups"):
            name, arn = group["logGroupName"], group["arn"].removesuffix(":*")
            tags = logs.list_tags_for_resource(resourceArn=arn)["tags"]
            yield Item(type="aws_cloudwatch_log_group", name=name, ids=(name, arn), attributes={**group, "tags": tags})

    def _rest(self, region: str) -> Iterator[Item]:
        """What the example has none of: whatever there is of it is nobody's."""
        for key in self._pages("kms", region, "list_keys", "Keys"):
            yield Item(type="aws_kms_key", name=key["KeyId"], ids=(key["KeyId"], key["KeyArn"]))
        for secret in self._pages("secretsmanager", region, "list_secrets", "SecretList"):
            yield Item(type="aws_secretsmanager_secret", name=secret["Name"], ids=(secret["ARN"],))
        for repository in self._pages("ecr", region, "describe_repositories", "repositories"):
            name, arn = repository["repositoryName"], repository["repositoryArn"]
            yield Item(type="aws_ecr_repository", name=name, ids=(name, arn))
        dynamodb = self._client("dynamodb", region)
        for name in self._pages("dynamodb", region, "list_tables", "TableNames"):
            table = dynamodb.describe_table(TableName=name)["Table"]
            attributes = {key: table[key] for key in ("AttributeDefinitions", "KeySchema") if key in table}
            yield Item(type="aws_dynamodb_table", name=name, ids=(name, table["TableArn"]), attributes=attributes)

    def _iam(self, prefix: str) -> Iterator[Item]:
        region = self._regions[0]
        iam = self._client("iam", region)
        for policy in self._pages("iam", region, "list_policies", "Policies", Scope="Local"):
            if not policy["PolicyName"].startswith(prefix):
                continue
            arn, version = policy["Arn"], policy.pop("DefaultVersionId")
            document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
            # Which of its versions is the default one changes with each change; what that one says must not.
            attributes = {**policy, "document": json.dumps(document, sort_keys=True)}
            attributes["tags"] = tags_of(iam.list_policy_tags(PolicyArn=arn)["Tags"])
            yield Item(
                type="aws_iam_policy", name=policy["PolicyName"], ids=(arn, policy["PolicyId"]), attributes=attributes
            )
        for role in self._pages("iam", region, "list_roles", "Roles"):
            name = role["RoleName"]
            if not name.startswith(prefix):
                continue
            tags = tags_of(iam.list_role_tags(RoleName=name)["Tags"])
            document = json.dumps(role.pop("AssumeRolePolicyDocument"), sort_keys=True)
            attributes = {**role, "assume": document, "tags": tags}
            yield Item(type="aws_iam_role", name=name, ids=(name, role["Arn"]), attributes=attributes)
            for inline in self._pages("iam", region, "list_role_policies", "PolicyNames", RoleName=name):
                document = iam.get_role_policy(RoleName=name, PolicyName=inline)["PolicyDocument"]
                yield Item(
                    type="aws_iam_role_policy",
                    name=f"{name}:{inline}",
                    ids=(f"{name}:{inline}",),
                    attributes={"document": json.dumps(document, sort_keys=True)},
                )
            attached = self._pages("iam", region, "list_attached_role_policies", "AttachedPolicies", RoleName=name)
            for policy in attached:
                both = f"{name}/{policy['PolicyArn']}"
                yield Item(type="aws_iam_role_policy_attachment", name=both, ids=(both,))


def _ec2(
    kind: str, found: Mapping[str, Any], identity: str, *, name: str | None = None, dropped: Iterable[str] = ()
) -> Item:
    tags = tags_of(found.get("Tags", ()))
    attributes = {key: value for key, value in found.items() if key not in {identity, "Tags", *dropped}}
    shown = name or tags.get("Name") or "(without a name)"
    return Item(type=kind, name=shown, ids=(found[identity],), attributes={**attributes, "tags": tags})


def _route_table(table: Mapping[str, Any]) -> Iterator[Item]:
    identity = table["RouteTableId"]
    yield _ec2("aws_route_table", table, "RouteTableId", dropped=("Routes", "Associations"))
    for route in table["Routes"]:
        if route.get("GatewayId") != "local":
            to = route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock")
            yield Item(type="aws_route", name=f"{identity} {to}", ids=(f"{identity}_{to}",), attributes=route)
    for association in table["Associations"]:
        joined = association.get("SubnetId") or association.get("GatewayId")
        yield Item(
            type="aws_route_table_association",
            name=f"{joined} {identity}",
            ids=(association["RouteTableAssociationId"], f"{joined}/{identity}"),
        )


def _rule(rule: Mapping[str, Any]) -> Item:
    direction = "egress" if rule["IsEgress"] else "ingress"
    ends = rule.get("CidrIpv4") or rule.get("ReferencedGroupInfo", {}).get("GroupId") or ""
    ports = f"{rule.get('IpProtocol')} {rule.get('FromPort')}-{rule.get('ToPort')}"
    attributes = {
        key: value
        for key, value in rule.items()
        if key not in {"SecurityGroupRuleId", "SecurityGroupRuleArn", "Tags", "GroupOwnerId"}
    }
    return Item(
        type=f"aws_vpc_security_group_{direction}_rule",
        name=f"{rule['GroupId']} {ends} {ports}",
        ids=(rule["SecurityGroupRuleId"],),
        attributes={**attributes, "tags": tags_of(rule.get("Tags", ()))},
    )
