"""Hosts with other lease durations; servers that must not hold leases are in tests/integration/test_redis_admission."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.errors import ConfigurationError
from shared.lease.admission import check_agreed, check_timing, differing
from shared.lease.timing import LeaseTiming

OURS = LeaseTiming()


def beat(**changes: Any) -> dict[str, Any]:
    return {"timing": {**OURS.model_dump(), **changes}}


def test_hosts_with_the_same_durations_are_welcome_and_so_is_one_that_says_none() -> None:
    check_timing({"host-b": beat(), "host-c": {"runs": []}}, OURS, "host-a")


def test_another_ttl_is_refused_with_both_values_and_the_host() -> None:
    with pytest.raises(ConfigurationError, match="host-b: ttl_ms is 10000 here and 12000 there") as caught:
        check_timing({"host-b": beat(ttl_ms=12_000), "host-c": beat()}, OURS, "host-a")
    assert "INTERLOCK_TTL_MS" in caught.value.hint


@pytest.mark.parametrize("name", ["renew_ms", "poll_ms", "delta_ms", "grace_ms", "unknown_ms"])
def test_every_duration_counts(name: str) -> None:
    different = getattr(OURS, name) + 1
    assert list(differing({"host-b": beat(**{name: different})}, OURS, "host-a")) == ["host-b"]


def test_what_this_host_itself_said_before_its_restart_does_not_count() -> None:
    check_timing({"host-a": beat(ttl_ms=12_000)}, OURS, "host-a")


def test_more_hosts_than_one_are_counted() -> None:
    nodes = {name: beat(ttl_ms=12_000) for name in ("host-b", "host-c", "host-d")}
    with pytest.raises(ConfigurationError, match=r"host-b \(and 2 more hosts\)"):
        check_timing(nodes, OURS, "host-a")


@pytest.mark.parametrize("nonsense", [{}, {"ttl_ms": "x"}, [1], "x", {"ttl_ms": 1}])
def test_durations_that_nobody_can_have_are_named_too(nonsense: Any) -> None:
    found = differing({"host-b": {"timing": nonsense}}, OURS, "host-a")
    assert nonsense == {} or "host-b" in found


def test_what_the_others_agreed_on_is_compared_whoever_they_are() -> None:
    check_agreed(json.dumps(OURS.model_dump()), OURS)
    with pytest.raises(ConfigurationError, match="ttl_ms is 10000 here and 12000 there") as caught:
        check_agreed(json.dumps(OURS.model_copy(update={"ttl_ms": 12_000}).model_dump()), OURS)
    assert "interlock:1:timing" in caught.value.hint
    with pytest.raises(ConfigurationError, match="no host can be configured with"):
        check_agreed("no JSON", OURS)
