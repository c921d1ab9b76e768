"""A tag more, on everything that has tags."""

from __future__ import annotations

from collections.abc import Iterator

from tests.aws_corpus.injections.row import INJECTED, Injection, Parameters, one

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

KEY_VALUE = [{"Key": "injected", "Value": "yes"}]
LOWER = [{"key": "injected", "value": "yes"}]


def tags() -> Iterator[Injection]:
    """The rows."""

    def tag(address: str, call: str, parameters: Parameters) -> Injection:
        return one(address, "tags.injected tags_all.injected", call, parameters)

    for address in EC2:
        yield tag(address, "ec2.create_tags", lambda r, of: {"Resources": [r["id"]], "Tags": KEY_VALUE})
    yield tag(
        "aws_key_pair.this", "ec2.create_tags", lambda r, of: {"Resources": [r["key_pair_id"]], "Tags": KEY_VALUE}
    )
    for address in ("aws_lb.this", "aws_lb_target_group.this", "aws_lb_listener.this", "aws_lb_listener_rule.this"):
        yield tag(address, "elbv2.add_tags", lambda r, of: {"ResourceArns": [r["arn"]], "Tags": KEY_VALUE})
    for address in ("aws_db_subnet_group.this", "aws_db_parameter_group.this", "aws_db_instance.this"):
        yield tag(address, "rds.add_tags_to_resource", lambda r, of: {"ResourceName": r["arn"], "Tags": KEY_VALUE})
    for address, kind, name in (
        ("aws_ssm_parameter.this", "Parameter", "name"),
        ("aws_ssm_document.this", "Document", "name"),
    ):
        yield tag(
            address,
            "ssm.add_tags_to_resource",
            lambda r, of, kind=kind, name=name: {"ResourceType": kind, "ResourceId": r[name], "Tags": KEY_VALUE},
        )
    for address, kind in (("aws_route53_zone.this", "hostedzone"), ("aws_route53_health_check.this", "healthcheck")):
        yield tag(
            address,
            "route53.change_tags_for_resource",
            lambda r, of, kind=kind: {"ResourceType": kind, "ResourceId": r["id"], "AddTags": KEY_VALUE},
        )
    for address in ("aws_service_discovery_private_dns_namespace.this", "aws_service_discovery_service.this"):
        yield tag(address, "servicediscovery.tag_resource", lambda r, of: {"ResourceARN": r["arn"], "Tags": KEY_VALUE})
    for address in ("aws_cloudwatch_event_rule.this", "aws_cloudwatch_event_bus.this"):
        yield tag(address, "events.tag_resource", lambda r, of: {"ResourceARN": r["arn"], "Tags": KEY_VALUE})
    for address in ("aws_ecs_cluster.this",):
        yield tag(address, "ecs.tag_resource", lambda r, of: {"resourceArn": r["arn"], "tags": LOWER})
    for address in ("aws_efs_file_system.this", "aws_efs_access_point.this"):
        yield tag(address, "efs.tag_resource", lambda r, of: {"ResourceId": r["id"], "Tags": KEY_VALUE})
    for address in ("aws_glue_catalog_database.this",):
        yield tag(address, "glue.tag_resource", lambda r, of: {"ResourceArn": r["arn"], "TagsToAdd": INJECTED})
    yield tag("aws_iam_role.this", "iam.tag_role", lambda r, of: {"RoleName": r["name"], "Tags": KEY_VALUE})
    yield tag("aws_iam_policy.this", "iam.tag_policy", lambda r, of: {"PolicyArn": r["arn"], "Tags": KEY_VALUE})
    yield tag("aws_iam_user.this", "iam.tag_user", lambda r, of: {"UserName": r["name"], "Tags": KEY_VALUE})
    yield tag(
        "aws_iam_instance_profile.this",
        "iam.tag_instance_profile",
        lambda r, of: {"InstanceProfileName": r["name"], "Tags": KEY_VALUE},
    )
    yield tag(
        "aws_iam_openid_connect_provider.this",
        "iam.tag_open_id_connect_provider",
        lambda r, of: {"OpenIDConnectProviderArn": r["arn"], "Tags": KEY_VALUE},
    )
    yield tag(
        "aws_kms_key.this",
        "kms.tag_resource",
        lambda r, of: {"KeyId": r["id"], "Tags": [{"TagKey": "injected", "TagValue": "yes"}]},
    )
    yield tag(
        "aws_secretsmanager_secret.this",
        "secretsmanager.tag_resource",
        lambda r, of: {"SecretId": r["id"], "Tags": KEY_VALUE},
    )
    yield tag(
        "aws_acm_certificate.this",
        "acm.add_tags_to_certificate",
        lambda r, of: {"CertificateArn": r["arn"], "Tags": KEY_VALUE},
    )
    yield tag("aws_wafv2_ip_set.this", "wafv2.tag_resource", lambda r, of: {"ResourceARN": r["arn"], "Tags": KEY_VALUE})
    yield tag("aws_ecr_repository.this", "ecr.tag_resource", lambda r, of: {"resourceArn": r["arn"], "tags": KEY_VALUE})
    yield tag("aws_sqs_queue.this", "sqs.tag_queue", lambda r, of: {"QueueUrl": r["id"], "Tags": INJECTED})
    yield tag("aws_sns_topic.this", "sns.tag_resource", lambda r, of: {"ResourceArn": r["arn"], "Tags": KEY_VALUE})
    yield tag(
        "aws_cloudwatch_log_group.this", "logs.tag_resource", lambda r, of: {"resourceArn": r["arn"], "tags": INJECTED}
    )
    yield tag(
        "aws_cloudwatch_metric_alarm.this",
        "cloudwatch.tag_resource",
        lambda r, of: {"ResourceARN": r["arn"], "Tags": KEY_VALUE},
    )
    yield tag(
        "aws_kinesis_stream.this",
        "kinesis.add_tags_to_stream",
        lambda r, of: {"StreamName": r["name"], "Tags": INJECTED},
    )
    yield tag(
        "aws_kinesis_firehose_delivery_stream.this",
        "firehose.tag_delivery_stream",
        lambda r, of: {"DeliveryStreamName": r["name"], "Tags": KEY_VALUE},
    )
    yield tag(
        "aws_sfn_activity.this", "stepfunctions.tag_resource", lambda r, of: {"resourceArn": r["id"], "tags": LOWER}
    )
    yield tag(
        "aws_scheduler_schedule_group.this",
        "scheduler.tag_resource",
        lambda r, of: {"ResourceArn": r["arn"], "Tags": KEY_VALUE},
    )
    yield tag("aws_resourcegroups_group.this", "resource-groups.tag", lambda r, of: {"Arn": r["arn"], "Tags": INJECTED})
    yield tag(
        "aws_cloudtrail.this", "cloudtrail.add_tags", lambda r, of: {"ResourceId": r["arn"], "TagsList": KEY_VALUE}
    )
    yield tag(
        "aws_appconfig_application.this",
        "appconfig.tag_resource",
        lambda r, of: {"ResourceArn": r["arn"], "Tags": INJECTED},
    )
    yield tag(
        "aws_dynamodb_table.this", "dynamodb.tag_resource", lambda r, of: {"ResourceArn": r["arn"], "Tags": KEY_VALUE}
    )
    yield tag(
        "aws_s3_bucket.this",
        "s3.put_bucket_tagging",
        lambda r, of: {
            "Bucket": r["id"],
            "Tagging": {"TagSet": [*({"Key": k, "Value": v} for k, v in r["tags_all"].items()), *KEY_VALUE]},
        },
    )
