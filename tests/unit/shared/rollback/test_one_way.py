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
    ("aws_vpc", {"size": 1}, {"size": 2}, False),
]  # fmt: skip


def changed(kind: str, before: Any, after: Any, *actions: str, hidden: Any = False) -> Change:
    marks = {"change_before_sensitive": hidden, "change_after_sensitive": hidden}
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


@pytest.mark.parametrize("value", [None, {}, [], "x", {"size": None}, {"size": "10"}, {"size": True}])
def test_values_of_any_shape_are_looked_at(value: Any) -> None:
    assert one_way(changed("aws_ebs_volume", value, {"size": 20})) is None
    assert one_way(changed("aws_ebs_volume", {"size": 20}, value)) is None


def test_every_line_says_why_in_a_few_words() -> None:
    for (kind, path), (_, why) in module._ONE_WAY.items():
        assert re.fullmatch(r"aws_[a-z0-9_]+", kind)
        assert re.fullmatch(r"[a-z_.]+", path)
        assert 5 < len(why) < 100
    listed = re.findall(r'^    \("([a-z0-9_]+)", "([a-z_.]+)"\): ', Path(module.__file__).read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed)) == len(module._ONE_WAY)
