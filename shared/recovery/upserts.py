# ruff: noqa: E501  # one question a line: a table is read across
"""Types whose create takes over or overwrites what has that name already, and how it is asked whether there is any.

A table of reads. `{attribute}` stands for what the plan says of the resource, `{attribute:default}` for that or the
default where the configuration says nothing. `{account}`, `{partition}` and `{region}` are the target's, `{fqdn}` is a
record's name with its zone's.

Not in it, since every bucket, key or topic has such a thing from its beginning, or no read tells it: default encryption,
ownership and public access of a bucket, the policy of a key or of a topic, an item of a table, what is attached to an
instance or a load balancer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Question:
    """One read that says whether something exists."""

    service: str
    """Signing name."""
    operation: str
    """A JSON target; an action of the query protocol with its version behind a blank; or `GET`, `HEAD` with a path."""
    parameters: tuple[tuple[str, str], ...] = ()
    """(name, value); of JSON `X[]` is a list of one."""
    items: str = ""
    """Path of what an answer lists; empty: of JSON the answer itself, else to be answered is to exist."""
    match: tuple[tuple[str, str], ...] = ()
    """(path within an item, value that it has); `*`: any value."""
    missing: tuple[str, ...] = ()
    """Words in a refusal that means that there is none; without any, a 404 does."""
    id: str = ""
    """Its id; with `@` before it, the path of that in the answer."""
    only_if: str = ""
    """The attribute without which the create is refused, and takes nothing over."""
    sorted: bool = False
    """Whether a list begins with what is looked for, and no matter what follows."""


def _ask(
    service: str,
    operation: str,
    parameters: str = "",
    missing: str = "",
    items: str = "",
    match: str = "",
    id: str = "",
    only_if: str = "",
    sorted: bool = False,
) -> Question:
    return Question(
        service=service, operation=operation, parameters=_pairs(parameters), items=items, match=_pairs(match),
        missing=tuple(missing.split("|")) if missing else (), id=id, only_if=only_if,
        sorted=sorted,
    )  # fmt: skip


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, _, value in (pair.partition("=") for pair in text.split()))


_ECR: Final = "AmazonEC2ContainerRegistry_V20150921"
_IAM: Final = "2010-05-08"
_TOPIC: Final = "arn:{partition}:sns:{region}:{account}:{name}"
_ACTIVITY: Final = "arn:{partition}:states:{region}:{account}:activity:{name}"
_NO_BUCKET: Final = "NoSuchBucket"

UPSERTS: Final[dict[str, Question]] = {
    # service, operation, parameters, missing, items, match
    "aws_autoscaling_lifecycle_hook": _ask("autoscaling", "DescribeLifecycleHooks 2011-01-01", "AutoScalingGroupName={autoscaling_group_name} LifecycleHookNames.member.1={name}", "not found", "DescribeLifecycleHooksResult/LifecycleHooks/member", "LifecycleHookName={name}"),
    "aws_autoscaling_policy": _ask("autoscaling", "DescribePolicies 2011-01-01", "AutoScalingGroupName={autoscaling_group_name} PolicyNames.member.1={name}", "not found", "DescribePoliciesResult/ScalingPolicies/member", "PolicyName={name}"),
    "aws_autoscaling_schedule": _ask("autoscaling", "DescribeScheduledActions 2011-01-01", "AutoScalingGroupName={autoscaling_group_name} ScheduledActionNames.member.1={scheduled_action_name}", "not found", "DescribeScheduledActionsResult/ScheduledUpdateGroupActions/member", "ScheduledActionName={scheduled_action_name}"),
    "aws_cloudwatch_dashboard": _ask("monitoring", "GetDashboard 2010-08-01", "DashboardName={dashboard_name}", "ResourceNotFound|NotFoundError", id="{dashboard_name}"),
    "aws_cloudwatch_event_rule": _ask("events", "AWSEvents.DescribeRule", "Name={name} EventBusName={event_bus_name:default}", "ResourceNotFoundException"),
    "aws_cloudwatch_event_target": _ask("events", "AWSEvents.ListTargetsByRule", "Rule={rule} EventBusName={event_bus_name:default}", "ResourceNotFoundException", "Targets", "Id={target_id}"),
    "aws_cloudwatch_log_metric_filter": _ask("logs", "Logs_20140328.DescribeMetricFilters", "logGroupName={log_group_name} filterNamePrefix={name}", "ResourceNotFoundException", "metricFilters", "filterName={name}"),
    "aws_cloudwatch_log_resource_policy": _ask("logs", "Logs_20140328.DescribeResourcePolicies", "", "", "resourcePolicies", "policyName={policy_name}", id="{policy_name}"),
    "aws_cloudwatch_log_subscription_filter": _ask("logs", "Logs_20140328.DescribeSubscriptionFilters", "logGroupName={log_group_name} filterNamePrefix={name}", "ResourceNotFoundException", "subscriptionFilters", "filterName={name}"),
    "aws_cloudwatch_metric_alarm": _ask("monitoring", "DescribeAlarms 2010-08-01", "AlarmNames.member.1={alarm_name}", "", "DescribeAlarmsResult/MetricAlarms/member", "AlarmName={alarm_name}", id="{alarm_name}"),
    "aws_ecr_lifecycle_policy": _ask("ecr", f"{_ECR}.GetLifecyclePolicy", "repositoryName={repository}", "LifecyclePolicyNotFoundException|RepositoryNotFoundException", id="{repository}"),
    "aws_ecr_repository_policy": _ask("ecr", f"{_ECR}.GetRepositoryPolicy", "repositoryName={repository}", "RepositoryPolicyNotFoundException|RepositoryNotFoundException", id="{repository}"),
    "aws_ecs_cluster": _ask("ecs", "AmazonEC2ContainerServiceV20141113.DescribeClusters", "clusters[]={name}", "ClusterNotFoundException", "clusters", "clusterName={name} status=ACTIVE", id="@clusterArn"),
    "aws_iam_account_password_policy": _ask("iam", f"GetAccountPasswordPolicy {_IAM}", "", "NoSuchEntity"),
    "aws_iam_group_policy": _ask("iam", f"GetGroupPolicy {_IAM}", "GroupName={group} PolicyName={name}", "NoSuchEntity", id="{group}:{name}"),
    "aws_iam_group_policy_attachment": _ask("iam", f"ListAttachedGroupPolicies {_IAM}", "GroupName={group}", "NoSuchEntity", "ListAttachedGroupPoliciesResult/AttachedPolicies/member", "PolicyArn={policy_arn}"),
    "aws_iam_role_policy": _ask("iam", f"GetRolePolicy {_IAM}", "RoleName={role} PolicyName={name}", "NoSuchEntity", id="{role}:{name}"),
    "aws_iam_role_policy_attachment": _ask("iam", f"ListAttachedRolePolicies {_IAM}", "RoleName={role}", "NoSuchEntity", "ListAttachedRolePoliciesResult/AttachedPolicies/member", "PolicyArn={policy_arn}"),
    "aws_iam_user_policy": _ask("iam", f"GetUserPolicy {_IAM}", "UserName={user} PolicyName={name}", "NoSuchEntity", id="{user}:{name}"),
    "aws_iam_user_policy_attachment": _ask("iam", f"ListAttachedUserPolicies {_IAM}", "UserName={user}", "NoSuchEntity", "ListAttachedUserPoliciesResult/AttachedPolicies/member", "PolicyArn={policy_arn}"),
    "aws_route53_record": _ask("route53", "GET /2013-04-01/hostedzone/{zone_id}/rrset?maxitems=100&name={fqdn}&type={type}", "", "NoSuchHostedZone", "ResourceRecordSets/ResourceRecordSet", "Name={fqdn} Type={type} SetIdentifier={set_identifier:}", only_if="allow_overwrite", sorted=True),
    "aws_s3_bucket_accelerate_configuration": _ask("s3", "GET /{bucket}?accelerate=", "", _NO_BUCKET, ".", "Status=*", id="{bucket}"),
    "aws_s3_bucket_cors_configuration": _ask("s3", "GET /{bucket}?cors=", "", f"NoSuchCORSConfiguration|{_NO_BUCKET}", id="{bucket}"),
    "aws_s3_bucket_inventory": _ask("s3", "GET /{bucket}?id={name}&inventory=", "", f"NoSuchConfiguration|{_NO_BUCKET}", id="{bucket}:{name}"),
    "aws_s3_bucket_lifecycle_configuration": _ask("s3", "GET /{bucket}?lifecycle=", "", f"NoSuchLifecycleConfiguration|{_NO_BUCKET}", id="{bucket}"),
    "aws_s3_bucket_logging": _ask("s3", "GET /{bucket}?logging=", "", _NO_BUCKET, "LoggingEnabled", id="{bucket}"),
    "aws_s3_bucket_metric": _ask("s3", "GET /{bucket}?id={name}&metrics=", "", f"NoSuchConfiguration|{_NO_BUCKET}", id="{bucket}:{name}"),
    "aws_s3_bucket_notification": _ask("s3", "GET /{bucket}?notification=", "", _NO_BUCKET, "*", id="{bucket}"),
    "aws_s3_bucket_object_lock_configuration": _ask("s3", "GET /{bucket}?object-lock=", "", f"ObjectLockConfigurationNotFoundError|{_NO_BUCKET}", id="{bucket}"),
    "aws_s3_bucket_policy": _ask("s3", "GET /{bucket}?policy=", "", f"NoSuchBucketPolicy|{_NO_BUCKET}", id="{bucket}"),
    "aws_s3_bucket_replication_configuration": _ask("s3", "GET /{bucket}?replication=", "", f"ReplicationConfigurationNotFoundError|{_NO_BUCKET}", id="{bucket}"),
    "aws_s3_bucket_versioning": _ask("s3", "GET /{bucket}?versioning=", "", _NO_BUCKET, ".", "Status=*", id="{bucket}"),
    "aws_s3_bucket_website_configuration": _ask("s3", "GET /{bucket}?website=", "", f"NoSuchWebsiteConfiguration|{_NO_BUCKET}", id="{bucket}"),
    "aws_s3_object": _ask("s3", "HEAD /{bucket}/{key}"),
    "aws_s3_object_copy": _ask("s3", "HEAD /{bucket}/{key}"),
    "aws_secretsmanager_secret_policy": _ask("secretsmanager", "secretsmanager.GetResourcePolicy", "SecretId={secret_arn}", "ResourceNotFoundException", "", "ResourcePolicy=*", id="{secret_arn}"),
    "aws_ses_domain_identity": _ask("ses", "GetIdentityVerificationAttributes 2010-12-01", "Identities.member.1={domain}", "", "GetIdentityVerificationAttributesResult/VerificationAttributes/entry", "key={domain}", id="{domain}"),
    "aws_ses_email_identity": _ask("ses", "GetIdentityVerificationAttributes 2010-12-01", "Identities.member.1={email}", "", "GetIdentityVerificationAttributesResult/VerificationAttributes/entry", "key={email}", id="{email}"),
    "aws_sfn_activity": _ask("states", "AWSStepFunctions.DescribeActivity", f"activityArn={_ACTIVITY}", "ActivityDoesNotExist", id=_ACTIVITY),
    "aws_sns_topic": _ask("sns", "GetTopicAttributes 2010-03-31", f"TopicArn={_TOPIC}", "NotFound", id=_TOPIC),
    "aws_sns_topic_subscription": _ask("sns", "ListSubscriptionsByTopic 2010-03-31", "TopicArn={topic_arn}", "NotFound", "ListSubscriptionsByTopicResult/Subscriptions/member", "Endpoint={endpoint} Protocol={protocol}"),
    "aws_sqs_queue": _ask("sqs", "AmazonSQS.GetQueueUrl", "QueueName={name}", "QueueDoesNotExist|NonExistentQueue", id="@QueueUrl"),
    "aws_sqs_queue_policy": _ask("sqs", "AmazonSQS.GetQueueAttributes", "QueueUrl={queue_url} AttributeNames[]=Policy", "QueueDoesNotExist|NonExistentQueue", "Attributes", "Policy=*", id="{queue_url}"),
    "aws_sqs_queue_redrive_allow_policy": _ask("sqs", "AmazonSQS.GetQueueAttributes", "QueueUrl={queue_url} AttributeNames[]=RedriveAllowPolicy", "QueueDoesNotExist|NonExistentQueue", "Attributes", "RedriveAllowPolicy=*", id="{queue_url}"),
    "aws_sqs_queue_redrive_policy": _ask("sqs", "AmazonSQS.GetQueueAttributes", "QueueUrl={queue_url} AttributeNames[]=RedrivePolicy", "QueueDoesNotExist|NonExistentQueue", "Attributes", "RedrivePolicy=*", id="{queue_url}"),
    "aws_ssm_parameter": _ask("ssm", "AmazonSSM.ListTagsForResource", "ResourceType=Parameter ResourceId={name}", "InvalidResourceId", id="{name}", only_if="overwrite"),
}  # fmt: skip
