"""How a thing of a name is looked up: whether it exists, what its import takes, when it was made. One table.

A create whose answer was lost may have failed because a thing of that name existed before. When it was made tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """One read by name. Paths are written `Table.Name` for JSON and `Role/RoleName` for XML."""

    service: str
    """Signing name."""
    operation: str
    """A JSON target; an action of the query protocol with its version behind a blank; or `GET` with a path there."""
    journal: str
    """The name's name in the journal."""
    parameter: str
    """What takes the name; of JSON `X[]` is a list of one, `X=Y` a filter. Empty: everything is listed."""
    attribute: str
    """Terraform's attribute that is the name."""
    items: str
    """Path of the item, or of the list of them."""
    name: str
    """Path of the name within an item; with a `:` behind it, of an ARN that ends in the name. Empty: not said again."""
    created: str = ""
    """Path of the time at which it was made."""
    id: str = ""
    """Path of what its import takes; empty: the name."""
    missing: tuple[str, ...] = ("NotFound", "NoSuchEntity")
    """In the answer of something that does not exist."""

    def body(self, name: str) -> dict[str, Any]:
        """What is asked in JSON.

        Args:
            name: of what is looked for.
        """
        if not self.parameter:
            return {}
        member, _, key = self.parameter.partition("=")
        if key:
            return {member: [{"Key": key, "Values": [name]}]}
        return {member.removesuffix("[]"): [name] if member.endswith("[]") else name}

    @property
    def json(self) -> bool:
        """Whether it is asked in JSON."""
        return " " not in self.operation


