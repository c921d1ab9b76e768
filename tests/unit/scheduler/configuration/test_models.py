"""The files' models: strict, bounded, and complete without the optional parts."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from scheduler.configuration.models import FlockFile, Phase, RealmFile, RegionFile

SMALLEST: dict[str, Any] = {"name": "shop", "configuration": "tf", "targets": [{"region": "north"}]}


def test_the_smallest_flock_file_has_three_keys() -> None:
    flock = FlockFile.model_validate(SMALLEST)
    assert (flock.fleet, flock.phases, flock.variables, flock.targets[0].name) == (".", (), {}, None)


def test_a_region_is_a_name_and_a_realm() -> None:
    region = RegionFile.model_validate({"name": "north", "realm": "live"})
    assert (region.zones, region.account, region.provider_region) == ((), None, None)
    assert RealmFile.model_validate({"name": "live"}).flocks == {}


def test_a_phase_lets_nothing_fail_and_asks_nobody_unless_told() -> None:
    phase = Phase(name="rest")
    assert (phase.failure_tolerance, phase.bake_s, phase.approval, phase.after) == (0, 0, False, None)


@pytest.mark.parametrize(
    "change",
    [
        {"name": 5},
        {"targets": []},
        {"targets": [{"region": "north"}] * 1001},
        {"targets": [{}]},
        {"targets": [{"region": "a", "realm": "b"}]},
        {"phases": [{"name": "a", "max_concurrent": 0}]},
        {"phases": [{"name": "a", "max_concurrent": True}]},
        {"phases": [{"name": "a", "bake_s": 86_401}]},
        {"phases": [{"name": "a", "approval": "yes"}]},
        {"artifacts": {"image": {"source": "x", "digest": "sha256:abc"}}},
        {"owners": "me"},
        {"colour": "red"},
        {"variables": []},
    ],
)
def test_nothing_is_guessed_and_nothing_is_endless(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FlockFile.model_validate({**SMALLEST, **change})


def test_a_section_for_a_target_is_named_by_the_whole_id() -> None:
    with pytest.raises(ValidationError):
        RegionFile.model_validate({"name": "north", "realm": "live", "targets": {"edge": {}}})
