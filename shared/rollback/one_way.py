"""Updates in place that nothing turns around: a disk only grows, an engine is not downgraded. One table.

A value that is masked, or known only after the apply, may be any: where one stands in a place of the table, the update
goes one way.

Names in the comments are pages of the service's API reference, or of its guide where that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.safety.plan_document import SENSITIVE, Change

#: Stands for a value that nobody can tell from a plan.
_UNCLEAR: Final = object()


def _grows(before: Any, after: Any) -> bool:
    if not _differs(before, after):
        return False
    plain = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (before, after))
    return after > before if plain else True


def _differs(before: Any, after: Any) -> bool:
    return before is not None and after is not None and before != after


def _shorter(before: Any, after: Any) -> bool:
    return _grows(after, before)


def _shorter_than_ever(before: Any, after: Any) -> bool:
    """A time for which 0, or nothing, means: for ever."""
    return bool(after) and (not before or _shorter(before, after))


def _switched_on(before: Any, after: Any) -> bool:
    return after in (True, "true", "Enabled", "enabled", "ENABLED") and before != after


def _switched_off(before: Any, after: Any) -> bool:
    return before is True and after is not True


def _set_anew(before: Any, after: Any) -> bool:
    return bool(after) and before != after


def _expires_anew(before: Any, after: Any) -> bool:
    """Whether a rule of a bucket's lifecycle that lets something expire was not there as it is."""
    known = before if isinstance(before, list) else []
    rules = after if isinstance(after, list) else [after]
    return any(rule not in known and _expires(rule) for rule in rules)


def _expires(rule: Any) -> bool:
    if not isinstance(rule, dict):
        return rule is not None
    off = rule.get("status") == "Disabled" or rule.get("enabled") is False
    return not off and bool(rule.get("expiration") or rule.get("noncurrent_version_expiration"))


_UPGRADED: Final = (_differs, "an engine that was upgraded cannot be downgraded")
_BACKUPS: Final = (_shorter, "automated backups that are older are deleted")
_SNAPSHOTS: Final = (_shorter, "automatic snapshots that are older are deleted")
_STORAGE: Final = (_grows, "storage that grew cannot shrink")
_FILES: Final = (_grows, "a file system that grew cannot shrink")
_EXPIRY: Final = (_expires_anew, "what expires by it is deleted, and does not come back")
_KEPT_ON: Final = (_switched_on, "once it is switched on it cannot be switched off")