_IAM = "2010-05-08"
_ELB = "2015-12-01"
LOOKUPS: dict[str, Lookup] = {
    "aws_autoscaling_group": Lookup(
        service="autoscaling", operation="DescribeAutoScalingGroups 2011-01-01", journal="autoscalinggroupname",
        parameter="AutoScalingGroupNames.member.1", attribute="name",
        items="DescribeAutoScalingGroupsResult/AutoScalingGroups/member", name="AutoScalingGroupName",
        created="CreatedTime",
    ),
    "aws_cloudwatch_event_archive": Lookup(
        service="events", operation="AWSEvents.DescribeArchive", journal="archivename", parameter="ArchiveName",
        attribute="name", items="", name="ArchiveName", created="CreationTime",
    ),
    "aws_cloudwatch_log_group": Lookup(
        service="logs", operation="Logs_20140328.DescribeLogGroups", journal="loggroupname",
        parameter="logGroupNamePrefix", attribute="name", items="logGroups", name="logGroupName",
        created="creationTime",
    ),
    "aws_db_instance": Lookup(
        service="rds", operation="DescribeDBInstances 2014-10-31", journal="dbinstanceidentifier",
        parameter="DBInstanceIdentifier", attribute="identifier",
        items="DescribeDBInstancesResult/DBInstances/DBInstance", name="DBInstanceIdentifier",
        created="InstanceCreateTime",
    ),
    "aws_dynamodb_table": Lookup(
        service="dynamodb", operation="DynamoDB_20120810.DescribeTable", journal="tablename", parameter="TableName",
        attribute="name", items="Table", name="TableName", created="CreationDateTime",
    ),
    "aws_ecr_repository": Lookup(
        service="ecr", operation="AmazonEC2ContainerRegistry_V20150921.DescribeRepositories",
        journal="repositoryname", parameter="repositoryNames[]", attribute="name", items="repositories",
        name="repositoryName", created="createdAt",
    ),
    "aws_iam_group": Lookup(
        service="iam", operation=f"GetGroup {_IAM}", journal="groupname", parameter="GroupName", attribute="name",
        items="GetGroupResult/Group", name="GroupName", created="CreateDate",
    ),
    "aws_iam_instance_profile": Lookup(
        service="iam", operation=f"GetInstanceProfile {_IAM}", journal="instanceprofilename",
        parameter="InstanceProfileName", attribute="name", items="GetInstanceProfileResult/InstanceProfile",
        name="InstanceProfileName", created="CreateDate",
    ),
    "aws_iam_role": Lookup(
        service="iam", operation=f"GetRole {_IAM}", journal="rolename", parameter="RoleName", attribute="name",
        items="GetRoleResult/Role", name="RoleName", created="CreateDate",
    ),
    "aws_iam_user": Lookup(
        service="iam", operation=f"GetUser {_IAM}", journal="username", parameter="UserName", attribute="name",
        items="GetUserResult/User", name="UserName", created="CreateDate",
    ),
    "aws_key_pair": Lookup(
        service="ec2", operation="DescribeKeyPairs 2016-11-15", journal="keyname", parameter="KeyName.1",
        attribute="key_name", items="keySet/item", name="keyName", created="createTime",
    ),
    "aws_kinesis_firehose_delivery_stream": Lookup(
        service="firehose", operation="Firehose_20150804.DescribeDeliveryStream", journal="deliverystreamname",
        parameter="DeliveryStreamName", attribute="name", items="DeliveryStreamDescription",
        name="DeliveryStreamName", created="CreateTimestamp", id="DeliveryStreamARN",
    ),
    "aws_kinesis_stream": Lookup(
        service="kinesis", operation="Kinesis_20131202.DescribeStreamSummary", journal="streamname",
        parameter="StreamName", attribute="name", items="StreamDescriptionSummary", name="StreamName",
        created="StreamCreationTimestamp",
    ),
    "aws_kms_alias": Lookup(
        service="kms", operation="TrentService.ListAliases", journal="aliasname", parameter="", attribute="name",
        items="Aliases", name="AliasName", created="CreationDate",
    ),
    "aws_launch_template": Lookup(
        service="ec2", operation="DescribeLaunchTemplates 2016-11-15", journal="launchtemplatename",
        parameter="LaunchTemplateName.1", attribute="name", items="launchTemplates/item", name="launchTemplateName",
        created="createTime", id="launchTemplateId",
    ),
    "aws_lb": Lookup(
        service="elasticloadbalancing", operation=f"DescribeLoadBalancers {_ELB}", journal="name",
        parameter="Names.member.1", attribute="name", items="DescribeLoadBalancersResult/LoadBalancers/member",
        name="LoadBalancerName", created="CreatedTime", id="LoadBalancerArn",
    ),
    "aws_lb_target_group": Lookup(
        service="elasticloadbalancing", operation=f"DescribeTargetGroups {_ELB}", journal="name",
        parameter="Names.member.1", attribute="name", items="DescribeTargetGroupsResult/TargetGroups/member",
        name="TargetGroupName", id="TargetGroupArn",
    ),
    "aws_s3_bucket": Lookup(
        service="s3", operation="GET /", journal="bucket", parameter="", attribute="bucket",
        items="Buckets/Bucket", name="Name", created="CreationDate",
    ),
    "aws_secretsmanager_secret": Lookup(
        service="secretsmanager", operation="secretsmanager.DescribeSecret", journal="name", parameter="SecretId",
        attribute="name", items="", name="Name", created="CreatedDate", id="ARN",
    ),
    "aws_cloudtrail": Lookup(
        service="cloudtrail", operation="com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.DescribeTrails",
        journal="name", parameter="trailNameList[]", attribute="name", items="trailList", name="Name", id="TrailARN",
    ),
    "aws_sns_topic": Lookup(
        service="sns", operation="ListTopics 2010-03-31", journal="name", parameter="", attribute="name",
        items="ListTopicsResult/Topics/member", name="TopicArn:", id="TopicArn",
    ),
    "aws_sqs_queue": Lookup(
        service="sqs", operation="AmazonSQS.GetQueueUrl", journal="queuename", parameter="QueueName",
        attribute="name", items="", name="", id="QueueUrl", missing=("QueueDoesNotExist", "NonExistentQueue"),
    ),
    "aws_ssm_parameter": Lookup(
        service="ssm", operation="AmazonSSM.DescribeParameters", journal="name", parameter="Filters=Name",
        attribute="name", items="Parameters", name="Name",  # when it was changed last says nothing: we may have
    ),
}  # fmt: skip


def instant(value: Any) -> datetime | None:
    """A service's time: seconds or milliseconds since 1970, or ISO 8601. None for what is none.

    Args:
        value: as it was answered.
    """
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        found = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def items_in(document: Any, path: str) -> list[Mapping[str, Any]]:
    """The items of a JSON answer: one, a list, or none.

    Args:
        document: the answer.
        path: `Lookup.items`.
    """
    for step in path.split(".") if path else ():
        document = document.get(step, []) if isinstance(document, Mapping) else []
    if isinstance(document, Mapping):
        return [document]
    return [item for item in document if isinstance(item, Mapping)] if isinstance(document, list) else []
