"""Which journaled calls make which Terraform resources, and what identifies them: one table.

Measured with hashicorp/aws 5.100. A second create of what exists already either fails (then only an import helps), is
answered with what exists (`adopts`), or makes a second one (no name identifies it: `anonymous`).
Not here: calls that may be repeated without harm, see `REPEATABLE`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One operation that makes one type of resource."""

    service: str
    """Signing name."""
    operation: str
    """As in the service's API reference."""
    type: str
    """Terraform's resource type."""
    same: tuple[tuple[str, str], ...] = ()
    """(name in the journal, attribute in Terraform): all that are known on both sides have to be equal."""
    import_id: str = ""
    """What `terraform import` takes, built from names in the journal; empty: from a query only."""
    adopts: bool = False
    """A second create returns the first one's resource."""
    anonymous: bool = False
    """Only its id tells two of them apart; the journal's answer or a query supplies it."""


_NAMED = (
    # service, operation, type, ((journal, attribute), ...), import id, adopts
    ("s3", "CreateBucket", "aws_s3_bucket", (("Bucket", "bucket"),), "{Bucket}", False),
    ("dynamodb", "CreateTable", "aws_dynamodb_table", (("TableName", "name"),), "{TableName}", False),
    ("iam", "CreateRole", "aws_iam_role", (("RoleName", "name"),), "{RoleName}", False),
    ("iam", "CreatePolicy", "aws_iam_policy", (("PolicyName", "name"),), "{Arn}", False),
    (
        "iam",
        "CreateInstanceProfile",
        "aws_iam_instance_profile",
        (("InstanceProfileName", "name"),),
        "{InstanceProfileName}",
        False,
    ),
    ("iam", "CreateUser", "aws_iam_user", (("UserName", "name"),), "{UserName}", False),
    ("iam", "CreateGroup", "aws_iam_group", (("GroupName", "name"),), "{GroupName}", False),
    ("ssm", "PutParameter", "aws_ssm_parameter", (("Name", "name"),), "{Name}", False),
    ("kms", "CreateAlias", "aws_kms_alias", (("AliasName", "name"),), "{AliasName}", False),
    ("logs", "CreateLogGroup", "aws_cloudwatch_log_group", (("logGroupName", "name"),), "{logGroupName}", False),
    (
        "logs",
        "CreateLogStream",
        "aws_cloudwatch_log_stream",
        (("logGroupName", "log_group_name"), ("logStreamName", "name")),
        "{logGroupName}:{logStreamName}",
        False,
    ),
    ("secretsmanager", "CreateSecret", "aws_secretsmanager_secret", (("Name", "name"),), "{ARN}", False),
    ("ecr", "CreateRepository", "aws_ecr_repository", (("repositoryName", "name"),), "{repositoryName}", False),
    (
        "ec2",
        "AssociateRouteTable",
        "aws_route_table_association",
        (("RouteTableId", "route_table_id"), ("SubnetId", "subnet_id"), ("GatewayId", "gateway_id")),
        "{SubnetId}/{RouteTableId}",
        False,
    ),
    ("sqs", "CreateQueue", "aws_sqs_queue", (("QueueName", "name"),), "{QueueUrl}", True),
    ("sns", "CreateTopic", "aws_sns_topic", (("Name", "name"),), "{TopicArn}", True),
    (
        "sns",
        "Subscribe",
        "aws_sns_topic_subscription",
        (("TopicArn", "topic_arn"), ("Endpoint", "endpoint"), ("Protocol", "protocol")),
        "{SubscriptionArn}",
        True,
    ),
    ("events", "PutRule", "aws_cloudwatch_event_rule", (("Name", "name"),), "{Name}", True),
    (
        "monitoring",
        "PutMetricAlarm",
        "aws_cloudwatch_metric_alarm",
        (("AlarmName", "alarm_name"),),
        "{AlarmName}",
        True,
    ),
)

_ANONYMOUS = (
    # service, operation, type, import id
    ("ec2", "CreateVpc", "aws_vpc", "{VpcId}"),
    ("ec2", "CreateSubnet", "aws_subnet", "{SubnetId}"),
    ("ec2", "CreateInternetGateway", "aws_internet_gateway", "{InternetGatewayId}"),
    ("ec2", "CreateRouteTable", "aws_route_table", "{RouteTableId}"),
    ("ec2", "CreateSecurityGroup", "aws_security_group", "{GroupId}"),
    ("ec2", "AuthorizeSecurityGroupIngress", "aws_vpc_security_group_ingress_rule", "{SecurityGroupRuleId}"),
    ("ec2", "AuthorizeSecurityGroupEgress", "aws_vpc_security_group_egress_rule", "{SecurityGroupRuleId}"),
    ("kms", "CreateKey", "aws_kms_key", "{KeyId}"),
    ("route53", "CreateHostedZone", "aws_route53_zone", "{Id}"),
)

RULES: dict[tuple[str, str], Rule] = {
    (service, operation): Rule(
        service=service, operation=operation, type=kind, same=same, import_id=import_id, adopts=adopts
    )
    for service, operation, kind, same, import_id, adopts in _NAMED
} | {
    (service, operation): Rule(service=service, operation=operation, type=kind, import_id=import_id, anonymous=True)
    for service, operation, kind, import_id in _ANONYMOUS
}

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
