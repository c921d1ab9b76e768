"""What a report comes to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.drift.report import (
    AttributeChange,
    Cause,
    DriftReport,
    ResourceDrift,
    ResourceStatus,
    RollUp,
)


def of(*statuses: ResourceStatus, gaps: tuple[str, ...] = ()) -> DriftReport:
    resources = tuple(ResourceDrift(address=f"a.r{at}", status=status) for at, status in enumerate(statuses))
    return DriftReport(resources=resources, gaps=gaps)


@given(st.lists(st.sampled_from(ResourceStatus), max_size=6), st.booleans())
def test_it_is_in_sync_only_where_everything_was_checked_and_nothing_drifted(
    statuses: list[ResourceStatus], gap: bool
) -> None:
    report = of(*statuses, gaps=("a cut run",) if gap else ())
    assert (report.roll_up is RollUp.IN_SYNC) == (not gap and set(statuses) <= {ResourceStatus.IN_SYNC})
    assert (report.roll_up is RollUp.DRIFTED) == any(status.drifted for status in statuses)
    assert len(report.drifted) + len(report.not_checked) + statuses.count(ResourceStatus.IN_SYNC) == len(statuses)


@pytest.mark.parametrize("status", [ResourceStatus.NOT_CHECKED, ResourceStatus.UNKNOWN, ResourceStatus.UNSUPPORTED])
def test_one_resource_that_was_not_checked_keeps_the_whole_from_being_in_sync(status: ResourceStatus) -> None:
    assert of(ResourceStatus.IN_SYNC, status).roll_up is RollUp.NOT_CHECKED


def test_it_counts_by_status() -> None:
    report = of(ResourceStatus.IN_SYNC, ResourceStatus.DELETED, ResourceStatus.IN_SYNC)
    assert report.counts() == {ResourceStatus.IN_SYNC: 2, ResourceStatus.DELETED: 1}


def modified(after: str, *, cause: Cause = Cause.CHANGED_OUTSIDE, address: str = "a.r") -> ResourceDrift:
    change = AttributeChange(path="size", before="1", after=after, cause=cause)
    return ResourceDrift(address=address, status=ResourceStatus.MODIFIED, attributes=(change,))


def test_the_same_drift_has_the_same_fingerprint_and_another_value_another() -> None:
    one, other = modified("2"), modified("2", address="a.s")
    first = DriftReport(resources=(one, other))
    assert first.fingerprint == DriftReport(resources=(other, one), terraform_version="1.9.0").fingerprint
    assert first.fingerprint != DriftReport(resources=(modified("3"), other)).fingerprint
    assert first.fingerprint != DriftReport(resources=(one,)).fingerprint


def test_what_is_no_drift_has_no_part_in_the_fingerprint() -> None:
    noisy = modified("2026-01-01", cause=Cause.NORMALISATION)
    later = modified("2026-01-02", cause=Cause.NORMALISATION)
    assert DriftReport(resources=(noisy,)).fingerprint == DriftReport(resources=(later,)).fingerprint
