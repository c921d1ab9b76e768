"""How far each operation can be undone, and why."""

from __future__ import annotations

from typing import Any

import pytest

from shared.rollback.records import Reversibility, ReversibilityLabel
from shared.rollback.reversibility import label, labels, stricter
from shared.safety.entries import Entry, Operation
from shared.safety.plan_document import Change, parse
from tests.unit.shared.rollback.test_one_way import ONE_WAY
from tests.unit.shared.safety.support import change, document, entry

FINE, DATA, NEVER = Reversibility.REVERSIBLE, Reversibility.DATA_LOSS, Reversibility.IRREVERSIBLE


@pytest.mark.parametrize(
    ("operation", "address", "expected"),
    [
        ("create", "aws_vpc.a", FINE),
        ("create", "aws_dynamodb_table.a", FINE),
        ("create", "some_thing.a", FINE),
        ("update", "aws_dynamodb_table.a", FINE),
        ("read", "data.aws_ami.a", FINE),
        ("import", "aws_s3_bucket.a", FINE),
        ("move", "aws_s3_bucket.a", FINE),
        ("forget", "aws_s3_bucket.a", FINE),
        ("output", "output.a", FINE),
        ("delete", "aws_security_group.a", FINE),
        ("replace_delete_first", "aws_iam_role.a", FINE),
        ("replace_create_first", "terraform_data.a", FINE),
        ("delete", "aws_s3_bucket.a", DATA),
        ("delete", "aws_sqs_queue.a", DATA),
        ("delete", "aws_db_instance.a", DATA),
        ("replace_create_first", "aws_efs_file_system.a", DATA),
        ("replace_delete_first", "aws_ebs_volume.a", DATA),
        ("create", "aws_glacier_vault_lock.a", NEVER),
        ("create", "aws_s3_bucket_versioning.a", FINE),
        ("create", "aws_s3control_bucket_lifecycle_configuration.a", DATA),
        ("create", "aws_lambda_invocation.a", NEVER),
        ("replace_delete_first", "aws_lambda_invocation.a", NEVER),
        ("delete", "aws_s3_bucket_versioning.a", FINE),
        ("delete", "aws_guardduty_detector.a", DATA),
        ("delete", "aws_securityhub_account.a", DATA),
        ("delete", "aws_kms_key.a", NEVER),
        ("delete", "aws_secretsmanager_secret.a", NEVER),
        ("replace_delete_first", "aws_eip.a", NEVER),
        ("replace_create_first", "aws_route53_zone.a", NEVER),
        ("replace_delete_first", "random_password.a", NEVER),
        ("delete", "never_heard_of.a", DATA),
        ("replace_delete_first", "aws_never_heard_of.a", DATA),
        ("replace_forget", "aws_vpc.a", DATA),
        ("provisioner", "aws_vpc.a", NEVER),
        ("action", "action.aws_lambda_invoke.a", NEVER),
        ("deferred", "aws_vpc.a", NEVER),
        ("unknown", "aws_vpc.a", NEVER),
    ],
)
def test_each_operation_has_its_label(operation: str, address: str, expected: Reversibility) -> None:
    found = label(entry(operation, address))
    assert found.reversibility is expected
    assert found.needs_consent is (expected is not FINE)
    assert found.why


def test_no_operation_is_without_a_label() -> None:
    for operation in Operation:
        for kind in ("aws_vpc", "aws_dynamodb_table", "aws_kms_key", "other_thing", ""):
            assert label(Entry(address="a.b", type=kind, operation=operation)).why


def test_the_reason_says_what_is_lost() -> None:
    assert label(entry("delete", "aws_dynamodb_table.a")).why == "deleted: its items are lost"
    assert "pending deletion" in label(entry("replace_delete_first", "aws_kms_key.a")).why
    assert "whether never_heard is not known" not in label(entry("delete", "never_heard.a")).why
    assert "not known" in label(entry("delete", "never_heard.a")).why


def test_who_makes_something_that_holds_data_hears_what_its_rollback_wants() -> None:
    assert "only with consent" in label(entry("create", "aws_dynamodb_table.a")).why
    assert "consent" not in label(entry("create", "aws_sqs_queue.a")).why


def one_change(kind: str, *actions: str, **more: Any) -> tuple[Entry, Change]:
    marks = {"change_before_sensitive": {}, "change_after_sensitive": {}}
    (found,) = parse(document(change(f"{kind}.a", *actions, **{**marks, **more}))).resource_changes
    (key,) = labels(parse(document(change(f"{kind}.a", *actions, **{**marks, **more}))))
    return key, found


