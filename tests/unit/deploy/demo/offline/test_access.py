"""Roles and policies, keys, secrets: a whole life each."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.demo.offline import access
from deploy.demo.offline.aws import Aws
from tests.unit.deploy.demo.offline.lifecycle import TAGS, change, create, lives

TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}
RIGHTS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::documents/*"}],
}


@pytest.fixture
def role(aws: Aws) -> dict[str, Any]:
    return create(access.Role, aws, name="service", assume_role_policy=TRUST, tags=TAGS)


@pytest.fixture
def key(aws: Aws) -> dict[str, Any]:
    return create(access.Key, aws, description="Orders.", deletion_window_in_days=7, tags=TAGS)


def test_a_role_lives(aws: Aws) -> None:
    lives(access.Role, aws, name="service", assume_role_policy=TRUST, tags=TAGS)


def test_an_inline_policy_lives(aws: Aws, role: dict[str, Any]) -> None:
    made = lives(access.RolePolicy, aws, name="tables", role=role["id"], policy=RIGHTS)
    assert made["id"] == "service:tables"


def test_a_policy_lives_under_its_arn(aws: Aws) -> None:
    made = lives(access.Policy, aws, name="documents", policy=RIGHTS, tags=TAGS)
    assert made["id"] == "arn:aws:iam::123456789012:policy/documents"


def test_an_attachment_lives(aws: Aws, role: dict[str, Any]) -> None:
    policy = create(access.Policy, aws, name="documents", policy=RIGHTS, tags=None)
    lives(
        access.RolePolicyAttachment,
        aws,
        import_id=f"service/{policy['arn']}",
        role=role["id"],
        policy_arn=policy["arn"],
    )


def test_a_key_lives_until_its_deletion_is_scheduled(aws: Aws) -> None:
    lives(
        access.Key,
        aws,
        not_read=("deletion_window_in_days",),
        description="Orders.",
        deletion_window_in_days=7,
        tags=TAGS,
    )


def test_a_key_changes_its_description(aws: Aws, key: dict[str, Any]) -> None:
    change(access.Key, aws, key, description="Invoices.")


def test_an_alias_lives(aws: Aws, key: dict[str, Any]) -> None:
    lives(access.Alias, aws, name="alias/orders", target_key_id=key["key_id"])


def test_a_secret_lives(aws: Aws) -> None:
    lives(
        access.Secret,
        aws,
        not_read=("recovery_window_in_days",),
        name="orders/payments",
        recovery_window_in_days=0,
        tags=TAGS,
    )


def test_a_secret_s_version_lives_as_long_as_the_secret(aws: Aws) -> None:
    secret = create(access.Secret, aws, name="orders/payments", recovery_window_in_days=0, tags=None)
    lives(access.SecretVersion, aws, secret_id=secret["id"], secret_string="{}", outlives=True)
