"""Updates in place that nothing turns around: a disk only grows, an engine is not downgraded. One table.

Names in the comments are pages of the service's API reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.safety.plan_document import SENSITIVE, Change


def _grows(before: Any, after: Any) -> bool:
    plain = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (before, after))
    return plain and after > before


def _differs(before: Any, after: Any) -> bool:
    known = before is not None and after is not None
    return known and (before != after or SENSITIVE in (before, after))


def _shorter(before: Any, after: Any) -> bool:
    return _grows(after, before)


def _shorter_than_ever(before: Any, after: Any) -> bool:
    """A time for which 0, or nothing, means: for ever."""
    return bool(after) and (not before or _shorter(before, after))


def _switched_on(before: Any, after: Any) -> bool:
    return after in (True, "true", "Enabled", "enabled", "ENABLED") and before != after


#: (type, attribute) -> what change of it cannot be taken back, and why.
_ONE_WAY: Final[Mapping[tuple[str, str], tuple[Callable[[Any, Any], bool], str]]] = {
    # Amazon EC2: ModifyVolume: "You cannot decrease the size of an EBS volume".
    ("aws_ebs_volume", "size"): (_grows, "a volume that grew cannot shrink"),
    # Amazon FSx: UpdateFileSystem: storage capacity can be increased only.
    ("aws_fsx_lustre_file_system", "storage_capacity"): (_grows, "a file system that grew cannot shrink"),
    ("aws_fsx_windows_file_system", "storage_capacity"): (_grows, "a file system that grew cannot shrink"),
    ("aws_fsx_ontap_file_system", "storage_capacity"): (_grows, "a file system that grew cannot shrink"),
    # Amazon RDS: ModifyDBInstance: AllocatedStorage "can't be reduced"; EngineVersion: no downgrade.
    ("aws_db_instance", "allocated_storage"): (_grows, "storage that grew cannot shrink"),
    ("aws_db_instance", "engine_version"): (_differs, "an engine that was upgraded cannot be downgraded"),
    ("aws_rds_cluster", "engine_version"): (_differs, "an engine that was upgraded cannot be downgraded"),
    ("aws_docdb_cluster", "engine_version"): (_differs, "an engine that was upgraded cannot be downgraded"),
    ("aws_neptune_cluster", "engine_version"): (_differs, "an engine that was upgraded cannot be downgraded"),
    ("aws_elasticache_cluster", "engine_version"): (_differs, "an engine that was upgraded cannot be downgraded"),
    ("aws_elasticache_replication_group", "engine_version"): (
        _differs,
        "an engine that was upgraded cannot be downgraded",
    ),
    ("aws_memorydb_cluster", "engine_version"): (_differs, "an engine that was upgraded cannot be downgraded"),
    ("aws_mq_broker", "engine_version"): (_differs, "an engine that was upgraded cannot be downgraded"),
    # Amazon OpenSearch Service: UpgradeDomain: "cannot downgrade".
    ("aws_opensearch_domain", "engine_version"): (_differs, "an engine that was upgraded cannot be downgraded"),
    # Amazon EKS: UpdateClusterVersion: a control plane is not downgraded.
    ("aws_eks_cluster", "version"): (_differs, "a cluster that was upgraded cannot be downgraded"),
    # Amazon MSK: UpdateBrokerStorage grows only; UpdateClusterKafkaVersion: no downgrade.
    ("aws_msk_cluster", "kafka_version"): (_differs, "a cluster that was upgraded cannot be downgraded"),
    # AWS Secrets Manager: PutSecretValue: the former value is only a version from now on.
    ("aws_secretsmanager_secret_version", "secret_string"): (_differs, "who read the new value may go on using it"),
    # Amazon S3: PutBucketVersioning: a bucket "can never return to an unversioned state".
    ("aws_s3_bucket_versioning", "versioning_configuration.status"): (
        _switched_on,
        "versioning that was switched on can only be suspended",
    ),
    # Amazon S3: PutObjectLockConfiguration.
    ("aws_s3_bucket", "object_lock_enabled"): (_switched_on, "object lock cannot be switched off"),
    # Amazon CloudWatch Logs: PutRetentionPolicy: older events are deleted, and a longer time brings none back.
    ("aws_cloudwatch_log_group", "retention_in_days"): (
        _shorter_than_ever,
        "events that are older are deleted, and do not come back",
    ),
    # Amazon Kinesis: DecreaseStreamRetentionPeriod: records "become inaccessible immediately".
    ("aws_kinesis_stream", "retention_period"): (
        _shorter,
        "records that are older are lost at once",
    ),
    # Amazon SQS: SetQueueAttributes, MessageRetentionPeriod: older messages are deleted.
    ("aws_sqs_queue", "message_retention_seconds"): (
        _shorter,
        "messages that are older are deleted",
    ),
    # Amazon RDS: ModifyDBInstance: BackupRetentionPeriod 0 deletes the automated backups.
    ("aws_db_instance", "backup_retention_period"): (
        _shorter,
        "automated backups that are older are deleted",
    ),
    ("aws_rds_cluster", "backup_retention_period"): (
        _shorter,
        "automated backups that are older are deleted",
    ),
}


def one_way(change: Change) -> str | None:
    """Why an update in place cannot be taken back; None: it can, as far as is known. Any other change is none."""
    if change.actions != ("update",):
        return None
    for (kind, path), (changed, why) in _ONE_WAY.items():
        if kind == change.type and changed(_at(change.before, path), _at(change.after, path)):
            return why
    return None


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(value, list) and value:
            value = value[0]
        value = value.get(step) if isinstance(value, dict) else None
    return value