@pytest.mark.parametrize(("kind", "before", "after", "one_way"), ONE_WAY)
def test_updates_that_go_one_way_only_are_told_where_the_plan_is_at_hand(
    kind: str, before: dict[str, Any], after: dict[str, Any], one_way: bool
) -> None:
    key, found = one_change(kind, "update", change_before=before, change_after=after)
    assert label(key).reversibility is FINE
    assert label(key, found).reversibility is (NEVER if one_way else FINE)


def test_a_safety_plan_that_names_the_address_is_enough() -> None:
    for operation in ("update", "create", "replace_create_first"):
        assert label(entry(operation, "aws_s3_bucket_versioning.a"), one_way_only=True).reversibility is NEVER
    assert label(entry("update", "aws_ebs_volume.a"), one_way_only=False).reversibility is FINE
    assert label(entry("delete", "aws_ebs_volume.a"), one_way_only=True).reversibility is DATA


def test_a_hidden_value_may_have_changed() -> None:
    hidden = {"change_before_sensitive": {"engine_version": True}, "change_after_sensitive": {"engine_version": True}}
    same = {"engine_version": "1"}
    key, found = one_change("aws_db_instance", "update", change_before=same, change_after=same, **hidden)
    assert label(key, found).reversibility is NEVER


def test_why_something_is_replaced_or_deleted_is_part_of_the_reason() -> None:
    key, found = one_change(
        "aws_db_instance",
        "delete",
        "create",
        change_replace_paths=[["engine"], ["storage", 0, "type"], *([f"p{at}"] for at in range(9))],
        action_reason="replace_because_cannot_update",
    )
    why = label(key, found).why
    assert why.startswith("replaced: its data is lost")
    assert why.endswith("(it cannot be changed in place; forced by engine, storage.0.type, p0, p1, p2, …)")
    key, found = one_change("aws_db_instance", "delete", action_reason="never_heard_of")
    assert "(" not in label(key, found).why


ACTIONS = [("create",), ("update",), ("delete",), ("delete", "create"), ("create", "delete"), ("forget",)]
TOLD = [
    {},
    {"action_reason": "replace_because_tainted"},
    {"change_replace_paths": [["engine"]]},
    {"change_before": {"engine_version": "1"}, "change_after": {"engine_version": "2"}},
]


@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize("actions", [*ACTIONS, ("create", "forget")], ids="-".join)
@pytest.mark.parametrize("kind", ["aws_vpc", "aws_db_instance", "aws_kms_key", "other_thing"])
def test_the_plan_never_makes_a_label_milder(kind: str, actions: tuple[str, ...], told: dict[str, Any]) -> None:
    key, found = one_change(kind, *actions, **told)
    every = list(Reversibility)
    assert every.index(label(key, found).reversibility) >= every.index(label(key).reversibility)


def test_labels_of_a_plan_are_by_its_entries() -> None:
    shown = parse(
        document(
            change("aws_vpc.a", "no-op"),
            change("aws_vpc.b", "delete", deposed="00c0ffee"),
            change("aws_kms_key.c", "delete"),
            change("aws_x.d", "never-heard-of"),
        )
    )
    assert {str(key): found.reversibility for key, found in labels(shown).items()} == {
        "delete aws_vpc.b (deposed)": FINE,
        "delete aws_kms_key.c": NEVER,
        "unknown aws_x.d": NEVER,
    }


def test_the_stricter_of_two_is_the_one_that_promises_less() -> None:
    every = [ReversibilityLabel(reversibility=one, why=one) for one in (FINE, DATA, NEVER)]
    for at, one in enumerate(every):
        for other in every[at:]:
            assert stricter(one, other) == stricter(other, one) == other


@pytest.mark.parametrize("operation", ["create", "replace_delete_first", "replace_create_first", "replace_forget"])
def test_making_what_exists_already_is_never_undone(operation: str) -> None:
    found = label(entry(operation, "aws_sns_topic.a"), existing=True)
    assert found.reversibility is NEVER
    assert "exists already" in found.why


def test_what_makes_nothing_takes_nothing_over() -> None:
    for operation in ("update", "delete", "import", "read"):
        one = entry(operation, "aws_sns_topic.a")
        assert label(one, existing=True) == label(one)
