"""Drift as it travels between the parts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from shared.drift.records import DriftCheck, DriftDetail, DriftStanding, SignedCalls
from shared.drift.report import DriftReport, ResourceStatus, RollUp

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CHECK = DriftCheck(
    run_id="run-0123456789abcdef",
    target="shop.local",
    release_digest="sha256:" + "a" * 64,
    roll_up=RollUp.DRIFTED,
    counts={ResourceStatus.IN_SYNC: 3, ResourceStatus.MODIFIED: 1},
    created_at=AT,
)


def test_what_is_known_of_a_target_survives_the_journey() -> None:
    detail = DriftDetail(
        standing=DriftStanding(target="shop.local", flock="shop", roll_up=RollUp.DRIFTED, since=AT, drifted=1),
        check=CHECK,
        report=DriftReport(),
        calls=SignedCalls(reads=12),
    )
    assert DriftDetail.model_validate_json(detail.model_dump_json()) == detail


def test_a_target_of_which_nothing_is_known_claims_nothing() -> None:
    standing = DriftStanding(target="shop.local", flock="shop")
    assert (standing.roll_up, standing.pending, standing.since, standing.due_at) == (None, None, None, None)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        DriftCheck.model_validate({**CHECK.model_dump(), "created_at": datetime(2026, 1, 2)})  # noqa: DTZ001 - the point
