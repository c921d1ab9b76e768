"""How far an operation can be undone, and why. Pure: an entry of a plan in, a label out.

    create, update, read, output, import, move, forget
                     reversible: undone by a delete, by the former values, or by the inverse
    delete, replace  by the resource type: `stateful` says what is lost, `rebuilt` what is only made again; of any other
                     type nobody knows, so its data counts as lost
    replace, the old one forgotten
                     data loss: the old one stays behind, outside of every state
    provisioner, action, deferred, unknown
                     irreversible: nobody knows what it does

A plan tells more than its entries do (`Change`): what forces a replacement, why something is deleted, and updates that
cannot be turned around, as of a disk that only grows. Where it is at hand it makes the label stricter, never milder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.rollback.rebuilt import is_rebuilt
from shared.rollback.records import MAX_WHY, Reversibility, ReversibilityLabel
from shared.rollback.stateful import LOSSES, Holds, keeps_data
from shared.safety.entries import Entry, Operation
from shared.safety.making import OPERATIONS
from shared.safety.plan_document import SENSITIVE, Change, PlanDocument

_DESTROYS: Final[Mapping[Operation, str]] = {
    Operation.DELETE: "deleted",
    Operation.REPLACE_DELETE_FIRST: "replaced",
    Operation.REPLACE_CREATE_FIRST: "replaced",
}
_SIMPLE: Final[Mapping[Operation, tuple[Reversibility, str]]] = {
    Operation.CREATE: (Reversibility.REVERSIBLE, "a rollback deletes it"),
    Operation.UPDATE: (Reversibility.REVERSIBLE, "a rollback sets the former values"),
    Operation.READ: (Reversibility.REVERSIBLE, "nothing is changed"),
    Operation.OUTPUT: (Reversibility.REVERSIBLE, "only what the state says is changed"),
    Operation.IMPORT: (Reversibility.REVERSIBLE, "a rollback forgets it, and it stays in the cloud"),
    Operation.MOVE: (Reversibility.REVERSIBLE, "a rollback moves it back"),
    Operation.FORGET: (Reversibility.REVERSIBLE, "a rollback takes it into the state again"),
    Operation.REPLACE_FORGET: (
        Reversibility.DATA_LOSS,
        "the one that is there stays behind outside of the state, and a rollback makes a third one",
    ),
    Operation.PROVISIONER: (Reversibility.IRREVERSIBLE, "nobody knows what its command does"),
    Operation.ACTION: (Reversibility.IRREVERSIBLE, "nothing undoes what a provider's action did"),
    Operation.DEFERRED: (Reversibility.IRREVERSIBLE, "what it will be, nobody can say yet"),
    Operation.UNKNOWN: (Reversibility.IRREVERSIBLE, "this version does not know it"),
}
_ORDER: Final = list(Reversibility)


def label(entry: Entry, change: Change | None = None) -> ReversibilityLabel:
    """How far an entry can be undone.

    Args:
        entry: of a safety plan.
        change: the same in the plan itself, where that is at hand.
    """
    word = _DESTROYS.get(entry.operation)
    if word is not None:
        found = _destroyed(entry.type, word)
    else:
        found = ReversibilityLabel(reversibility=_SIMPLE[entry.operation][0], why=_SIMPLE[entry.operation][1])
        if entry.operation is Operation.CREATE and (held := keeps_data(entry.type)):
            why = f"a rollback deletes it only with consent to its address, for what it holds by then: {held}"
            found = ReversibilityLabel(reversibility=Reversibility.REVERSIBLE, why=why)
    return found if change is None else _with_context(found, entry, change)


def labels(document: PlanDocument) -> dict[Entry, ReversibilityLabel]:
    """The label of each operation on a resource in a plan, with all that the plan tells."""
    found = {}
    for change in document.resource_changes:
        operation = OPERATIONS.get(change.actions, Operation.UNKNOWN)
        if operation is not None:
            address = f"{change.address} (deposed)" if change.deposed else change.address
            entry = Entry(address=address, type=change.type, operation=operation)
            found[entry] = label(entry, change)
    return found


def stricter(one: ReversibilityLabel, other: ReversibilityLabel) -> ReversibilityLabel:
    """The one of two labels that promises less; the first where they promise the same."""
    return max(one, other, key=lambda label: _ORDER.index(label.reversibility))


def _destroyed(kind: str, word: str) -> ReversibilityLabel:
    loss = LOSSES.get(kind)
    if loss is not None:
        degree = Reversibility.IRREVERSIBLE if loss.holds is Holds.GONE else Reversibility.DATA_LOSS
        return ReversibilityLabel(reversibility=degree, why=f"{word}: {loss.why}")
    if is_rebuilt(kind):
        why = f"{word}: it is made again from the configuration, under another id where its service draws one"
        return ReversibilityLabel(reversibility=Reversibility.REVERSIBLE, why=why)
    why = f"{word}: whether {kind or 'it'} holds data is not known, so it counts as lost"
    return ReversibilityLabel(reversibility=Reversibility.DATA_LOSS, why=why[:MAX_WHY])


def _with_context(found: ReversibilityLabel, entry: Entry, change: Change) -> ReversibilityLabel:
    if entry.operation is Operation.UPDATE and (why := _one_way(change)):
        found = stricter(found, ReversibilityLabel(reversibility=Reversibility.IRREVERSIBLE, why=why))
    notes = [_REASONS[change.action_reason]] if change.action_reason in _REASONS else []
    if change.replace_paths:
        shown = ", ".join(change.replace_paths[:5]) + (", …" if len(change.replace_paths) > 5 else "")
        notes.append(f"forced by {shown}")
    if not notes or found.reversibility is Reversibility.REVERSIBLE:
        return found
    return ReversibilityLabel(reversibility=found.reversibility, why=f"{found.why} ({'; '.join(notes)})"[:MAX_WHY])


#: What Terraform says of a deletion or a replacement (its JSON output format, `action_reason`).
_REASONS: Final[Mapping[str | None, str]] = {
    "replace_because_tainted": "its creation failed",
    "replace_because_cannot_update": "it cannot be changed in place",
    "replace_by_request": "-replace asks for it",
    "replace_by_triggers": "replace_triggered_by asks for it",
    "delete_because_no_resource_config": "it is not in the configuration any more",
    "delete_because_no_module": "its module is not in the configuration any more",
    "delete_because_wrong_repetition": "count or for_each came or went",
    "delete_because_count_index": "count is smaller",
    "delete_because_each_key": "for_each has no such key any more",
    "delete_because_no_move_target": "it is moved to what is not in the configuration",
}


def _grows(before: Any, after: Any) -> bool:
    plain = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (before, after))
    return plain and after > before


def _differs(before: Any, after: Any) -> bool:
    return before != after or SENSITIVE in (before, after)


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


def _one_way(change: Change) -> str | None:
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
