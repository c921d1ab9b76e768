"""What somebody changes behind Terraform's back: one call of boto3 each, and the attributes that it changes.

Each is made on the corpus after its second revision. What the provider reads of it shows in the refreshed state; what
shows there has to be found (`injecting`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]
#: The values in the state of the resource at an address.
Of = Callable[[str], Values]

GONE = "gone"
"""Instead of paths: the resource is no longer there."""

TAG = {"injected": "yes"}
KEY_VALUE = [{"Key": "injected", "Value": "yes"}]
LOWER = [{"key": "injected", "value": "yes"}]
RATE = "rate(7 hours)"
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


@dataclass(frozen=True, kw_only=True)
class Injection:
    """One change."""

    address: str
    """Of the resource that is changed."""
    paths: tuple[str, ...]
    """Attributes that differ then, as far as the provider sees them; GONE alone: it is deleted."""
    service: str
    """boto3's name."""
    method: str
    """Of boto3's client."""
    parameters: Callable[[Values, Of], dict[str, Any]]
    """From the resource's values, and a look at those of others."""


def _one(
    address: str, paths: str, call: str, parameters: Callable[[Values, Of], dict[str, Any]] | dict[str, Any]
) -> Injection:
    service, _, method = call.partition(".")
    made = parameters if callable(parameters) else lambda values, of, fixed=parameters: fixed
    return Injection(address=address, paths=tuple(paths.split()), service=service, method=method, parameters=made)


def injections() -> list[Injection]:
    """All of them, in the order in which they are made."""
    return [*_tags(), *_access(), *_compute(), *_messaging(), *_network(), *_storage()]


