"""A tag more, on everything that has tags."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tests.aws_corpus.injections.row import INJECTED, Injection, one

#: What EC2 tags by its id.
EC2 = (
    "aws_customer_gateway.this",
    "aws_ebs_snapshot.this",
    "aws_ebs_volume.this",
    "aws_ec2_managed_prefix_list.this",
    "aws_egress_only_internet_gateway.this",
    "aws_eip.this",
    "aws_flow_log.this",
    "aws_instance.this",
    "aws_internet_gateway.this",
    "aws_nat_gateway.this",
    "aws_network_acl.this",
    "aws_network_interface.this",
    "aws_route_table.this",
    "aws_security_group.this",
    'aws_subnet.this["a"]',
    "aws_vpc.this",
    "aws_vpc_dhcp_options.this",
    "aws_vpc_endpoint.s3",
    "aws_vpc_security_group_egress_rule.all",
    "aws_vpc_security_group_ingress_rule.https",
    "aws_vpn_gateway.this",
)

KEY_VALUE: Final = [{"Key": "injected", "Value": "yes"}]
LOWER: Final = [{"key": "injected", "value": "yes"}]
KMS: Final = [{"TagKey": "injected", "TagValue": "yes"}]

SHOWN: Final = "tags.injected tags_all.injected"

#: Type of the resource (its name is `this`); the call; the parameter that names it, with the attribute to take; the
#: parameter with the tags, and how they are written.
TAGGED: Final[tuple[tuple[str, str, str, str, Any], ...]] = (
    ("aws_key_pair", "ec2.create_tags", "Resources[]=key_pair_id", "Tags", KEY_VALUE),
    ("aws_lb", "elbv2.add_tags", "ResourceArns[]=arn", "Tags", KEY_VALUE),
    ("aws_lb_target_group", "elbv2.add_tags", "ResourceArns[]=arn", "Tags", KEY_VALUE),
    ("aws_lb_listener", "elbv2.add_tags", "ResourceArns[]=arn", "Tags", KEY_VALUE),
    ("aws_lb_listener_rule", "elbv2.add_tags", "ResourceArns[]=arn", "Tags", KEY_VALUE),
    ("aws_db_subnet_group", "rds.add_tags_to_resource", "ResourceName=arn", "Tags", KEY_VALUE),
    ("aws_db_parameter_group", "rds.add_tags_to_resource", "ResourceName=arn", "Tags", KEY_VALUE),
    ("aws_db_instance", "rds.add_tags_to_resource", "ResourceName=arn", "Tags", KEY_VALUE),
    (
        "aws_service_discovery_private_dns_namespace",
        "servicediscovery.tag_resource",
        "ResourceARN=arn",
        "Tags",
        KEY_VALUE,
    ),
    ("aws_service_discovery_service", "servicediscovery.tag_resource", "ResourceARN=arn", "Tags", KEY_VALUE),
    ("aws_cloudwatch_event_rule", "events.tag_resource", "ResourceARN=arn", "Tags", KEY_VALUE),
    ("aws_cloudwatch_event_bus", "events.tag_resource", "ResourceARN=arn", "Tags", KEY_VALUE),
    ("aws_ecs_cluster", "ecs.tag_resource", "resourceArn=arn", "tags", LOWER),
    ("aws_efs_file_system", "efs.tag_resource", "ResourceId=id", "Tags", KEY_VALUE),
    ("aws_efs_access_point", "efs.tag_resource", "ResourceId=id", "Tags", KEY_VALUE),
    ("aws_glue_catalog_database", "glue.tag_resource", "ResourceArn=arn", "TagsToAdd", INJECTED),
    ("aws_iam_role", "iam.tag_role", "RoleName=name", "Tags", KEY_VALUE),
    ("aws_iam_policy", "iam.tag_policy", "PolicyArn=arn", "Tags", KEY_VALUE),
    ("aws_iam_user", "iam.tag_user", "UserName=name", "Tags", KEY_VALUE),
    ("aws_iam_instance_profile", "iam.tag_instance_profile", "InstanceProfileName=name", "Tags", KEY_VALUE),
    (
        "aws_iam_openid_connect_provider",
        "iam.tag_open_id_connect_provider",
        "OpenIDConnectProviderArn=arn",
        "Tags",
        KEY_VALUE,
    ),
    ("aws_kms_key", "kms.tag_resource", "KeyId=id", "Tags", KMS),
    ("aws_secretsmanager_secret", "secretsmanager.tag_resource", "SecretId=id", "Tags", KEY_VALUE),
    ("aws_acm_certificate", "acm.add_tags_to_certificate", "CertificateArn=arn", "Tags", KEY_VALUE),
    ("aws_wafv2_ip_set", "wafv2.tag_resource", "ResourceARN=arn", "Tags", KEY_VALUE),
    ("aws_ecr_repository", "ecr.tag_resource", "resourceArn=arn", "tags", KEY_VALUE),
    ("aws_sqs_queue", "sqs.tag_queue", "QueueUrl=id", "Tags", INJECTED),
    ("aws_sns_topic", "sns.tag_resource", "ResourceArn=arn", "Tags", KEY_VALUE),
    ("aws_cloudwatch_log_group", "logs.tag_resource", "resourceArn=arn", "tags", INJECTED),
    ("aws_cloudwatch_metric_alarm", "cloudwatch.tag_resource", "ResourceARN=arn", "Tags", KEY_VALUE),
    ("aws_kinesis_stream", "kinesis.add_tags_to_stream", "StreamName=name", "Tags", INJECTED),
    (
        "aws_kinesis_firehose_delivery_stream",
        "firehose.tag_delivery_stream",
        "DeliveryStreamName=name",
        "Tags",
        KEY_VALUE,
    ),
    ("aws_sfn_activity", "stepfunctions.tag_resource", "resourceArn=id", "tags", LOWER),
    ("aws_scheduler_schedule_group", "scheduler.tag_resource", "ResourceArn=arn", "Tags", KEY_VALUE),
    ("aws_resourcegroups_group", "resource-groups.tag", "Arn=arn", "Tags", INJECTED),
    ("aws_cloudtrail", "cloudtrail.add_tags", "ResourceId=arn", "TagsList", KEY_VALUE),
    ("aws_appconfig_application", "appconfig.tag_resource", "ResourceArn=arn", "Tags", INJECTED),
    ("aws_dynamodb_table", "dynamodb.tag_resource", "ResourceArn=arn", "Tags", KEY_VALUE),
)


def tags() -> Iterator[Injection]:
    """The rows."""
    for address in EC2:
        yield _row(address, "ec2.create_tags", "Resources[]=id", "Tags", KEY_VALUE)
    for kind, call, named, member, written in TAGGED:
        yield _row(f"{kind}.this", call, named, member, written)
    for kind, what, named in (
        ("aws_ssm_parameter", "Parameter", "ResourceId=name"),
        ("aws_ssm_document", "Document", "ResourceId=name"),
    ):
        yield _row(f"{kind}.this", "ssm.add_tags_to_resource", named, "Tags", KEY_VALUE, ResourceType=what)
    for kind, what in (("aws_route53_zone", "hostedzone"), ("aws_route53_health_check", "healthcheck")):
        yield _row(
            f"{kind}.this",
            "route53.change_tags_for_resource",
            "ResourceId=id",
            "AddTags",
            KEY_VALUE,
            ResourceType=what,
        )
    yield one(
        "aws_s3_bucket.this",
        SHOWN,
        "s3.put_bucket_tagging",
        lambda r, of: {
            "Bucket": r["id"],
            "Tagging": {"TagSet": [*({"Key": k, "Value": v} for k, v in r["tags_all"].items()), *KEY_VALUE]},
        },
    )


def _row(address: str, call: str, named: str, member: str, written: Any, **more: str) -> Injection:
    """`named` is PARAMETER=ATTRIBUTE, or PARAMETER[]=ATTRIBUTE for a call that takes several resources."""
    parameter, _, attribute = named.partition("=")
    if parameter.endswith("[]"):
        return one(address, SHOWN, call, lambda r, of: {parameter[:-2]: [r[attribute]], member: written, **more})
    return one(address, SHOWN, call, lambda r, of: {parameter: r[attribute], member: written, **more})
