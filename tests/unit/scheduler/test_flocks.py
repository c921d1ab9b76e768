"""Flocks, targets."""

from __future__ import annotations

import pytest

from scheduler import flocks, releases
from shared.errors import ApiError
from tests.unit.scheduler.support import TARGET, World


def test_a_published_release_declares_its_targets_and_changes_none(world: World) -> None:
    before = flocks.target(world.context, TARGET)
    world.publish(TARGET, "web.south", provider_region="eu-2")
    assert flocks.target(world.context, TARGET) == before
    south = flocks.target(world.context, "web.south")
    assert (south.region, south.provider_region, south.release_digest) == ("south", "eu-2", None)


def test_a_registered_release_is_what_its_targets_deploy(world: World) -> None:
    digest = world.publish("db.north", "db.north.blue", provider_region="eu-2")
    registered = releases.register(world.context, "db", release_digest=digest)
    assert [target.id for target in registered.targets] == ["db.north", "db.north.blue"]
    assert {target.release_digest for target in registered.targets} == {digest}
    assert {flock.name for flock in flocks.flocks(world.context)} == {"web", "db"}
    assert flocks.target(world.context, "db.north").provider_region == "eu-2"


def test_an_update_keeps_the_epoch_and_the_targets_it_does_not_name(world: World) -> None:
    world.claim(world.submit())
    world.register("web.south")
    world.register(TARGET)
    assert [(target.id, target.epoch) for target in flocks.targets(world.context)] == [(TARGET, 1), ("web.south", 0)]


def test_an_unknown_target_is_a_404(world: World) -> None:
    with pytest.raises(ApiError, match="no target"):
        flocks.target(world.context, "web.nowhere")