def _policy(sid: str, **more: Any) -> str:
    statement = {"Sid": sid, "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [{k: v for k, v in statement.items() if v is not None}]})


def _tags() -> Iterator[Injection]:
    def tag(address: str, call: str, parameters: Callable[[Values, Of], dict[str, Any]]) -> Injection:
        return _one(address, "tags.injected tags_all.injected", call, parameters)

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
        yield tag(address, "glue.tag_resource", lambda r, of: {"ResourceArn": r["arn"], "TagsToAdd": TAG})
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
    yield tag("aws_sqs_queue.this", "sqs.tag_queue", lambda r, of: {"QueueUrl": r["id"], "Tags": TAG})
    yield tag("aws_sns_topic.this", "sns.tag_resource", lambda r, of: {"ResourceArn": r["arn"], "Tags": KEY_VALUE})
    yield tag(
        "aws_cloudwatch_log_group.this", "logs.tag_resource", lambda r, of: {"resourceArn": r["arn"], "tags": TAG}
    )
    yield tag(
        "aws_cloudwatch_metric_alarm.this",
        "cloudwatch.tag_resource",
        lambda r, of: {"ResourceARN": r["arn"], "Tags": KEY_VALUE},
    )
    yield tag(
        "aws_kinesis_stream.this",
        "kinesis.add_tags_to_stream",
        lambda r, of: {"StreamName": r["name"], "Tags": TAG},
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
    yield tag("aws_resourcegroups_group.this", "resource-groups.tag", lambda r, of: {"Arn": r["arn"], "Tags": TAG})
    yield tag(
        "aws_cloudtrail.this", "cloudtrail.add_tags", lambda r, of: {"ResourceId": r["arn"], "TagsList": KEY_VALUE}
    )
    yield tag(
        "aws_appconfig_application.this",
        "appconfig.tag_resource",
        lambda r, of: {"ResourceArn": r["arn"], "Tags": TAG},
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
    yield tag(
        "aws_s3_object.this",
        "s3.put_object_tagging",
        lambda r, of: {
            "Bucket": r["bucket"],
            "Key": r["key"],
            "Tagging": {"TagSet": [*({"Key": k, "Value": v} for k, v in r["tags_all"].items()), *KEY_VALUE]},
        },
    )


def _access() -> Iterator[Injection]:
    role, user, group = "aws_iam_role.this", "aws_iam_user.this", "aws_iam_group.this"
    yield _one(
        role,
        "description max_session_duration",
        "iam.update_role",
        lambda r, of: {"RoleName": r["name"], "Description": "injected", "MaxSessionDuration": 7200},
    )
    yield _one(
        role,
        "assume_role_policy",
        "iam.update_assume_role_policy",
        lambda r, of: {
            "RoleName": r["name"],
            "PolicyDocument": _policy(
                "Injected", Resource=None, Action="sts:AssumeRole", Effect="Allow", Principal={"AWS": "*"}
            ),
        },
    )
    yield _one(
        role,
        "permissions_boundary",
        "iam.put_role_permissions_boundary",
        lambda r, of: {"RoleName": r["name"], "PermissionsBoundary": of("aws_iam_policy.this")["arn"]},
    )
    for kind in ("role", "user", "group"):
        yield _one(
            f"aws_iam_{kind}_policy.this",
            "policy",
            f"iam.put_{kind}_policy",
            lambda r, of, kind=kind: {
                f"{kind.capitalize()}Name": r[kind],
                "PolicyName": r["name"],
                "PolicyDocument": _policy("Injected", Principal=None),
            },
        )
    for kind in ("role", "user", "group"):
        yield _one(
            f"aws_iam_{kind}_policy_attachment.this",
            GONE,
            f"iam.detach_{kind}_policy",
            lambda r, of, kind=kind: {f"{kind.capitalize()}Name": r[kind], "PolicyArn": r["policy_arn"]},
        )
    yield _one(
        "aws_iam_policy.this",
        "policy",
        "iam.create_policy_version",
        lambda r, of: {
            "PolicyArn": r["arn"],
            "PolicyDocument": _policy("Injected", Principal=None),
            "SetAsDefault": True,
        },
    )
    yield _one(
        "aws_iam_instance_profile.this",
        "role",
        "iam.remove_role_from_instance_profile",
        lambda r, of: {"InstanceProfileName": r["name"], "RoleName": r["role"]},
    )
    yield _one(
        "aws_iam_group_membership.this",
        "users[0]",
        "iam.remove_user_from_group",
        lambda r, of: {"GroupName": of(group)["name"], "UserName": of(user)["name"]},
    )
    yield _one(
        "aws_iam_openid_connect_provider.this",
        "thumbprint_list[0]",
        "iam.update_open_id_connect_provider_thumbprint",
        lambda r, of: {"OpenIDConnectProviderArn": r["arn"], "ThumbprintList": ["a" * 40]},
    )
    yield _one(
        "aws_iam_account_password_policy.this",
        "minimum_password_length require_symbols max_password_age password_reuse_prevention",
        "iam.update_account_password_policy",
        {"MinimumPasswordLength": 20, "RequireSymbols": True, "MaxPasswordAge": 30, "PasswordReusePrevention": 3},
    )
    yield _one("aws_kms_alias.this", GONE, "kms.delete_alias", lambda r, of: {"AliasName": r["name"]})
    yield _one(
        "aws_ssm_maintenance_window.this",
        GONE,
        "ssm.delete_maintenance_window",
        lambda r, of: {"WindowId": r["id"]},
    )
    yield _one(
        "aws_ssm_document.this",
        "latest_version",
        "ssm.update_document",
        lambda r, of: {
            "Name": r["name"],
            "DocumentVersion": "$LATEST",
            "Content": r["content"].replace("Revision", "Injected"),
        },
    )
    key = "aws_kms_key.this"
    yield _one(
        key, "description", "kms.update_key_description", lambda r, of: {"KeyId": r["id"], "Description": "injected"}
    )
    yield _one(key, "enable_key_rotation", "kms.disable_key_rotation", lambda r, of: {"KeyId": r["id"]})
    yield _one(
        key,
        "policy",
        "kms.put_key_policy",
        lambda r, of: {
            "KeyId": r["id"],
            "PolicyName": "default",
            "Policy": _policy("Injected", Effect="Allow", Action="kms:*"),
        },
    )
    yield _one(key, "is_enabled", "kms.disable_key", lambda r, of: {"KeyId": r["id"]})
    secret = "aws_secretsmanager_secret.this"
    yield _one(
        secret,
        "description",
        "secretsmanager.update_secret",
        lambda r, of: {"SecretId": r["id"], "Description": "injected"},
    )
    yield _one(
        "aws_secretsmanager_secret_version.this",
        "version_stages",
        "secretsmanager.put_secret_value",
        lambda r, of: {"SecretId": r["secret_id"], "SecretString": "injected"},
    )
    yield _one(
        "aws_secretsmanager_secret_policy.this",
        "policy",
        "secretsmanager.put_resource_policy",
        lambda r, of: {"SecretId": r["secret_arn"], "ResourcePolicy": _policy("Injected", Action="secretsmanager:*")},
    )
    yield _one(
        "aws_ssm_parameter.this",
        "value description",
        "ssm.put_parameter",
        lambda r, of: {
            "Name": r["name"],
            "Value": "injected",
            "Description": "injected",
            "Type": "SecureString",
            "Overwrite": True,
        },
    )


def _compute() -> Iterator[Injection]:
    yield _one(
        "aws_ebs_volume.this",
        "size",
        "ec2.modify_volume",
        lambda r, of: {"VolumeId": r["id"], "Size": 9},
    )
    instance = "aws_instance.this"
    yield _one(
        instance,
        "disable_api_termination",
        "ec2.modify_instance_attribute",
        lambda r, of: {"InstanceId": r["id"], "DisableApiTermination": {"Value": True}},
    )
    yield _one(
        instance,
        "source_dest_check",
        "ec2.modify_instance_attribute",
        lambda r, of: {"InstanceId": r["id"], "SourceDestCheck": {"Value": False}},
    )
    yield _one(instance, "instance_state", "ec2.stop_instances", lambda r, of: {"InstanceIds": [r["id"]]})
    yield _one(
        "aws_launch_template.this",
        "latest_version",
        "ec2.create_launch_template_version",
        lambda r, of: {
            "LaunchTemplateId": r["id"],
            "LaunchTemplateData": {"ImageId": r["image_id"], "InstanceType": "m5.large"},
        },
    )
    group = "aws_autoscaling_group.this"
    yield _one(
        group,
        "max_size health_check_grace_period",
        "autoscaling.update_auto_scaling_group",
        lambda r, of: {
            "AutoScalingGroupName": r["name"],
            "MaxSize": 7,
            "HealthCheckGracePeriod": 77,
        },
    )
    yield _one(
        group,
        "tag[0]",
        "autoscaling.create_or_update_tags",
        lambda r, of: {
            "Tags": [
                {
                    "ResourceId": r["name"],
                    "ResourceType": "auto-scaling-group",
                    "Key": "injected",
                    "Value": "yes",
                    "PropagateAtLaunch": True,
                }
            ]
        },
    )
    yield _one(
        group,
        "suspended_processes[0]",
        "autoscaling.suspend_processes",
        lambda r, of: {"AutoScalingGroupName": r["name"], "ScalingProcesses": ["Launch"]},
    )
    yield _one(
        "aws_autoscaling_policy.this",
        "scaling_adjustment cooldown adjustment_type",
        "autoscaling.put_scaling_policy",
        lambda r, of: {
            "AutoScalingGroupName": r["autoscaling_group_name"],
            "PolicyName": r["name"],
            "PolicyType": "SimpleScaling",
            "AdjustmentType": "ExactCapacity",
            "ScalingAdjustment": 7,
            "Cooldown": 77,
        },
    )
    balancer = "aws_lb.this"
    for name, path, value in (
        ("idle_timeout.timeout_seconds", "idle_timeout", "77"),
        ("routing.http.drop_invalid_header_fields.enabled", "drop_invalid_header_fields", "true"),
        ("routing.http2.enabled", "enable_http2", "false"),
    ):
        yield _one(
            balancer,
            path,
            "elbv2.modify_load_balancer_attributes",
            lambda r, of, name=name, value=value: {
                "LoadBalancerArn": r["arn"],
                "Attributes": [{"Key": name, "Value": value}],
            },
        )
    target_group = "aws_lb_target_group.this"
    yield _one(
        target_group,
        "deregistration_delay",
        "elbv2.modify_target_group_attributes",
        lambda r, of: {
            "TargetGroupArn": r["arn"],
            "Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "77"}],
        },
    )
    yield _one(
        target_group,
        "health_check[0].path health_check[0].interval health_check[0].healthy_threshold",
        "elbv2.modify_target_group",
        lambda r, of: {
            "TargetGroupArn": r["arn"],
            "HealthCheckPath": "/injected",
            "HealthCheckIntervalSeconds": 77,
            "HealthyThresholdCount": 7,
        },
    )
    yield _one(
        "aws_lb_listener.this", "port", "elbv2.modify_listener", lambda r, of: {"ListenerArn": r["arn"], "Port": 81}
    )
    yield _one(
        "aws_lb_listener_rule.this",
        "condition[0].path_pattern[0].values[0]",
        "elbv2.modify_rule",
        lambda r, of: {
            "RuleArn": r["arn"],
            "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/injected/*"]}}],
        },
    )
    yield _one(
        "aws_lb_listener_rule.this",
        "priority",
        "elbv2.set_rule_priorities",
        lambda r, of: {"RulePriorities": [{"RuleArn": r["arn"], "Priority": 77}]},
    )
    yield _one(
        "aws_ecs_cluster.this",
        "setting[0].value",
        "ecs.update_cluster",
        lambda r, of: {"cluster": r["name"], "settings": [{"name": "containerInsights", "value": "enabled"}]},
    )
    yield _one(
        "aws_ecs_task_definition.this",
        GONE,
        "ecs.deregister_task_definition",
        lambda r, of: {"taskDefinition": r["arn"]},
    )
    repository = "aws_ecr_repository.this"
    yield _one(
        repository,
        "image_tag_mutability",
        "ecr.put_image_tag_mutability",
        lambda r, of: {"repositoryName": r["name"], "imageTagMutability": "MUTABLE"},
    )
    yield _one(
        repository,
        "image_scanning_configuration[0].scan_on_push",
        "ecr.put_image_scanning_configuration",
        lambda r, of: {"repositoryName": r["name"], "imageScanningConfiguration": {"scanOnPush": True}},
    )
    yield _one(
        "aws_ecr_lifecycle_policy.this",
        "policy",
        "ecr.put_lifecycle_policy",
        lambda r, of: {
            "repositoryName": r["repository"],
            "lifecyclePolicyText": json.dumps(
                {
                    "rules": [
                        {
                            "rulePriority": 1,
                            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 77},
                            "action": {"type": "expire"},
                        }
                    ]
                }
            ),
        },
    )
    yield _one(
        "aws_ecr_repository_policy.this",
        "policy",
        "ecr.set_repository_policy",
        lambda r, of: {
            "repositoryName": r["repository"],
            "policyText": _policy("Injected", Resource=None, Effect="Allow", Action="ecr:BatchGetImage"),
        },
    )


