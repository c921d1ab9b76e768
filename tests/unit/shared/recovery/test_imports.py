"""Import blocks."""

from __future__ import annotations

import pytest

from shared.recovery.imports import Import, missing_imports, render_imports, vanished_imports


def test_import_blocks_quote_what_they_are_given() -> None:
    text = render_imports(
        [Import(address='aws_x.a["k"]', id='we"ird ${x} %{y}', call_id="0" * 32, certain=True, ours=True)]
    )
    assert 'to = aws_x.a["k"]' in text
    assert r'id = "we\"ird $${x} %%{y}"' in text


@pytest.mark.parametrize(
    ("summary", "detail", "address", "dropped"),
    [
        ("Cannot import non-existent remote object", 'to "aws_s3_bucket.a", the provider', "", {"a"}),
        ("reading S3 Bucket (bucket-a)", "couldn't find resource", "", {"a"}),
        ("reading", "not found", "aws_s3_bucket.a", {"a"}),
        ("Cannot import non-existent remote object", 'to "aws_s3_bucket.ab"', "", set()),
        ("Invalid function argument", "aws_s3_bucket.a", "", set()),
        ("Cannot import non-existent remote object", 'to "aws_s3_bucket.sure"', "", set()),
    ],
)
def test_only_uncertain_imports_whose_target_is_missing_are_dropped(
    summary: str, detail: str, address: str, dropped: set[str]
) -> None:
    imports = [
        Import(address="aws_s3_bucket.a", id="bucket-a", call_id="a", certain=False, ours=False),
        Import(address="aws_s3_bucket.sure", id="sure", call_id="s", certain=True, ours=True),
    ]
    diagnostic = {"severity": "error", "summary": summary, "detail": detail, "address": address}
    assert missing_imports([diagnostic], imports) == dropped
    assert missing_imports([{**diagnostic, "severity": "warning"}], imports) == frozenset()


def test_a_certain_import_vanished_only_where_terraform_itself_says_so() -> None:
    imports = [
        Import(address="aws_s3_bucket.a", id="a", call_id="a", certain=True, ours=True),
        Import(address="aws_s3_bucket.lost", id="lost", call_id="l", certain=False, ours=False),
    ]
    said = {
        "severity": "error",
        "summary": "Cannot import non-existent remote object",
        "detail": 'to "aws_s3_bucket.a"',
    }
    assert vanished_imports([said], imports) == {"a"}
    assert vanished_imports([{**said, "detail": 'to "aws_s3_bucket.lost"'}], imports) == frozenset()
    assert vanished_imports([{**said, "summary": "reading S3 Bucket (a): not found"}], imports) == frozenset()
    assert vanished_imports([{**said, "severity": "warning"}], imports) == frozenset()


@pytest.mark.parametrize("certain", [True, False])
def test_an_association_that_is_gone_is_recognised_by_both_of_its_ends(certain: bool) -> None:
    gone = Import(
        address="aws_route_table_association.a", id="subnet-1/rtb-2", call_id="g", certain=certain, ours=certain
    )
    other = Import(
        address="aws_route_table_association.b", id="subnet-1/rtb-3", call_id="o", certain=certain, ours=certain
    )
    said = {
        "severity": "error",
        "summary": "No association found between route table ID rtb-2 and target ID subnet-1",
        "detail": "",
    }
    forget = vanished_imports if certain else missing_imports
    assert forget([said], [gone, other]) == {"g"}
    longer = {**said, "summary": "No association found between route table ID rtb-21 and target ID subnet-1"}
    assert forget([longer], [gone, other]) == frozenset()
