"""Buckets, tables, file systems, databases."""

from __future__ import annotations

from collections.abc import Iterator

from tests.aws_corpus.injections.row import Injection, one, policy


def storage() -> Iterator[Injection]:
    """The rows."""
    bucket = "aws_s3_bucket"
    yield one(
        f"{bucket}_versioning.this",
        "versioning_configuration[0].status",
        "s3.put_bucket_versioning",
        lambda r, of: {"Bucket": r["bucket"], "VersioningConfiguration": {"Status": "Enabled"}},
    )
    yield one(
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
    yield one(
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
    yield one(
        f"{bucket}_policy.this",
        "policy",
        "s3.put_bucket_policy",
        lambda r, of: {
            "Bucket": r["bucket"],
            "Policy": policy("Injected", Action="s3:PutObjectAcl", Resource=f"arn:aws:s3:::{r['bucket']}/*"),
        },
    )
    yield one(
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
    yield one(
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
    yield one(
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
    yield one(
        f"{bucket}_ownership_controls.this",
        "rule[0].object_ownership",
        "s3.put_bucket_ownership_controls",
        lambda r, of: {
            "Bucket": r["bucket"],
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]},
        },
    )
    yield one(
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
    yield one(
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
    yield one(
        table,
        "ttl[0].enabled",
        "dynamodb.update_time_to_live",
        lambda r, of: {
            "TableName": r["name"],
            "TimeToLiveSpecification": {"Enabled": False, "AttributeName": "expires"},
        },
    )
    yield one(
        table,
        "point_in_time_recovery[0].enabled",
        "dynamodb.update_continuous_backups",
        lambda r, of: {
            "TableName": r["name"],
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        },
    )
    yield one(
        table,
        "stream_enabled stream_view_type",
        "dynamodb.update_table",
        lambda r, of: {
            "TableName": r["name"],
            "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
        },
    )
    yield one(
        "aws_dynamodb_table_item.this",
        "item",
        "dynamodb.put_item",
        lambda r, of: {"TableName": r["table_name"], "Item": {"id": {"S": "one"}, "text": {"S": "injected"}}},
    )
    yield one(
        "aws_efs_file_system.this",
        "lifecycle_policy[0]",
        "efs.put_lifecycle_configuration",
        lambda r, of: {"FileSystemId": r["id"], "LifecyclePolicies": [{"TransitionToIA": "AFTER_30_DAYS"}]},
    )
    yield one(
        "aws_efs_mount_target.this",
        "security_groups",
        "efs.modify_mount_target_security_groups",
        lambda r, of: {"MountTargetId": r["id"], "SecurityGroups": [of("aws_security_group.inline")["id"]]},
    )
    yield one(
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
    yield one(
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