#: (type, attribute) -> what change of it cannot be taken back, and why.
_ONE_WAY: Final[Mapping[tuple[str, str], tuple[Callable[[Any, Any], bool], str]]] = {
    # Amazon EC2: ModifyVolume: "You cannot decrease the size of an EBS volume".
    ("aws_ebs_volume", "size"): (_grows, "a volume that grew cannot shrink"),
    ("aws_instance", "root_block_device.volume_size"): (_grows, "a volume that grew cannot shrink"),
    # Amazon FSx: UpdateFileSystem: storage capacity can be increased only.
    ("aws_fsx_lustre_file_system", "storage_capacity"): _FILES,
    ("aws_fsx_windows_file_system", "storage_capacity"): _FILES,
    ("aws_fsx_ontap_file_system", "storage_capacity"): _FILES,
    ("aws_fsx_openzfs_file_system", "storage_capacity"): _FILES,
    # Amazon RDS: ModifyDBInstance: AllocatedStorage "can't be reduced"; EngineVersion: no downgrade. The same engines
    # under ModifyGlobalCluster; Amazon DocumentDB, Neptune, ElastiCache, MemoryDB, MQ.
    ("aws_db_instance", "allocated_storage"): _STORAGE,
    ("aws_db_instance", "engine_version"): _UPGRADED,
    ("aws_rds_cluster", "engine_version"): _UPGRADED,
    ("aws_rds_global_cluster", "engine_version"): _UPGRADED,
    ("aws_docdb_cluster", "engine_version"): _UPGRADED,
    ("aws_docdb_global_cluster", "engine_version"): _UPGRADED,
    ("aws_neptune_cluster", "engine_version"): _UPGRADED,
    ("aws_neptune_global_cluster", "engine_version"): _UPGRADED,
    ("aws_elasticache_cluster", "engine_version"): _UPGRADED,
    ("aws_elasticache_replication_group", "engine_version"): _UPGRADED,
    ("aws_elasticache_global_replication_group", "engine_version"): _UPGRADED,
    ("aws_memorydb_cluster", "engine_version"): _UPGRADED,
    ("aws_mq_broker", "engine_version"): _UPGRADED,
    # Amazon OpenSearch Service: UpgradeDomain: "cannot downgrade"; guide: encryption at rest, between nodes, and
    # fine-grained access control cannot be disabled again.
    ("aws_opensearch_domain", "engine_version"): _UPGRADED,
    ("aws_elasticsearch_domain", "elasticsearch_version"): _UPGRADED,
    ("aws_opensearch_domain", "encrypt_at_rest.enabled"): _KEPT_ON,
    ("aws_opensearch_domain", "node_to_node_encryption.enabled"): _KEPT_ON,
    ("aws_opensearch_domain", "advanced_security_options.enabled"): _KEPT_ON,
    # Amazon EKS: UpdateClusterVersion, UpdateNodegroupVersion: no way back to an earlier version.
    ("aws_eks_cluster", "version"): (_differs, "a cluster that was upgraded cannot be downgraded"),
    ("aws_eks_node_group", "version"): (_differs, "a node group that was upgraded cannot be downgraded"),
    # Amazon MSK: UpdateBrokerStorage grows only; UpdateClusterKafkaVersion: no downgrade.
    ("aws_msk_cluster", "kafka_version"): (_differs, "a cluster that was upgraded cannot be downgraded"),
    ("aws_msk_cluster", "broker_node_group_info.storage_info.ebs_storage_info.volume_size"): _STORAGE,
    # AWS Secrets Manager: PutSecretValue: the former value is only a version from now on.
    ("aws_secretsmanager_secret_version", "secret_string"): (_differs, "who read the new value may go on using it"),
    # Amazon S3: PutBucketVersioning: a bucket "can never return to an unversioned state".
    ("aws_s3_bucket_versioning", "versioning_configuration.status"): (
        _switched_on,
        "versioning that was switched on can only be suspended",
    ),
    ("aws_s3_bucket", "versioning.enabled"): (_switched_on, "versioning that was switched on can only be suspended"),
    # Amazon S3: PutObjectLockConfiguration: "once … enabled, you can't disable it"; what was put under it keeps its
    # retention.
    ("aws_s3_bucket", "object_lock_enabled"): (_switched_on, "object lock cannot be switched off"),
    ("aws_s3_bucket_object_lock_configuration", "rule"): (_set_anew, "what is put under it stays locked for its time"),
    # Amazon S3: PutBucketLifecycleConfiguration: expired objects and versions are deleted for good.
    ("aws_s3_bucket_lifecycle_configuration", "rule"): _EXPIRY,
    ("aws_s3_bucket", "lifecycle_rule"): _EXPIRY,
    ("aws_s3control_bucket_lifecycle_configuration", "rule"): _EXPIRY,
    # Amazon ECR: PutLifecyclePolicy: what expires is deleted.
    ("aws_ecr_lifecycle_policy", "policy"): (_set_anew, "images that expire by it are deleted"),
    # Amazon DynamoDB: UpdateTimeToLive: expired items are deleted; UpdateContinuousBackups: the points in time before
    # it is switched on again are lost.
    ("aws_dynamodb_table", "ttl.enabled"): (_switched_on, "items that expire are deleted"),
    ("aws_dynamodb_table", "point_in_time_recovery.enabled"): (
        _switched_off,
        "the points in time to go back to are lost",
    ),
    # Amazon Keyspaces: UpdateTable: neither TTL nor client-side timestamps can be disabled again.
    ("aws_keyspaces_table", "ttl.status"): _KEPT_ON,
    ("aws_keyspaces_table", "client_side_timestamps.status"): _KEPT_ON,
    # Amazon CloudWatch Logs: PutRetentionPolicy: older events are deleted, and a longer time brings none back.
    ("aws_cloudwatch_log_group", "retention_in_days"): (
        _shorter_than_ever,
        "events that are older are deleted, and do not come back",
    ),
    # AWS CloudTrail: UpdateEventDataStore, RetentionPeriod: decreased, events that are older are removed.
    ("aws_cloudtrail_event_data_store", "retention_period"): (_shorter, "events that are older are deleted"),
    # Amazon Kinesis: DecreaseStreamRetentionPeriod: records "become inaccessible immediately".
    ("aws_kinesis_stream", "retention_period"): (_shorter, "records that are older are lost at once"),
    # Amazon SQS: SetQueueAttributes, MessageRetentionPeriod: older messages are deleted.
    ("aws_sqs_queue", "message_retention_seconds"): (_shorter, "messages that are older are deleted"),
    # Amazon RDS: ModifyDBInstance: BackupRetentionPeriod 0 deletes the automated backups; DocumentDB and Neptune:
    # ModifyDBCluster; ElastiCache and MemoryDB: SnapshotRetentionLimit; Redshift: AutomatedSnapshotRetentionPeriod:
    # decreased, automated snapshots that are older are deleted.
    ("aws_db_instance", "backup_retention_period"): _BACKUPS,
    ("aws_rds_cluster", "backup_retention_period"): _BACKUPS,
    ("aws_docdb_cluster", "backup_retention_period"): _BACKUPS,
    ("aws_neptune_cluster", "backup_retention_period"): _BACKUPS,
    ("aws_elasticache_cluster", "snapshot_retention_limit"): _SNAPSHOTS,
    ("aws_elasticache_replication_group", "snapshot_retention_limit"): _SNAPSHOTS,
    ("aws_elasticache_serverless_cache", "snapshot_retention_limit"): _SNAPSHOTS,
    ("aws_memorydb_cluster", "snapshot_retention_limit"): _SNAPSHOTS,
    ("aws_redshift_cluster", "automated_snapshot_retention_period"): _SNAPSHOTS,
    # AWS Organizations: EnableAllFeatures: there is no way back to consolidated billing only.
    ("aws_organizations_organization", "feature_set"): (_differs, "an organization with all features stays one"),
}


