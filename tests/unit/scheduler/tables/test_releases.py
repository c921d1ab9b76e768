"""The schema's rules about what is deployed, and where."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from scheduler.tables import ReleaseRow, TargetRow
from tests.unit.scheduler.support import World
from tests.unit.scheduler.tables.support import add


def test_a_digest_names_one_release(world: World) -> None:
    release: dict[str, Any] = {
        "digest": "sha256:" + "c" * 64,
        "flock": "web",
        "manifest": b"{}",
        "target_count": 1,
        "actor": "",
        "created_at": world.clock.wall(),
    }
    add(world, ReleaseRow, **release)
    with pytest.raises(IntegrityError):
        add(world, ReleaseRow, **release)


def test_a_target_belongs_to_a_flock_that_exists(world: World) -> None:
    add(world, TargetRow, id="web.south", flock="web", region="south", provider_region="south")
    with pytest.raises(IntegrityError):
        add(world, TargetRow, id="other.south", flock="other", region="south", provider_region="south")
