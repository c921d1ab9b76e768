"""What is there under the name of something planned, asked of a real (simulated) cloud in its real formats."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.recovery.existing import find_existing
from shared.recovery.upserts import UPSERTS
from shared.rollback.precedents import Precedents
from tests.integration.test_recovery_questions import REGION, Cloud

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
ALLOW = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
)
ACCOUNT = "123456789012"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:held"
ROLE, BUCKET = {"role": "held"}, {"bucket": "held-things"}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    cloud = Cloud()
    cloud.client("iam").create_role(RoleName="held", AssumeRolePolicyDocument=TRUST)
    cloud.client("iam").create_user(UserName="held")
    cloud.client("iam").create_group(GroupName="held")
    cloud.client("s3").create_bucket(Bucket="held-things", CreateBucketConfiguration={"LocationConstraint": REGION})
    cloud.client("logs").create_log_group(logGroupName="held")
    cloud.client("ecr").create_repository(repositoryName="held")
    cloud.client("sns").create_topic(Name="held")
    cloud.client("sqs").create_queue(QueueName="held")
    cloud.client("events").put_rule(Name="held", ScheduleExpression="rate(1 day)")
    yield cloud
    cloud.server.stop()


def found(cloud: Cloud, kind: str, values: dict[str, Any]) -> bool | None:
    """Whether something of that name exists; None: nobody could tell."""
    change = {"actions": ["create"], "after": values, "after_unknown": {}}
    plan = {
        "resource_changes": [{"address": f"{kind}.a", "mode": "managed", "type": kind, "change": change}],
        "configuration": {"root_module": {}},
    }
    there = find_existing(plan, region=REGION, precedents=Precedents(), made=(), transport=cloud.transport)
    return next((True if one.certain else None for one in there), False)


def _put(service: str, operation: str, **parameters: Any) -> Callable[[Cloud], object]:
    return lambda cloud: getattr(cloud.client(service), operation)(**parameters)


#: type, what a plan says of it, what makes it
MADE: list[tuple[str, dict[str, Any], Callable[[Cloud], object]]] = [
    ("aws_sns_topic", {"name": "new"}, _put("sns", "create_topic", Name="new")),
    ("aws_sqs_queue", {"name": "new"}, _put("sqs", "create_queue", QueueName="new")),
    (
        "aws_cloudwatch_event_rule",
        {"name": "new", "event_bus_name": "default"},
        _put("events", "put_rule", Name="new", ScheduleExpression="rate(1 day)"),
    ),
    (
        "aws_cloudwatch_event_target",
        {"rule": "held", "target_id": "t"},
        _put("events", "put_targets", Rule="held", Targets=[{"Id": "t", "Arn": TOPIC}]),
    ),
    (
        "aws_cloudwatch_metric_alarm",
        {"alarm_name": "new"},
        _put(
            "cloudwatch",
            "put_metric_alarm",
            AlarmName="new",
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=1,
            MetricName="m",
            Namespace="n",
            Period=60,
            Statistic="Sum",
            Threshold=1.0,
        ),
    ),
    (
        "aws_cloudwatch_dashboard",
        {"dashboard_name": "new"},
        _put("cloudwatch", "put_dashboard", DashboardName="new", DashboardBody='{"widgets": []}'),
    ),
    ("aws_sfn_activity", {"name": "new"}, _put("stepfunctions", "create_activity", name="new")),
    ("aws_ecs_cluster", {"name": "new"}, _put("ecs", "create_cluster", clusterName="new")),
    (
        "aws_iam_role_policy",
        ROLE | {"name": "p"},
        _put("iam", "put_role_policy", RoleName="held", PolicyName="p", PolicyDocument=ALLOW),
    ),
    (
        "aws_iam_user_policy",
        {"user": "held", "name": "p"},
        _put("iam", "put_user_policy", UserName="held", PolicyName="p", PolicyDocument=ALLOW),
    ),
    (
        "aws_iam_group_policy",
        {"group": "held", "name": "p"},
        _put("iam", "put_group_policy", GroupName="held", PolicyName="p", PolicyDocument=ALLOW),
    ),
    (
        "aws_iam_account_password_policy",
        {},
        _put("iam", "update_account_password_policy", MinimumPasswordLength=12),
    ),
    ("aws_s3_object", BUCKET | {"key": "a b/c"}, _put("s3", "put_object", Bucket="held-things", Key="a b/c", Body=b"")),
    ("aws_s3_bucket_policy", BUCKET, _put("s3", "put_bucket_policy", Bucket="held-things", Policy=ALLOW)),
    (
        "aws_s3_bucket_cors_configuration",
        BUCKET,
        _put(
            "s3",
            "put_bucket_cors",
            Bucket="held-things",
            CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]},
        ),
    ),
    (
        "aws_s3_bucket_lifecycle_configuration",
        BUCKET,
        _put(
            "s3",
            "put_bucket_lifecycle_configuration",
            Bucket="held-things",
            LifecycleConfiguration={
                "Rules": [{"ID": "r", "Status": "Enabled", "Prefix": "x", "Expiration": {"Days": 1}}]
            },
        ),
    ),
    (
        "aws_s3_bucket_website_configuration",
        BUCKET,
        _put(
            "s3",
            "put_bucket_website",
            Bucket="held-things",
            WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}},
        ),
    ),
    (
        "aws_s3_bucket_accelerate_configuration",
        BUCKET,
        _put(
            "s3",
            "put_bucket_accelerate_configuration",
            Bucket="held-things",
            AccelerateConfiguration={"Status": "Enabled"},
        ),
    ),
    (
        "aws_s3_bucket_versioning",
        BUCKET,
        _put("s3", "put_bucket_versioning", Bucket="held-things", VersioningConfiguration={"Status": "Enabled"}),
    ),
    (
        "aws_s3_bucket_notification",
        BUCKET,
        _put(
            "s3",
            "put_bucket_notification_configuration",
            Bucket="held-things",
            NotificationConfiguration={
                "QueueConfigurations": [
                    {"QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:held", "Events": ["s3:ObjectCreated:*"]}
                ]
            },
        ),
    ),
    (
        "aws_cloudwatch_log_metric_filter",
        {"log_group_name": "held", "name": "f"},
        _put(
            "logs",
            "put_metric_filter",
            logGroupName="held",
            filterName="f",
            filterPattern="x",
            metricTransformations=[{"metricName": "m", "metricNamespace": "n", "metricValue": "1"}],
        ),
    ),
    (
        "aws_cloudwatch_log_resource_policy",
        {"policy_name": "p"},
        _put("logs", "put_resource_policy", policyName="p", policyDocument=ALLOW),
    ),
    (
        "aws_ecr_lifecycle_policy",
        {"repository": "held"},
        _put(
            "ecr",
            "put_lifecycle_policy",
            repositoryName="held",
            lifecyclePolicyText=json.dumps(
                {
                    "rules": [
                        {
                            "rulePriority": 1,
                            "selection": {
                                "tagStatus": "untagged",
                                "countType": "imageCountMoreThan",
                                "countNumber": 1,
                            },
                            "action": {"type": "expire"},
                        }
                    ]
                }
            ),
        ),
    ),
    (
        "aws_ecr_repository_policy",
        {"repository": "held"},
        _put(
            "ecr",
            "set_repository_policy",
            repositoryName="held",
            policyText=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [{"Sid": "s", "Effect": "Allow", "Principal": "*", "Action": ["ecr:DescribeImages"]}],
                }
            ),
        ),
    ),
    (
        "aws_sns_topic_subscription",
        {"topic_arn": TOPIC, "protocol": "sqs", "endpoint": f"arn:aws:sqs:{REGION}:{ACCOUNT}:held"},
        _put("sns", "subscribe", TopicArn=TOPIC, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:held"),
    ),
    (
        "aws_ses_email_identity",
        {"email": "a@example.com"},
        _put("ses", "verify_email_identity", EmailAddress="a@example.com"),
    ),
    (
        "aws_ssm_parameter",
        {"name": "/new", "overwrite": True},
        _put("ssm", "put_parameter", Name="/new", Value="v", Type="String"),
    ),
]


@pytest.mark.parametrize(("kind", "values", "make"), MADE, ids=[kind for kind, _, _ in MADE])
def test_what_is_not_there_is_not_found_and_what_is_there_is(
    cloud: Cloud, kind: str, values: dict[str, Any], make: Callable[[Cloud], object]
) -> None:
    assert kind in UPSERTS
    assert found(cloud, kind, values) is False
    make(cloud)
    assert found(cloud, kind, values) is True


def test_a_policy_that_is_attached_already_is_found(cloud: Cloud) -> None:
    arn = cloud.client("iam").create_policy(PolicyName="p", PolicyDocument=ALLOW)["Policy"]["Arn"]
    for kind, owner in (("role", "role"), ("user", "user"), ("group", "group")):
        values = {owner: "held", "policy_arn": arn}
        assert found(cloud, f"aws_iam_{kind}_policy_attachment", values) is False
        getattr(cloud.client("iam"), f"attach_{kind}_policy")(**{f"{kind.title()}Name": "held", "PolicyArn": arn})
        assert found(cloud, f"aws_iam_{kind}_policy_attachment", values) is True


def test_a_queue_has_no_policy_until_it_is_set(cloud: Cloud) -> None:
    url = cloud.client("sqs").get_queue_url(QueueName="held")["QueueUrl"]
    assert found(cloud, "aws_sqs_queue_policy", {"queue_url": url}) is False
    cloud.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": ALLOW})
    assert found(cloud, "aws_sqs_queue_policy", {"queue_url": url}) is True


def test_a_record_is_found_by_its_name_with_that_of_its_zone(cloud: Cloud) -> None:
    dns = cloud.client("route53")
    zone = dns.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"].rpartition("/")[2]
    records = [{"Value": "192.0.2.1"}]
    values: dict[str, Any] = {"zone_id": zone, "name": "www", "type": "A", "allow_overwrite": True}
    assert found(cloud, "aws_route53_record", values) is False
    for name in ("www.example.com", "zzz.example.com"):
        change = {
            "Action": "CREATE",
            "ResourceRecordSet": {"Name": name, "Type": "A", "TTL": 60, "ResourceRecords": records},
        }
        dns.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
    assert found(cloud, "aws_route53_record", values) is True
    assert found(cloud, "aws_route53_record", values | {"name": "www.example.com"}) is True
    assert found(cloud, "aws_route53_record", values | {"name": "xyz"}) is False
    assert found(cloud, "aws_route53_record", values | {"allow_overwrite": None}) is False, "such a create is refused"


def test_a_secret_has_no_policy_until_it_is_set(cloud: Cloud) -> None:
    arn = cloud.client("secretsmanager").create_secret(Name="held", SecretString="s")["ARN"]
    assert found(cloud, "aws_secretsmanager_secret_policy", {"secret_arn": arn}) is False
    cloud.client("secretsmanager").put_resource_policy(SecretId=arn, ResourcePolicy=ALLOW)
    assert found(cloud, "aws_secretsmanager_secret_policy", {"secret_arn": arn}) is True
