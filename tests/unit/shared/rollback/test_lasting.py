"""What no delete takes back: each line says something, once, and what is made is labelled by it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from shared.rollback import lasting
from shared.rollback.lasting import LOSES, ON, STAYS, outlasts
from shared.rollback.records import Reversibility
from shared.rollback.reversibility import label, labels
from shared.safety.making import safety_plan
from shared.safety.plan_document import load, read
from tests.unit.shared.safety.support import change, document, entry

MAKES = ("create", "replace_delete_first", "replace_create_first", "replace_forget")


def test_a_type_stands_in_the_tables_once_and_each_line_says_why_in_a_few_words() -> None:
    listed = re.findall(r'^    "([a-z0-9_]+)": ', Path(lasting.__file__).read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed)) == len(STAYS) + len(LOSES) + len(ON)
    for why in (*STAYS.values(), *LOSES.values(), *(on.why for on in ON.values())):
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
        "aws_backup_vault_lock_configuration",
        "aws_organizations_account",
        "aws_lambda_invocation",
        "aws_default_security_group",
        "aws_rds_reserved_instance",
    ],
)
def test_what_everybody_would_look_for_is_in_it(kind: str) -> None:
    assert kind in STAYS


NEW = change("aws_s3_bucket.b", "create", change_after={"bucket": "new"}, change_after_sensitive={})
HELD = change("aws_s3_bucket.b", "update", change_after={"bucket": "new"}, change_after_sensitive={})
OTHER = change("aws_ecr_repository.r", "create", change_after={"name": "new"}, change_after_sensitive={})
READ = change("data.aws_s3_bucket.b", "read")
LATER = {"change_after": {}, "change_after_unknown": {"bucket": True}}


@pytest.mark.parametrize(
    ("beside", "words", "lasts"),
    [
        ((NEW,), {"change_after": {"bucket": "new"}}, False),
        ((NEW,), LATER, False),
        ((), LATER, False),
        ((READ,), LATER, True),
        ((change("data.aws_iam_policy_document.p", "read"),), LATER, False),
        ((), {"change_after": {"bucket": "new"}}, True),
        ((NEW,), {"change_after": {"bucket": "old"}}, True),
        ((OTHER,), {"change_after": {"bucket": "new"}}, True),
        ((NEW,), {"change_after": {}}, True),
        ((NEW,), {"change_after": "surprise"}, True),
        ((NEW,), {"change_after": {"bucket": "new"}, "change_after_sensitive": {"bucket": True}}, True),
        (
            (change("aws_s3_bucket.b", "update", change_after={"bucket": "new"}, change_after_sensitive={}),),
            {"change_after": {"bucket": "new"}},
            True,
        ),
    ],
)
@pytest.mark.parametrize("actions", [("create",), ("delete", "create")])
def test_what_is_set_on_something_that_is_there_lasts_and_on_something_new_goes_with_it(
    beside: tuple[dict[str, Any], ...], words: dict[str, Any], lasts: bool, actions: tuple[str, ...]
) -> None:
    one = change("aws_s3_bucket_versioning.v", *actions, **{"change_after_sensitive": {}, **words})
    plan = read(load(document(one, *beside, complete=True)))
    assert (outlasts(plan) == {"aws_s3_bucket_versioning.v": f"made: {ON['aws_s3_bucket_versioning'].why}"}) is lasts
    assert ("aws_s3_bucket_versioning.v" in safety_plan(plan).one_way) is lasts
    (found,) = (found for key, found in labels(plan).items() if key.type == "aws_s3_bucket_versioning")
    assert (found.reversibility is Reversibility.IRREVERSIBLE) is lasts


@pytest.mark.parametrize("kind", ON)
def test_what_is_only_changed_or_deleted_is_not_made(kind: str) -> None:
    for actions in (("update",), ("delete",), ("no-op",)):
        assert outlasts(read(load(document(change(f"{kind}.a", *actions), complete=True)))) == {}
