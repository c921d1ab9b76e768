"""What exists in the demo's cloud, and what a Terraform state says exists.

Both sides give identities that can be compared: ARNs where there are some, ids where not. What the
cloud makes by itself (default VPCs, a network's default security group) is no resource of anybody.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import boto3
from botocore.config import Config


def identities_in_state(state: Mapping[str, Any]) -> set[str]:
    """Everything that names a resource of a state file (format version 4): ids and ARNs."""
    identities: set[str] = set()
    for resource in state.get("resources", []):
        if resource.get("mode") != "managed":
            continue
        for instance in resource.get("instances", []):
            attributes = instance.get("attributes") or {}
            identities.update(str(attributes[name]) for name in ("id", "arn") if attributes.get(name))
            if resource.get("type") == "aws_iam_role_policy_attachment":
                # Its id is random: what it joins is what it is.
                identities.add(f"{attributes.get('role')}/{attributes.get('policy_arn')}")
    return identities


def resources_in_state(state: Mapping[str, Any]) -> int:
    """How many managed resources a state file holds."""
    managed = (resource for resource in state.get("resources", []) if resource.get("mode") == "managed")
    return sum(len(resource.get("instances", [])) for resource in managed)


class CloudInventory:
    """Reads the demo's cloud with its own credentials, service by service; changes nothing."""

    def __init__(self, *, endpoint: str | None, access_key: str, secret_key: str, regions: Iterable[str]) -> None:
        """
        Args:
            endpoint: the cloud's `http://host:port`; None: the services' own.
            access_key: an access key id that it knows.
            secret_key: its secret.
            regions: the cloud's regions to look at; global services are read once.
        """
        self._session = boto3.Session(aws_access_key_id=access_key, aws_secret_access_key=secret_key)
        self._config = Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"total_max_attempts": 2},
            proxies={},
            s3={"addressing_style": "path"},
        )
        self._endpoint = endpoint
        self._regions = tuple(regions)

    def read(self) -> dict[str, str]:
        """Identity -> `type name`, for people, of everything that exists.

        Raises:
            botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: the cloud did not answer.
        """
        found: dict[str, str] = {}
        for identity, what in self._global():
            found[identity] = what
        for region in self._regions:
            for reader in (self._messaging, self._storage, self._access, self._network):
                for identity, what in reader(region):
                    found[identity] = f"{what} ({region})"
        return found

    def _client(self, service: str, region: str) -> Any:
        return self._session.client(service, region_name=region, endpoint_url=self._endpoint, config=self._config)

    def _pages(self, service: str, region: str, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
        client = self._client(service, region)
        if client.can_paginate(operation):
            for page in client.get_paginator(operation).paginate(**arguments):
                yield from page.get(key) or ()
        else:
            yield from getattr(client, operation)(**arguments).get(key) or ()

    def _global(self) -> Iterator[tuple[str, str]]:
        region = self._regions[0]
        for bucket in self._pages("s3", region, "list_buckets", "Buckets"):
            yield f"arn:aws:s3:::{bucket['Name']}", f"bucket {bucket['Name']}"
        for policy in self._pages("iam", region, "list_policies", "Policies", Scope="Local"):
            yield policy["Arn"], f"IAM policy {policy['PolicyName']}"
        for role in self._pages("iam", region, "list_roles", "Roles"):
            name = role["RoleName"]
            yield role["Arn"], f"IAM role {name}"
            for inline in self._pages("iam", region, "list_role_policies", "PolicyNames", RoleName=name):
                yield f"{name}:{inline}", f"inline policy {inline} of role {name}"
            attached = self._pages("iam", region, "list_attached_role_policies", "AttachedPolicies", RoleName=name)
            for policy in attached:
                yield f"{name}/{policy['PolicyArn']}", f"attachment of {policy['PolicyName']} to role {name}"

    def _messaging(self, region: str) -> Iterator[tuple[str, str]]:
        sqs = self._client("sqs", region)
        for url in self._pages("sqs", region, "list_queues", "QueueUrls"):
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
            yield attributes["QueueArn"], f"queue {url.rpartition('/')[2]}"
        for topic in self._pages("sns", region, "list_topics", "Topics"):
            yield topic["TopicArn"], f"topic {topic['TopicArn'].rpartition(':')[2]}"
        for subscription in self._pages("sns", region, "list_subscriptions", "Subscriptions"):
            yield subscription["SubscriptionArn"], f"subscription of {subscription['Endpoint']}"
        for rule in self._pages("events", region, "list_rules", "Rules"):
            yield rule["Arn"], f"event rule {rule['Name']}"
        for alarm in self._pages("cloudwatch", region, "describe_alarms", "MetricAlarms"):
            yield alarm["AlarmArn"], f"alarm {alarm['AlarmName']}"

    def _storage(self, region: str) -> Iterator[tuple[str, str]]:
        dynamodb = self._client("dynamodb", region)
        for name in self._pages("dynamodb", region, "list_tables", "TableNames"):
            yield dynamodb.describe_table(TableName=name)["Table"]["TableArn"], f"table {name}"
        for repository in self._pages("ecr", region, "describe_repositories", "repositories"):
            yield repository["repositoryArn"], f"repository {repository['repositoryName']}"
        for group in self._pages("logs", region, "describe_log_groups", "logGroups"):
            # Terraform's ARN of a log group lacks the `:*` that the service puts behind it.
            yield group["arn"].removesuffix(":*"), f"log group {group['logGroupName']}"

    def _access(self, region: str) -> Iterator[tuple[str, str]]:
        for key in self._pages("kms", region, "list_keys", "Keys"):
            yield key["KeyArn"], f"KMS key {key['KeyId']}"
        for alias in self._pages("kms", region, "list_aliases", "Aliases"):
            if "TargetKeyId" in alias and not alias["AliasName"].startswith("alias/aws/"):
                yield alias["AliasArn"], f"KMS alias {alias['AliasName']}"
        for secret in self._pages("secretsmanager", region, "list_secrets", "SecretList"):
            yield secret["ARN"], f"secret {secret['Name']}"
        account = self._client("sts", region).get_caller_identity()["Account"]
        for parameter in self._pages("ssm", region, "describe_parameters", "Parameters"):
            # Not every cloud lists a parameter's ARN; its parts are known.
            name = parameter["Name"]
            yield f"arn:aws:ssm:{region}:{account}:parameter/{name.lstrip('/')}", f"parameter {name}"

    def _network(self, region: str) -> Iterator[tuple[str, str]]:
        default_vpcs = set()
        for vpc in self._pages("ec2", region, "describe_vpcs", "Vpcs"):
            if vpc["IsDefault"]:
                default_vpcs.add(vpc["VpcId"])
            else:
                yield vpc["VpcId"], f"VPC {vpc['VpcId']}"
        for subnet in self._pages("ec2", region, "describe_subnets", "Subnets"):
            if subnet["VpcId"] not in default_vpcs:
                yield subnet["SubnetId"], f"subnet {subnet['CidrBlock']}"
        for gateway in self._pages("ec2", region, "describe_internet_gateways", "InternetGateways"):
            if not any(attachment["VpcId"] in default_vpcs for attachment in gateway["Attachments"]):
                yield gateway["InternetGatewayId"], f"internet gateway {gateway['InternetGatewayId']}"
        for table in self._pages("ec2", region, "describe_route_tables", "RouteTables"):
            for association in table["Associations"]:
                if not association["Main"]:
                    yield association["RouteTableAssociationId"], f"association of route table {table['RouteTableId']}"
            if not any(association["Main"] for association in table["Associations"]):
                yield table["RouteTableId"], f"route table {table['RouteTableId']}"
        custom = set()
        for group in self._pages("ec2", region, "describe_security_groups", "SecurityGroups"):
            if group["GroupName"] != "default":
                custom.add(group["GroupId"])
                yield group["GroupId"], f"security group {group['GroupName']}"
        for rule in self._pages("ec2", region, "describe_security_group_rules", "SecurityGroupRules"):
            if rule["GroupId"] in custom:
                yield rule["SecurityGroupRuleId"], f"rule {rule['SecurityGroupRuleId']} of {rule['GroupId']}"
