"""Notifications as they travel."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from shared.notifications import Notification, NotificationKind, NotificationState

KNOWN = {
    "id": "evt_" + "0a" * 16,
    "kind": "halt",
    "flock": "shop",
    "title": "Halted: shop",
    "at": "2026-01-02T03:04:05Z",
    "state": "queued",
}


def test_a_notification_survives_its_way_over_the_wire() -> None:
    made = Notification.model_validate({**KNOWN, "destination": "ops", "attempts": 2})
    assert Notification.model_validate_json(made.model_dump_json()) == made
    assert (made.kind, made.state) == (NotificationKind.HALT, NotificationState.QUEUED)


@pytest.mark.parametrize("wrong", [{"id": "evt_1"}, {"at": "2026-01-02T03:04:05"}, {"state": "lost"}, {"body": "x"}])
def test_what_is_none_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Notification.model_validate({**KNOWN, **wrong})
