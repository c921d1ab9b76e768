"""Updates that nothing turns around, told by what changes and which way."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from shared.rollback import one_way as module
from shared.rollback.one_way import one_way
from shared.safety.plan_document import Change, parse
from tests.unit.shared.safety.support import change, document

KEPT = {"id": "a", "status": "Enabled", "transition": [{"days": 30}], "expiration": []}
EXPIRES = {"id": "b", "status": "Enabled", "expiration": [{"days": 90}]}
OLD_VERSIONS = {"id": "c", "status": "Enabled", "noncurrent_version_expiration": [{"noncurrent_days": 9}]}


def msk(size: int) -> dict[str, Any]:
    """The brokers of a cluster."""
    return {"broker_node_group_info": [{"storage_info": [{"ebs_storage_info": [{"volume_size": size}]}]}]}


ONE_WAY = [
    ("aws_ebs_volume", {"size": 10}, {"size": 20}, True),
    ("aws_ebs_volume", {"size": 20}, {"size": 10}, False),
    ("aws_ebs_volume", {"size": 20}, {"size": 20}, False),
    ("aws_ebs_volume", {}, {"size": 20}, False),
    ("aws_db_instance", {"engine_version": "15.2"}, {"engine_version": "16.1"}, True),
    ("aws_db_instance", {"engine_version": "15.2"}, {"engine_version": "15.2"}, False),
    ("aws_db_instance", {"engine_version": "15.2"}, {}, False),
    ("aws_db_instance", {}, {"engine_version": "15.2"}, False),
    ("aws_db_instance", {"backup_retention_period": 7}, {"backup_retention_period": 0}, True),
    ("aws_db_instance", {"backup_retention_period": 0}, {"backup_retention_period": 7}, False),
    ("aws_s3_bucket_versioning", {"versioning_configuration": [{"status": "Disabled"}]},
     {"versioning_configuration": [{"status": "Enabled"}]}, True),
    ("aws_s3_bucket_versioning", {"versioning_configuration": [{"status": "Enabled"}]},
     {"versioning_configuration": [{"status": "Suspended"}]}, False),
    ("aws_s3_bucket_versioning", {"versioning_configuration": []}, {"versioning_configuration": []}, False),
    ("aws_cloudwatch_log_group", {"retention_in_days": 30}, {"retention_in_days": 7}, True),
    ("aws_cloudwatch_log_group", {"retention_in_days": 0}, {"retention_in_days": 7}, True),
    ("aws_cloudwatch_log_group", {"retention_in_days": 7}, {"retention_in_days": 0}, False),
    ("aws_cloudwatch_log_group", {"retention_in_days": 7}, {"retention_in_days": 30}, False),
    ("aws_kinesis_stream", {"retention_period": 48}, {"retention_period": 24}, True),
    ("aws_sqs_queue", {"message_retention_seconds": 60}, {"message_retention_seconds": 600}, False),
    ("aws_instance", {"root_block_device": [{"volume_size": 8}]}, {"root_block_device": [{"volume_size": 9}]}, True),
    ("aws_instance", {"root_block_device": [{"volume_size": 8}]}, {"root_block_device": [{"volume_size": 8}]}, False),
    ("aws_instance", {"root_block_device": []}, {"root_block_device": []}, False),
    ("aws_msk_cluster", msk(100), msk(200), True),
    ("aws_msk_cluster", msk(100), msk(100), False),
    ("aws_elasticsearch_domain", {"elasticsearch_version": "7.9"}, {"elasticsearch_version": "7.10"}, True),
    ("aws_elasticsearch_domain", {"elasticsearch_version": "7.9"}, {"elasticsearch_version": "7.9"}, False),
    ("aws_fsx_openzfs_file_system", {"storage_capacity": 64}, {"storage_capacity": 128}, True),
    ("aws_eks_node_group", {"version": "1.30"}, {"version": "1.31"}, True),
    ("aws_eks_node_group", {"version": "1.30"}, {"version": "1.30"}, False),
    ("aws_s3_bucket", {"versioning": [{"enabled": False}]}, {"versioning": [{"enabled": True}]}, True),
    ("aws_s3_bucket", {"versioning": [{"enabled": True}]}, {"versioning": [{"enabled": False}]}, False),
    ("aws_s3_bucket_object_lock_configuration", {"rule": []}, {"rule": [{"default_retention": [{"days": 5}]}]}, True),
    ("aws_s3_bucket_object_lock_configuration", {"rule": [{"default_retention": [{"days": 5}]}]}, {"rule": []}, False),
    ("aws_s3_bucket_lifecycle_configuration", {"rule": [KEPT]}, {"rule": [KEPT, EXPIRES]}, True),
    ("aws_s3_bucket_lifecycle_configuration", {"rule": [EXPIRES]}, {"rule": [{**EXPIRES, "id": "other"}]}, True),
    ("aws_s3_bucket_lifecycle_configuration", {"rule": [KEPT]}, {"rule": [KEPT, OLD_VERSIONS]}, True),
    ("aws_s3_bucket_lifecycle_configuration", {"rule": [EXPIRES, KEPT]}, {"rule": [EXPIRES]}, False),
    ("aws_s3_bucket_lifecycle_configuration", {"rule": [EXPIRES]},
     {"rule": [{**EXPIRES, "status": "Disabled"}]}, False),
    ("aws_s3_bucket_lifecycle_configuration", {"rule": []}, {"rule": [KEPT]}, False),
    ("aws_s3_bucket_lifecycle_configuration", {}, {}, False),
    ("aws_s3_bucket_lifecycle_configuration", {"rule": []}, {"rule": ["surprise"]}, True),
    ("aws_s3_bucket_lifecycle_configuration", {"rule": []}, {"rule": "surprise"}, True),
    ("aws_s3_bucket", {"lifecycle_rule": []},
     {"lifecycle_rule": [{"enabled": True, "expiration": [{"days": 1}]}]}, True),
    ("aws_s3_bucket", {"lifecycle_rule": []},
     {"lifecycle_rule": [{"enabled": False, "expiration": [{"days": 1}]}]}, False),
    ("aws_s3control_bucket_lifecycle_configuration", {"rule": [KEPT]}, {"rule": [EXPIRES]}, True),
    ("aws_ecr_lifecycle_policy", {"policy": "{}"}, {"policy": "{ }"}, True),
    ("aws_ecr_lifecycle_policy", {"policy": "{}"}, {"policy": "{}"}, False),
    ("aws_dynamodb_table", {"ttl": [{"enabled": False}]}, {"ttl": [{"enabled": True}]}, True),
    ("aws_dynamodb_table", {"ttl": []}, {"ttl": [{"enabled": True}]}, True),
    ("aws_dynamodb_table", {"ttl": [{"enabled": True}]}, {"ttl": [{"enabled": False}]}, False),
    ("aws_dynamodb_table", {"ttl": [{"enabled": True}]}, {"ttl": [{"enabled": True}]}, False),
    ("aws_dynamodb_table", {"point_in_time_recovery": [{"enabled": True}]},
     {"point_in_time_recovery": [{"enabled": False}]}, True),
    ("aws_dynamodb_table", {"point_in_time_recovery": [{"enabled": False}]},
     {"point_in_time_recovery": [{"enabled": True}]}, False),
    ("aws_keyspaces_table", {"ttl": []}, {"ttl": [{"status": "ENABLED"}]}, True),
    ("aws_keyspaces_table", {"client_side_timestamps": []}, {"client_side_timestamps": [{"status": "ENABLED"}]}, True),
    *(("aws_opensearch_domain", {name: [{"enabled": False}]}, {name: [{"enabled": True}]}, True)
      for name in ("encrypt_at_rest", "node_to_node_encryption", "advanced_security_options")),
    ("aws_organizations_organization", {"feature_set": "CONSOLIDATED_BILLING"}, {"feature_set": "ALL"}, True),
    ("aws_cloudtrail_event_data_store", {"retention_period": 90}, {"retention_period": 30}, True),
    ("aws_cloudtrail_event_data_store", {"retention_period": 30}, {"retention_period": 90}, False),
    *((f"aws_{kind}", {"engine_version": "1"}, {"engine_version": "2"}, True)
      for kind in ("rds_cluster", "rds_global_cluster", "docdb_cluster", "docdb_global_cluster", "neptune_cluster",
                   "neptune_global_cluster", "elasticache_cluster", "elasticache_replication_group",
                   "elasticache_global_replication_group", "memorydb_cluster", "mq_broker", "opensearch_domain")),
    *((f"aws_{kind}", {name: before}, {name: after}, after < before)
      for before, after in ((7, 1), (1, 7), (1, 1))
      for kind, name in (("rds_cluster", "backup_retention_period"), ("docdb_cluster", "backup_retention_period"),
                         ("neptune_cluster", "backup_retention_period"),
                         ("elasticache_cluster", "snapshot_retention_limit"),
                         ("elasticache_replication_group", "snapshot_retention_limit"),
                         ("elasticache_serverless_cache", "snapshot_retention_limit"),
                         ("memorydb_cluster", "snapshot_retention_limit"),
                         ("redshift_cluster", "automated_snapshot_retention_period"))),
    ("aws_vpc", {"size": 1}, {"size": 2}, False),
]  # fmt: skip


def changed(kind: str, before: Any, after: Any, *actions: str, hidden: Any = False, unknown: Any = None) -> Change:
    marks = {"change_before_sensitive": hidden, "change_after_sensitive": hidden, "change_after_unknown": unknown}
    one = change(f"{kind}.a", *(actions or ("update",)), change_before=before, change_after=after, **marks)
    return parse(document(one)).resource_changes[0]


@pytest.mark.parametrize(("kind", "before", "after", "expected"), ONE_WAY)
def test_one_way_is_told_from_the_other(kind: str, before: Any, after: Any, expected: bool) -> None:
    assert (one_way(changed(kind, before, after)) is not None) is expected


@pytest.mark.parametrize("actions", [("create",), ("delete",), ("delete", "create"), ("no-op",)])
def test_only_an_update_in_place_is_one(actions: tuple[str, ...]) -> None:
    assert one_way(changed("aws_ebs_volume", {"size": 1}, {"size": 2}, *actions)) is None


def test_a_hidden_value_may_have_changed_either_way() -> None:
    same = {"engine_version": "1", "allocated_storage": 5}
    assert one_way(changed("aws_db_instance", same, same, hidden={"engine_version": True})) is not None
    assert one_way(changed("aws_db_instance", same, same, hidden={})) is None


def nested(path: str, leaf: Any, *, listed: bool) -> Any:
    """A value at a path, in blocks or in objects."""
    first, _, rest = path.partition(".")
    inner = nested(rest, leaf, listed=listed) if rest else leaf
    return {first: [inner] if rest and listed else inner}


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize(("kind", "path"), module._ONE_WAY)
def test_what_is_known_only_after_the_apply_may_be_any_value(kind: str, path: str, listed: bool) -> None:
    unknown = nested(path, True, listed=listed)
    why = module._ONE_WAY[kind, path][1]
    for before in ({}, None, nested(path, 1, listed=listed)):
        assert one_way(changed(kind, before, {}, unknown=unknown)) == why
    # The block around it as a whole, or all of it.
    assert one_way(changed(kind, {}, {}, unknown={path.split(".")[0]: True})) == why
    assert one_way(changed(kind, {}, {}, unknown=True)) is not None
    assert one_way(changed(kind, {}, {}, unknown={"tags_all": True})) is None
    assert one_way(changed(kind, {}, {}, unknown=nested(path, False, listed=listed))) is None


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize(("kind", "path"), module._ONE_WAY)
def test_what_is_masked_may_have_changed(kind: str, path: str, listed: bool) -> None:
    same, mask = nested(path, "same", listed=listed), nested(path, True, listed=listed)
    why = module._ONE_WAY[kind, path][1]
    assert one_way(changed(kind, same, same, hidden=mask)) == why
    assert one_way(changed(kind, same, same, hidden={path.split(".")[0]: True})) == why
    assert one_way(changed(kind, same, same, hidden=True)) is not None


def test_what_is_unknown_or_masked_within_a_rule_may_let_anything_expire() -> None:
    rules = {"rule": [KEPT]}
    kind = "aws_s3_bucket_lifecycle_configuration"
    assert one_way(changed(kind, rules, rules, unknown={"rule": [{"expiration": [{"days": False}]}]})) is None
    assert one_way(changed(kind, rules, rules, unknown={"rule": [{"expiration": [{"days": True}]}]})) is not None
    assert one_way(changed(kind, rules, rules, hidden={"rule": [{"id": True}]})) is not None


@pytest.mark.parametrize("value", [None, {}, [], {"size": None}])
def test_what_is_not_there_was_not_and_will_not_be_smaller(value: Any) -> None:
    assert one_way(changed("aws_ebs_volume", value, {"size": 20})) is None
    assert one_way(changed("aws_ebs_volume", {"size": 20}, value)) is None


@pytest.mark.parametrize("value", ["x", 7, {"size": "10"}, {"size": True}, {"size": [1]}, [{}, {}]])
def test_a_value_of_another_shape_may_mean_anything(value: Any) -> None:
    assert one_way(changed("aws_ebs_volume", value, {"size": 20})) is not None
    assert one_way(changed("aws_ebs_volume", {"size": 20}, value)) is not None


def test_every_line_says_why_in_a_few_words() -> None:
    for (kind, path), (_, why) in module._ONE_WAY.items():
        assert re.fullmatch(r"aws_[a-z0-9_]+", kind)
        assert re.fullmatch(r"[a-z_.]+", path)
        assert 5 < len(why) < 100
    listed = re.findall(r'^    \("([a-z0-9_]+)", "([a-z_.]+)"\): ', Path(module.__file__).read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed)) == len(module._ONE_WAY)
