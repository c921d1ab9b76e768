"""What no delete takes back: each line says something, once, and what is made is labelled by it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.rollback import lasting
from shared.rollback.lasting import LOSES, STAYS
from shared.rollback.records import Reversibility
from shared.rollback.reversibility import label
from tests.unit.shared.safety.support import entry

MAKES = ("create", "replace_delete_first", "replace_create_first", "replace_forget")


def test_a_type_stands_in_the_tables_once_and_each_line_says_why_in_a_few_words() -> None:
    listed = re.findall(r'^    "([a-z0-9_]+)": ', Path(lasting.__file__).read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed)) == len(STAYS) + len(LOSES)
    for why in (*STAYS.values(), *LOSES.values()):
        assert 5 < len(why) < 100


@pytest.mark.parametrize("kind", STAYS)
def test_making_what_no_delete_takes_back_is_irreversible(kind: str) -> None:
    for operation in MAKES:
        assert label(entry(operation, f"{kind}.a")).reversibility is Reversibility.IRREVERSIBLE
    assert label(entry("create", f"{kind}.a")).why == f"made: {STAYS[kind]}"


@pytest.mark.parametrize("kind", LOSES)
def test_making_what_loses_something_meanwhile_takes_consent(kind: str) -> None:
    for operation in MAKES:
        assert label(entry(operation, f"{kind}.a")).reversibility is Reversibility.DATA_LOSS
    assert label(entry("create", f"{kind}.a")).why == f"made: {LOSES[kind]}"


@pytest.mark.parametrize("kind", [*STAYS, *LOSES])
def test_what_is_only_read_moved_or_taken_in_makes_nothing(kind: str) -> None:
    for operation in ("read", "move", "import", "forget", "update"):
        assert not label(entry(operation, f"{kind}.a")).needs_consent


@pytest.mark.parametrize(
    "kind",
    [
        "aws_glacier_vault_lock",
        "aws_s3_bucket_object_lock_configuration",
        "aws_backup_vault_lock_configuration",
        "aws_s3_bucket_versioning",
        "aws_organizations_account",
        "aws_lambda_invocation",
        "aws_default_security_group",
        "aws_rds_reserved_instance",
    ],
)
def test_what_everybody_would_look_for_is_in_it(kind: str) -> None:
    assert kind in STAYS


@pytest.mark.parametrize("kind", ["aws_s3_bucket_lifecycle_configuration", "aws_ecr_lifecycle_policy"])
def test_what_deletes_by_its_age_is_in_it_and_may_be_ended(kind: str) -> None:
    assert kind in LOSES
