"""Queues, topics, events, logs, streams, names."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.aws_corpus.injections.row import GONE, INJECTED, Injection, one, policy


def messaging() -> Iterator[Injection]:
    """The rows."""
    queue = "aws_sqs_queue.this"
    for name, path, value in (
        ("VisibilityTimeout", "visibility_timeout_seconds", "77"),
        ("DelaySeconds", "delay_seconds", "7"),
        ("MaximumMessageSize", "max_message_size", "7777"),
        ("MessageRetentionPeriod", "message_retention_seconds", "77777"),
        ("ReceiveMessageWaitTimeSeconds", "receive_wait_time_seconds", "7"),
    ):
        yield one(
            queue,
            path,
            "sqs.set_queue_attributes",
            lambda r, of, name=name, value=value: {"QueueUrl": r["id"], "Attributes": {name: value}},
        )
    yield one(
        "aws_sqs_queue_policy.this",
        "policy",
        "sqs.set_queue_attributes",
        lambda r, of: {"QueueUrl": r["queue_url"], "Attributes": {"Policy": policy("Injected", Action="sqs:*")}},
    )
    topic = "aws_sns_topic.this"
    yield one(
        topic,
        "display_name",
        "sns.set_topic_attributes",
        lambda r, of: {"TopicArn": r["arn"], "AttributeName": "DisplayName", "AttributeValue": "injected"},
    )
    yield one(
        topic,
        "kms_master_key_id",
        "sns.set_topic_attributes",
        lambda r, of: {"TopicArn": r["arn"], "AttributeName": "KmsMasterKeyId", "AttributeValue": "alias/injected"},
    )
    yield one(
        "aws_sns_topic_policy.this",
        "policy",
        "sns.set_topic_attributes",
        lambda r, of: {
            "TopicArn": r["arn"],
            "AttributeName": "Policy",
            "AttributeValue": policy("Injected", Action="sns:Publish", Resource=r["arn"]),
        },
    )
    subscription = "aws_sns_topic_subscription.this"
    yield one(
        subscription,
        "raw_message_delivery",
        "sns.set_subscription_attributes",
        lambda r, of: {
            "SubscriptionArn": r["arn"],
            "AttributeName": "RawMessageDelivery",
            "AttributeValue": "false",
        },
    )
    yield one(
        subscription,
        "filter_policy",
        "sns.set_subscription_attributes",
        lambda r, of: {
            "SubscriptionArn": r["arn"],
            "AttributeName": "FilterPolicy",
            "AttributeValue": json.dumps({"injected": ["yes"]}),
        },
    )
    yield one(
        "aws_cloudwatch_event_rule.this",
        "description schedule_expression state is_enabled",
        "events.put_rule",
        lambda r, of: {
            "Name": r["name"],
            "Description": "injected",
            "ScheduleExpression": "rate(7 hours)",
            "State": "DISABLED",
        },
    )
    yield one(
        "aws_cloudwatch_event_target.this",
        "input",
        "events.put_targets",
        lambda r, of: {
            "Rule": r["rule"],
            "Targets": [{"Id": r["target_id"], "Arn": r["arn"], "Input": json.dumps({"injected": True})}],
        },
    )
    yield one(
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
    yield one(
        "aws_cloudwatch_log_group.this",
        "retention_in_days",
        "logs.put_retention_policy",
        lambda r, of: {"logGroupName": r["name"], "retentionInDays": 3},
    )
    yield one(
        "aws_cloudwatch_log_stream.this",
        GONE,
        "logs.delete_log_stream",
        lambda r, of: {"logGroupName": r["log_group_name"], "logStreamName": r["name"]},
    )
    yield one(
        "aws_cloudwatch_log_resource_policy.this",
        "policy_document",
        "logs.put_resource_policy",
        lambda r, of: {
            "policyName": r["policy_name"],
            "policyDocument": policy("Injected", Effect="Allow", Action="logs:PutLogEvents"),
        },
    )
    alarm = "aws_cloudwatch_metric_alarm.this"
    yield one(
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
    yield one(
        alarm,
        "actions_enabled",
        "cloudwatch.disable_alarm_actions",
        lambda r, of: {"AlarmNames": [r["alarm_name"]]},
    )
    yield one(
        "aws_cloudwatch_dashboard.this",
        "dashboard_body",
        "cloudwatch.put_dashboard",
        lambda r, of: {"DashboardName": r["dashboard_name"], "DashboardBody": json.dumps({"widgets": []})},
    )
    stream = "aws_kinesis_stream.this"
    yield one(
        stream,
        "retention_period",
        "kinesis.increase_stream_retention_period",
        lambda r, of: {"StreamName": r["name"], "RetentionPeriodHours": 77},
    )
    yield one(
        stream,
        "shard_level_metrics[0]",
        "kinesis.enable_enhanced_monitoring",
        lambda r, of: {"StreamName": r["name"], "ShardLevelMetrics": ["IncomingBytes"]},
    )
    yield one(
        stream,
        "encryption_type kms_key_id",
        "kinesis.start_stream_encryption",
        lambda r, of: {"StreamName": r["name"], "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"},
    )
    yield one(
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
    yield one(
        "aws_scheduler_schedule.this",
        "schedule_expression description state",
        "scheduler.update_schedule",
        lambda r, of: {
            "Name": r["name"],
            "GroupName": r["group_name"],
            "Description": "injected",
            "ScheduleExpression": "rate(7 hours)",
            "State": "DISABLED",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": r["target"][0]["arn"], "RoleArn": r["target"][0]["role_arn"]},
        },
    )
    yield one(
        "aws_route53_zone.this",
        "comment",
        "route53.update_hosted_zone_comment",
        lambda r, of: {"Id": r["zone_id"], "Comment": "injected"},
    )
    yield one(
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
    yield one(
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
    yield one(
        "aws_service_discovery_service.this",
        "description dns_config[0].dns_records[0].ttl",
        "servicediscovery.update_service",
        lambda r, of: {
            "Id": r["id"],
            "Service": {"Description": "injected", "DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 777}]}},
        },
    )
    yield one(
        "aws_ses_email_identity.this",
        GONE,
        "ses.delete_identity",
        lambda r, of: {"Identity": r["email"]},
    )
    yield one(
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
    yield one(
        resource_group,
        "description",
        "resource-groups.update_group",
        lambda r, of: {"GroupName": r["name"], "Description": "injected"},
    )
    yield one(
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
    yield one(
        "aws_glue_catalog_database.this",
        "description parameters.injected",
        "glue.update_database",
        lambda r, of: {
            "Name": r["name"],
            "DatabaseInput": {"Name": r["name"], "Description": "injected", "Parameters": INJECTED},
        },
    )
    yield one(
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
                "Parameters": INJECTED,
            },
        },
    )
    trail = "aws_cloudtrail.this"
    yield one(trail, "enable_logging", "cloudtrail.stop_logging", lambda r, of: {"Name": r["name"]})
    yield one(
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
    yield one(
        "aws_appconfig_application.this",
        "description",
        "appconfig.update_application",
        lambda r, of: {"ApplicationId": r["id"], "Description": "injected"},
    )
