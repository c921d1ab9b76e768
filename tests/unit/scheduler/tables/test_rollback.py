"""The schema's rules about rollbacks."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from tests.unit.scheduler.support import World
from tests.unit.scheduler.tables.support import add_rollback, add_run


def test_of_a_deployment_there_is_one_rollback(world: World) -> None:
    deployment = add_run(world, 1)
    add_rollback(world, 1, deployment, reserved=False)
    with pytest.raises(IntegrityError):
        add_rollback(world, 2, deployment, reserved=False)


def test_one_rollback_reserves_a_target(world: World) -> None:
    first, second, third = (add_run(world, number) for number in (1, 2, 3))
    add_rollback(world, 1, first, reserved=True)
    add_rollback(world, 2, second, reserved=False)
    with pytest.raises(IntegrityError):
        add_rollback(world, 3, third, reserved=True)
