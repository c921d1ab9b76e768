"""Safety plans as they travel."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from shared.safety.records import SafetyApproval, SafetyRecord, Unused
from shared.safety.verdict import Decision, Verdict
from tests.unit.shared.safety.support import entry, plan

AT = datetime(2026, 1, 1, tzinfo=UTC)
DIGEST = "sha256:" + "0" * 64
RUN = "run-" + "0" * 16


def record() -> SafetyRecord:
    return SafetyRecord(
        run_id=RUN,
        target="web.north",
        release_digest=DIGEST,
        digest=DIGEST,
        plan=plan(entry("create", "aws_x.b"), entry("create", "aws_x.a")),
        verdict=Verdict(decision=Decision.HELD, entries=(entry("create", "aws_x.a"),), needed=1, why="held"),
        approvals=(SafetyApproval(approver="anna", approved_at=AT, run_id=RUN, digest=DIGEST),),
        created_at=AT,
    )


def test_a_record_is_read_back_as_it_was_written_and_lists_its_entries_in_order() -> None:
    assert SafetyRecord.model_validate_json(record().model_dump_json()) == record()
    listed = record().model_dump(mode="json")["plan"]["entries"]
    assert [one["address"] for one in listed] == ["aws_x.a", "aws_x.b"]


def test_an_approval_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        SafetyApproval(approver="anna", approved_at=AT.replace(tzinfo=None), run_id=RUN, digest=DIGEST)


def test_what_was_unused_travels_too() -> None:
    left = Unused(run_id=RUN, target="web.north", approved=1, unused=(entry("create", "aws_x.a"),), suggested=plan())
    assert Unused.model_validate_json(left.model_dump_json()) == left
