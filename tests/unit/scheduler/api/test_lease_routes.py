"""Routes: leases."""

from __future__ import annotations

import pytest

from shared.errors import ApiError
from shared.lease.machine import State
from tests.unit.scheduler.api.conftest import Clients
from tests.unit.scheduler.support import BOOT, TARGET, World


def test_a_lease_is_shown_with_its_holder_and_attachments(world: World, client: Clients) -> None:
    assignment, lease = world.begin()
    world.store.attach(TARGET, lease, "node-1", BOOT)
    view = client("proxy").lease(TARGET)
    assert (view.run_id, view.holder, view.lease_id) == (assignment.run.id, "holder-1", lease)
    assert view.attachments[0].boot_id == BOOT
    (listed,) = client("worker").leases()
    # The rest of the key's life goes on between the two looks.
    assert listed.model_copy(update={"pttl_ms": view.pttl_ms}) == view


def test_a_revoked_lease_is_shown_as_such(world: World, client: Clients) -> None:
    _, lease = world.begin()
    world.store.attach(TARGET, lease, "node-1", BOOT)
    view = client("admin").revoke_lease(TARGET, "maintenance")
    assert (view.state, view.reason) == (State.REVOKING, "maintenance")


def test_an_unknown_target_is_a_404(client: Clients) -> None:
    with pytest.raises(ApiError) as unseen:
        client("admin").lease("a.b")
    with pytest.raises(ApiError) as unrevoked:
        client("admin").revoke_lease("a.b", "")
    assert unseen.value.status == unrevoked.value.status == 404
