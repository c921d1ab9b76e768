"""The flock whose releases are deployed."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

from scheduler.configuration.fleet import load_flock
from scheduler.configuration.targets import plan_targets
from tests.rollback_faults.world import CONFIGURATION, REGIONS, SPARES, World, flock_of, name_of


def test_the_flock_is_one_that_can_be_published(tmp_path: Path) -> None:
    targets = [World.target(job, number) for job in range(len(REGIONS)) for number in range(SPARES)]
    (tmp_path / "configuration").mkdir()
    (tmp_path / "configuration" / "main.tf").write_bytes((CONFIGURATION / "common" / "main.tf").read_bytes())
    (tmp_path / "flock.yaml").write_text(json.dumps(flock_of(targets, {})))
    plans = plan_targets(load_flock(tmp_path / "flock.yaml"))[0]
    assert {plan.id for plan in plans} == set(targets)
    assert {plan.provider_region for plan in plans} == set(REGIONS)


def test_no_name_is_the_beginning_of_another_targets() -> None:
    names = sorted(name_of(World.target(0, number)) for number in range(SPARES))
    assert not any(other.startswith(one) for one, other in pairwise(names))


def test_the_second_release_creates_updates_replaces_deletes_moves_and_forgets() -> None:
    first, second = ((CONFIGURATION / name / "service.tf").read_text() for name in ("first", "second"))
    declared = [set(re.findall(r'^resource "(\w+)" "(\w+)"', text, re.MULTILINE)) for text in (first, second)]
    assert declared[0] - declared[1]
    assert declared[1] - declared[0]
    assert "moved {" in second
    assert "removed {" in second
