"""The context."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from tests.unit.scheduler.support import World


def test_a_context_cannot_be_changed_under_its_users(world: World) -> None:
    with pytest.raises(FrozenInstanceError):
        world.context.store = world.store  # type: ignore[misc]  # the point of the test
    assert replace(world.context).metrics is world.context.metrics
