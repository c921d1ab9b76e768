"""The schema's rules about states."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from scheduler.tables import QuarantineRow, StateLockRow
from tests.unit.scheduler.support import TARGET, World
from tests.unit.scheduler.tables.support import add, add_run


def test_a_state_that_comes_late_twice_is_kept_once(world: World) -> None:
    late: dict[str, Any] = {
        "target": TARGET,
        "epoch": 1,
        "run_id": add_run(world, 1),
        "serial": 1,
        "lineage": "lineage-a",
        "digest": "a" * 64,
        "size": 1,
        "ciphertext": b"x",
        "created_at": world.clock.wall(),
    }
    add(world, QuarantineRow, **late)
    add(world, QuarantineRow, **late | {"serial": 2})
    with pytest.raises(IntegrityError):
        add(world, QuarantineRow, **late)


def test_a_state_has_one_lock(world: World) -> None:
    add(world, StateLockRow, target=TARGET, epoch=1, lock_id="one", info={})
    with pytest.raises(IntegrityError):
        add(world, StateLockRow, target=TARGET, epoch=2, lock_id="other", info={})