def one_way(change: Change) -> str | None:
    """Why an update in place cannot be taken back; None: it can, as far as is known. Any other change is none."""
    if change.actions != ("update",):
        return None
    for (kind, path), (changed, why) in _ONE_WAY.items():
        if kind == change.type:
            before, after = _at(change.before, None, path), _at(change.after, change.after_unknown, path)
            if before is _UNCLEAR or after is _UNCLEAR or changed(before, after):
                return why
    return None


def _at(value: Any, unknown: Any, path: str) -> Any:
    """The value at a path through objects and blocks of which there is one, or none."""
    for step in path.split("."):
        value, unknown = _one(value), _one(unknown)
        if unknown is True or not (value is None or isinstance(value, dict)):
            return _UNCLEAR
        value = None if value is None else value.get(step)
        unknown = unknown.get(step) if isinstance(unknown, dict) else unknown
    return value if _told(value) and _known(unknown) else _UNCLEAR


def _one(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return (value[0] if len(value) == 1 else _UNCLEAR) if value else None


def _told(value: Any) -> bool:
    """Whether nothing in it is masked."""
    if isinstance(value, dict | list):
        return all(map(_told, value.values() if isinstance(value, dict) else value))
    return bool(value != SENSITIVE)


def _known(unknown: Any) -> bool:
    """Whether nothing is marked as known only after the apply."""
    if isinstance(unknown, dict | list):
        return all(map(_known, unknown.values() if isinstance(unknown, dict) else unknown))
    return unknown is None or unknown is False
