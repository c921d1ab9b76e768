"""Buckets, tables, repositories, log groups, parameters: a whole life each."""

from __future__ import annotations

import pytest

from deploy.demo.offline import storage
from deploy.demo.offline.aws import Aws
from tests.unit.deploy.demo.offline.lifecycle import TAGS, change, create, find, lives, read


@pytest.fixture
def bucket(aws: Aws) -> str:
    return str(create(storage.Bucket, aws, bucket="documents", tags=TAGS)["id"])


def test_a_bucket_lives(aws: Aws) -> None:
    made = lives(storage.Bucket, aws, bucket="documents", tags=TAGS)
    assert made["arn"] == "arn:aws:s3:::documents"


def test_a_bucket_without_tags_has_none(aws: Aws) -> None:
    assert lives(storage.Bucket, aws, bucket="documents", tags=None)["tags"] is None


def test_versioning_lives_and_is_suspended_rather_than_gone(aws: Aws, bucket: str) -> None:
    made = lives(
        storage.BucketVersioning, aws, bucket=bucket, versioning_configuration=[{"status": "Enabled"}], outlives=True
    )
    after = read(storage.BucketVersioning, aws, made)
    assert after is not None
    assert after["versioning_configuration"] == [{"status": "Suspended"}]


def test_encryption_lives(aws: Aws, bucket: str) -> None:
    rule = {"apply_server_side_encryption_by_default": [{"sse_algorithm": "AES256"}]}
    lives(storage.BucketEncryption, aws, bucket=bucket, rule=[rule])


def test_the_public_access_block_lives(aws: Aws, bucket: str) -> None:
    settings = dict.fromkeys(storage.BucketPublicAccess.SETTINGS.values(), True)
    lives(storage.BucketPublicAccess, aws, bucket=bucket, **settings)


def test_a_table_lives(aws: Aws) -> None:
    lives(
        storage.Table,
        aws,
        name="orders",
        hash_key="id",
        billing_mode="PAY_PER_REQUEST",
        attribute=[{"name": "id", "type": "S"}],
        tags=TAGS,
    )


def test_a_repository_lives(aws: Aws) -> None:
    lives(storage.Repository, aws, name="orders/service", tags=TAGS)


def test_a_log_group_lives_and_its_arn_has_no_star(aws: Aws) -> None:
    made = lives(storage.LogGroup, aws, name="/orders/api", retention_in_days=14, tags=TAGS)
    assert made["arn"].endswith(":log-group:/orders/api")


def test_a_log_group_is_not_taken_for_one_whose_name_is_longer(aws: Aws) -> None:
    create(storage.LogGroup, aws, name="/orders/api-internal", retention_in_days=None, tags=None)
    assert find(storage.LogGroup, aws, "/orders/api") is None


def test_a_parameter_lives_and_changes_its_value(aws: Aws) -> None:
    lives(storage.Parameter, aws, name="/orders/currency", type="String", value="EUR", tags=TAGS)
    made = create(storage.Parameter, aws, name="/orders/currency", type="String", value="EUR", tags=TAGS)
    change(storage.Parameter, aws, made, value="CHF")