def _messaging() -> Iterator[Injection]:
    queue = "aws_sqs_queue.this"
    for name, path, value in (
        ("VisibilityTimeout", "visibility_timeout_seconds", "77"),
        ("DelaySeconds", "delay_seconds", "7"),
        ("MaximumMessageSize", "max_message_size", "7777"),
        ("MessageRetentionPeriod", "message_retention_seconds", "77777"),
        ("ReceiveMessageWaitTimeSeconds", "receive_wait_time_seconds", "7"),
    ):
        yield _one(
            queue,
            path,
            "sqs.set_queue_attributes",
            lambda r, of, name=name, value=value: {"QueueUrl": r["id"], "Attributes": {name: value}},
        )
    yield _one(
        "aws_sqs_queue_policy.this",
        "policy",
        "sqs.set_queue_attributes",
        lambda r, of: {"QueueUrl": r["queue_url"], "Attributes": {"Policy": _policy("Injected", Action="sqs:*")}},
    )
    topic = "aws_sns_topic.this"
    yield _one(
        topic,
        "display_name",
        "sns.set_topic_attributes",
        lambda r, of: {"TopicArn": r["arn"], "AttributeName": "DisplayName", "AttributeValue": "injected"},
    )
    yield _one(
        topic,
        "kms_master_key_id",
        "sns.set_topic_attributes",
        lambda r, of: {"TopicArn": r["arn"], "AttributeName": "KmsMasterKeyId", "AttributeValue": "alias/injected"},
    )
    yield _one(
        "aws_sns_topic_policy.this",
        "policy",
        "sns.set_topic_attributes",
        lambda r, of: {
            "TopicArn": r["arn"],
            "AttributeName": "Policy",
            "AttributeValue": _policy("Injected", Action="sns:Publish", Resource=r["arn"]),
        },
    )
    subscription = "aws_sns_topic_subscription.this"
    yield _one(
        subscription,
        "raw_message_delivery",
        "sns.set_subscription_attributes",
        lambda r, of: {
            "SubscriptionArn": r["arn"],
            "AttributeName": "RawMessageDelivery",
            "AttributeValue": "false",
        },
    )
    yield _one(
        subscription,
        "filter_policy",
        "sns.set_subscription_attributes",
        lambda r, of: {
            "SubscriptionArn": r["arn"],
            "AttributeName": "FilterPolicy",
            "AttributeValue": json.dumps({"injected": ["yes"]}),
        },
    )
    yield _one(
        "aws_cloudwatch_event_rule.this",
        "description schedule_expression state is_enabled",
        "events.put_rule",
        lambda r, of: {
            "Name": r["name"],
            "Description": "injected",
            "ScheduleExpression": RATE,
            "State": "DISABLED",
        },
    )
    yield _one(
        "aws_cloudwatch_event_target.this",
        "input",
        "events.put_targets",
        lambda r, of: {
            "Rule": r["rule"],
            "Targets": [{"Id": r["target_id"], "Arn": r["arn"], "Input": json.dumps({"injected": True})}],
        },
    )
    yield _one(
        "aws_cloudwatch_event_archive.this",
        "description retention_days event_pattern",
        "events.update_archive",
        lambda r, of: {
            "ArchiveName": r["name"],
            "Description": "injected",
            "RetentionDays": 7,
            "EventPattern": json.dumps({"source": ["injected"]}),
        },
    )
    yield _one(
        "aws_cloudwatch_log_group.this",
        "retention_in_days",
        "logs.put_retention_policy",
        lambda r, of: {"logGroupName": r["name"], "retentionInDays": 3},
    )
    yield _one(
        "aws_cloudwatch_log_stream.this",
        GONE,
        "logs.delete_log_stream",
        lambda r, of: {"logGroupName": r["log_group_name"], "logStreamName": r["name"]},
    )
    yield _one(
        "aws_cloudwatch_log_resource_policy.this",
        "policy_document",
        "logs.put_resource_policy",
        lambda r, of: {
            "policyName": r["policy_name"],
            "policyDocument": _policy("Injected", Effect="Allow", Action="logs:PutLogEvents"),
        },
    )
    yield _one(
        "aws_cloudwatch_log_metric_filter.this",
        GONE,
        "logs.delete_metric_filter",
        lambda r, of: {"logGroupName": r["log_group_name"], "filterName": r["name"]},
    )
    alarm = "aws_cloudwatch_metric_alarm.this"
    yield _one(
        alarm,
        "threshold evaluation_periods period statistic comparison_operator alarm_description treat_missing_data",
        "cloudwatch.put_metric_alarm",
        lambda r, of: {
            "AlarmName": r["alarm_name"],
            "AlarmDescription": "injected",
            "ComparisonOperator": "LessThanThreshold",
            "EvaluationPeriods": 7,
            "MetricName": r["metric_name"],
            "Namespace": r["namespace"],
            "Period": 300,
            "Statistic": "Average",
            "Threshold": 77,
            "TreatMissingData": "breaching",
        },
    )
    yield _one(
        alarm,
        "actions_enabled",
        "cloudwatch.disable_alarm_actions",
        lambda r, of: {"AlarmNames": [r["alarm_name"]]},
    )
    yield _one(
        "aws_cloudwatch_dashboard.this",
        "dashboard_body",
        "cloudwatch.put_dashboard",
        lambda r, of: {"DashboardName": r["dashboard_name"], "DashboardBody": json.dumps({"widgets": []})},
    )
    stream = "aws_kinesis_stream.this"
    yield _one(
        stream,
        "retention_period",
        "kinesis.increase_stream_retention_period",
        lambda r, of: {"StreamName": r["name"], "RetentionPeriodHours": 77},
    )
    yield _one(
        stream,
        "shard_level_metrics[0]",
        "kinesis.enable_enhanced_monitoring",
        lambda r, of: {"StreamName": r["name"], "ShardLevelMetrics": ["IncomingBytes"]},
    )
    yield _one(
        stream,
        "encryption_type kms_key_id",
        "kinesis.start_stream_encryption",
        lambda r, of: {"StreamName": r["name"], "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"},
    )
    yield _one(
        "aws_kinesis_firehose_delivery_stream.this",
        "extended_s3_configuration[0].buffering_interval extended_s3_configuration[0].prefix",
        "firehose.update_destination",
        lambda r, of: {
            "DeliveryStreamName": r["name"],
            "CurrentDeliveryStreamVersionId": r["version_id"],
            "DestinationId": r["destination_id"],
            "ExtendedS3DestinationUpdate": {
                "BufferingHints": {"IntervalInSeconds": 777, "SizeInMBs": 5},
                "Prefix": "injected/",
            },
        },
    )
    yield _one(
        "aws_scheduler_schedule.this",
        "schedule_expression description state",
        "scheduler.update_schedule",
        lambda r, of: {
            "Name": r["name"],
            "GroupName": r["group_name"],
            "Description": "injected",
            "ScheduleExpression": RATE,
            "State": "DISABLED",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": r["target"][0]["arn"], "RoleArn": r["target"][0]["role_arn"]},
        },
    )
    yield _one(
        "aws_route53_zone.this",
        "comment",
        "route53.update_hosted_zone_comment",
        lambda r, of: {"Id": r["zone_id"], "Comment": "injected"},
    )
    yield _one(
        "aws_route53_record.this",
        "ttl records[0]",
        "route53.change_resource_record_sets",
        lambda r, of: {
            "HostedZoneId": r["zone_id"],
            "ChangeBatch": {
                "Changes": [
                    {
                        "Action": "UPSERT",
                        "ResourceRecordSet": {
                            "Name": r["name"],
                            "Type": "CNAME",
                            "TTL": 777,
                            "ResourceRecords": [{"Value": "injected.example"}],
                        },
                    }
                ]
            },
        },
    )
    yield _one(
        "aws_route53_health_check.this",
        "failure_threshold resource_path fqdn port",
        "route53.update_health_check",
        lambda r, of: {
            "HealthCheckId": r["id"],
            "FailureThreshold": 7,
            "ResourcePath": "/injected",
            "FullyQualifiedDomainName": "injected.corpus.example",
            "Port": 777,
        },
    )
    yield _one(
        "aws_service_discovery_service.this",
        "description dns_config[0].dns_records[0].ttl",
        "servicediscovery.update_service",
        lambda r, of: {
            "Id": r["id"],
            "Service": {"Description": "injected", "DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 777}]}},
        },
    )
    yield _one(
        "aws_ses_email_identity.this",
        GONE,
        "ses.delete_identity",
        lambda r, of: {"Identity": r["email"]},
    )
    yield _one(
        "aws_ses_template.this",
        "subject text html",
        "ses.update_template",
        lambda r, of: {
            "Template": {
                "TemplateName": r["name"],
                "SubjectPart": "injected",
                "TextPart": "injected",
                "HtmlPart": "injected",
            }
        },
    )
    resource_group = "aws_resourcegroups_group.this"
    yield _one(
        resource_group,
        "description",
        "resource-groups.update_group",
        lambda r, of: {"GroupName": r["name"], "Description": "injected"},
    )
    yield _one(
        resource_group,
        "resource_query[0].query",
        "resource-groups.update_group_query",
        lambda r, of: {
            "GroupName": r["name"],
            "ResourceQuery": {
                "Type": "TAG_FILTERS_1_0",
                "Query": json.dumps(
                    {"ResourceTypeFilters": ["AWS::AllSupported"], "TagFilters": [{"Key": "injected", "Values": ["1"]}]}
                ),
            },
        },
    )
    yield _one(
        "aws_glue_catalog_database.this",
        "description parameters.injected",
        "glue.update_database",
        lambda r, of: {
            "Name": r["name"],
            "DatabaseInput": {"Name": r["name"], "Description": "injected", "Parameters": TAG},
        },
    )
    yield _one(
        "aws_glue_catalog_table.this",
        "description owner retention parameters.injected",
        "glue.update_table",
        lambda r, of: {
            "DatabaseName": r["database_name"],
            "TableInput": {
                "Name": r["name"],
                "Description": "injected",
                "Owner": "injected",
                "Retention": 7,
                "Parameters": TAG,
            },
        },
    )
    trail = "aws_cloudtrail.this"
    yield _one(trail, "enable_logging", "cloudtrail.stop_logging", lambda r, of: {"Name": r["name"]})
    yield _one(
        trail,
        "s3_key_prefix is_multi_region_trail",
        "cloudtrail.update_trail",
        lambda r, of: {
            "Name": r["name"],
            "S3KeyPrefix": "injected",
            "IncludeGlobalServiceEvents": True,
            "IsMultiRegionTrail": True,
        },
    )
    yield _one(
        "aws_appconfig_application.this",
        "description",
        "appconfig.update_application",
        lambda r, of: {"ApplicationId": r["id"], "Description": "injected"},
    )


def _network() -> Iterator[Injection]:
    yield _one(
        "aws_vpc.this",
        "enable_dns_hostnames",
        "ec2.modify_vpc_attribute",
        lambda r, of: {"VpcId": r["id"], "EnableDnsHostnames": {"Value": False}},
    )
    yield _one(
        "aws_vpc.this",
        "enable_dns_support",
        "ec2.modify_vpc_attribute",
        lambda r, of: {"VpcId": r["id"], "EnableDnsSupport": {"Value": False}},
    )
    yield _one(
        'aws_subnet.this["a"]',
        "map_public_ip_on_launch",
        "ec2.modify_subnet_attribute",
        lambda r, of: {"SubnetId": r["id"], "MapPublicIpOnLaunch": {"Value": False}},
    )
    yield _one(
        "aws_route_table.this",
        "route[1]",
        "ec2.create_route",
        lambda r, of: {
            "RouteTableId": r["id"],
            "DestinationCidrBlock": "192.0.2.0/24",
            "GatewayId": of("aws_internet_gateway.this")["id"],
        },
    )
    yield _one(
        "aws_route.out",
        "gateway_id nat_gateway_id",
        "ec2.replace_route",
        lambda r, of: {
            "RouteTableId": r["route_table_id"],
            "DestinationCidrBlock": r["destination_cidr_block"],
            "NatGatewayId": of("aws_nat_gateway.this")["id"],
        },
    )
    yield _one(
        "aws_route_table_association.a",
        GONE,
        "ec2.disassociate_route_table",
        lambda r, of: {"AssociationId": r["id"]},
    )
    yield _one(
        "aws_vpc_dhcp_options_association.this",
        GONE,
        "ec2.associate_dhcp_options",
        lambda r, of: {"DhcpOptionsId": "default", "VpcId": r["vpc_id"]},
    )
    yield _one(
        "aws_security_group.inline",
        "ingress[0]",
        "ec2.authorize_security_group_ingress",
        lambda r, of: {
            "GroupId": r["id"],
            "IpPermissions": [
                {"IpProtocol": "tcp", "FromPort": 77, "ToPort": 77, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
            ],
        },
    )
    yield _one(
        "aws_security_group_rule.ssh",
        "description",
        "ec2.update_security_group_rule_descriptions_ingress",
        lambda r, of: {
            "GroupId": r["security_group_id"],
            "IpPermissions": [
                {
                    "IpProtocol": "tcp",
                    "FromPort": 22,
                    "ToPort": 22,
                    "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "injected"}],
                }
            ],
        },
    )
    yield _one(
        "aws_vpc_security_group_ingress_rule.https",
        "description to_port cidr_ipv4",
        "ec2.modify_security_group_rules",
        lambda r, of: {
            "GroupId": r["security_group_id"],
            "SecurityGroupRules": [
                {
                    "SecurityGroupRuleId": r["id"],
                    "SecurityGroupRule": {
                        "IpProtocol": "tcp",
                        "FromPort": 443,
                        "ToPort": 777,
                        "CidrIpv4": "192.0.2.0/24",
                        "Description": "injected",
                    },
                }
            ],
        },
    )
    yield _one(
        "aws_network_acl_rule.in",
        "cidr_block rule_action to_port",
        "ec2.replace_network_acl_entry",
        lambda r, of: {
            "NetworkAclId": r["network_acl_id"],
            "RuleNumber": 100,
            "Protocol": "6",
            "RuleAction": "deny",
            "Egress": False,
            "CidrBlock": "192.0.2.0/24",
            "PortRange": {"From": 443, "To": 777},
        },
    )
    interface = "aws_network_interface.this"
    yield _one(
        interface,
        "description",
        "ec2.modify_network_interface_attribute",
        lambda r, of: {"NetworkInterfaceId": r["id"], "Description": {"Value": "injected"}},
    )
    yield _one(
        interface,
        "source_dest_check",
        "ec2.modify_network_interface_attribute",
        lambda r, of: {"NetworkInterfaceId": r["id"], "SourceDestCheck": {"Value": False}},
    )
    yield _one(
        "aws_vpc_endpoint.s3",
        "policy route_table_ids[0]",
        "ec2.modify_vpc_endpoint",
        lambda r, of: {
            "VpcEndpointId": r["id"],
            "PolicyDocument": _policy("Injected", Action="s3:*"),
            "AddRouteTableIds": [of("aws_route_table.this")["id"]],
        },
    )
    yield _one(
        "aws_ec2_managed_prefix_list.this",
        "name entry[0]",
        "ec2.modify_managed_prefix_list",
        lambda r, of: {
            "PrefixListId": r["id"],
            "PrefixListName": "injected",
            "AddEntries": [{"Cidr": "192.0.2.0/24", "Description": "injected"}],
        },
    )


def _storage() -> Iterator[Injection]:
    bucket = "aws_s3_bucket"
    yield _one(
        f"{bucket}_versioning.this",
        "versioning_configuration[0].status",
        "s3.put_bucket_versioning",
        lambda r, of: {"Bucket": r["bucket"], "VersioningConfiguration": {"Status": "Enabled"}},
    )
    yield _one(
        f"{bucket}_server_side_encryption_configuration.this",
        "rule[0].bucket_key_enabled rule[0].apply_server_side_encryption_by_default[0].sse_algorithm",
        "s3.put_bucket_encryption",
        lambda r, of: {
            "Bucket": r["bucket"],
            "ServerSideEncryptionConfiguration": {
                "Rules": [
                    {
                        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"},
                        "BucketKeyEnabled": False,
                    }
                ]
            },
        },
    )
    yield _one(
        f"{bucket}_public_access_block.this",
        "block_public_acls block_public_policy ignore_public_acls restrict_public_buckets",
        "s3.put_public_access_block",
        lambda r, of: {
            "Bucket": r["bucket"],
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": False,
                "BlockPublicPolicy": False,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
        },
    )
    yield _one(
        f"{bucket}_policy.this",
        "policy",
        "s3.put_bucket_policy",
        lambda r, of: {
            "Bucket": r["bucket"],
            "Policy": _policy("Injected", Action="s3:PutObjectAcl", Resource=f"arn:aws:s3:::{r['bucket']}/*"),
        },
    )
    yield _one(
        f"{bucket}_lifecycle_configuration.this",
        "rule[0].expiration[0].days rule[0].filter[0].prefix rule[0].status",
        "s3.put_bucket_lifecycle_configuration",
        lambda r, of: {
            "Bucket": r["bucket"],
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "ID": "expire",
                        "Status": "Disabled",
                        "Filter": {"Prefix": "injected/"},
                        "Expiration": {"Days": 77},
                    }
                ]
            },
        },
    )
    yield _one(
        f"{bucket}_cors_configuration.this",
        "cors_rule[0].allowed_methods[1] cors_rule[0].allowed_origins[0] cors_rule[0].max_age_seconds",
        "s3.put_bucket_cors",
        lambda r, of: {
            "Bucket": r["bucket"],
            "CORSConfiguration": {
                "CORSRules": [{"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["*"], "MaxAgeSeconds": 7}]
            },
        },
    )
    yield _one(
        f"{bucket}_website_configuration.this",
        "index_document[0].suffix error_document[0].key",
        "s3.put_bucket_website",
        lambda r, of: {
            "Bucket": r["bucket"],
            "WebsiteConfiguration": {
                "IndexDocument": {"Suffix": "injected.html"},
                "ErrorDocument": {"Key": "injected.html"},
            },
        },
    )
    yield _one(
        f"{bucket}_ownership_controls.this",
        "rule[0].object_ownership",
        "s3.put_bucket_ownership_controls",
        lambda r, of: {
            "Bucket": r["bucket"],
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]},
        },
    )
    yield _one(
        f"{bucket}_notification.this",
        "queue[0].events[0] queue[0].filter_prefix",
        "s3.put_bucket_notification_configuration",
        lambda r, of: {
            "Bucket": r["bucket"],
            "NotificationConfiguration": {
                "QueueConfigurations": [
                    {
                        "Id": r["queue"][0]["id"],
                        "QueueArn": r["queue"][0]["queue_arn"],
                        "Events": ["s3:ObjectRemoved:*"],
                        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "injected/"}]}},
                    }
                ]
            },
        },
    )
    yield _one(
        "aws_s3_object.this",
        "etag",
        "s3.put_object",
        lambda r, of: {
            "Bucket": r["bucket"],
            "Key": r["key"],
            "Body": b"injected",
            "ContentType": "text/injected",
            "CacheControl": "no-store",
        },
    )
    table = "aws_dynamodb_table.this"
    yield _one(
        table,
        "ttl[0].enabled",
        "dynamodb.update_time_to_live",
        lambda r, of: {
            "TableName": r["name"],
            "TimeToLiveSpecification": {"Enabled": False, "AttributeName": "expires"},
        },
    )
    yield _one(
        table,
        "point_in_time_recovery[0].enabled",
        "dynamodb.update_continuous_backups",
        lambda r, of: {
            "TableName": r["name"],
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        },
    )
    yield _one(
        table,
        "stream_enabled stream_view_type",
        "dynamodb.update_table",
        lambda r, of: {
            "TableName": r["name"],
            "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
        },
    )
    yield _one(
        "aws_dynamodb_table_item.this",
        "item",
        "dynamodb.put_item",
        lambda r, of: {"TableName": r["table_name"], "Item": {"id": {"S": "one"}, "text": {"S": "injected"}}},
    )
    yield _one(
        "aws_efs_file_system.this",
        "lifecycle_policy[0]",
        "efs.put_lifecycle_configuration",
        lambda r, of: {"FileSystemId": r["id"], "LifecyclePolicies": [{"TransitionToIA": "AFTER_30_DAYS"}]},
    )
    yield _one(
        "aws_efs_mount_target.this",
        "security_groups",
        "efs.modify_mount_target_security_groups",
        lambda r, of: {"MountTargetId": r["id"], "SecurityGroups": [of("aws_security_group.inline")["id"]]},
    )
    yield _one(
        "aws_db_parameter_group.this",
        "parameter[0].value",
        "rds.modify_db_parameter_group",
        lambda r, of: {
            "DBParameterGroupName": r["name"],
            "Parameters": [
                {
                    "ParameterName": "log_min_duration_statement",
                    "ParameterValue": "77",
                    "ApplyMethod": "immediate",
                }
            ],
        },
    )
    yield _one(
        "aws_db_instance.this",
        "allocated_storage instance_class backup_retention_period maintenance_window",
        "rds.modify_db_instance",
        lambda r, of: {
            "DBInstanceIdentifier": r["identifier"],
            "AllocatedStorage": 77,
            "DBInstanceClass": "db.m5.large",
            "BackupRetentionPeriod": 7,
            "PreferredMaintenanceWindow": "mon:07:07-mon:08:07",
            "ApplyImmediately": True,
        },
    )
