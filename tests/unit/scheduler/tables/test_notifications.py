"""The schema's rules about notifications."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from scheduler.tables import DeliveryRow, NotificationRow
from tests.unit.scheduler.support import World
from tests.unit.scheduler.tables.support import add


def test_a_notification_goes_to_a_destination_once(world: World) -> None:
    now = world.clock.wall()
    add(world, NotificationRow, id="evt_1", kind="test", flock="web", document={}, created_at=now)
    delivery: dict[str, Any] = {"notification_id": "evt_1", "state": "queued", "due_at": now, "queued_at": now}
    add(world, DeliveryRow, **delivery, destination="ops")
    add(world, DeliveryRow, **delivery, destination="chat")
    with pytest.raises(IntegrityError):
        add(world, DeliveryRow, **delivery, destination="ops")
