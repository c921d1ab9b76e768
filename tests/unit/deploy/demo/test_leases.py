"""The demo's own view of grants and cuts."""

from __future__ import annotations

import json

import pytest

from deploy.demo.leases import Change, LeaseWatch, parse_change


def watch_of(*changes: tuple[str, int, str, float]) -> LeaseWatch:
    """A watch that has seen `changes` and listens to nothing."""
    watch = object.__new__(LeaseWatch)
    watch._changes = [Change(target=t, epoch=e, state=s, at_ms=at) for t, e, s, at in changes]
    import threading

    watch._lock = threading.Lock()
    return watch


def test_a_message_of_the_channel_is_a_change() -> None:
    data = json.dumps({"target": "orders.eu", "lease_id": "2-ab", "state": "held", "epoch": 2}).encode()
    assert parse_change(data, 7) == Change(target="orders.eu", epoch=2, state="held", at_ms=7)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"target": "t", "epoch": "x", "state": "held"}'])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises((ValueError, KeyError)):
        parse_change(data, 7)


def test_a_grant_is_the_first_higher_epoch_held() -> None:
    watch = watch_of(
        ("t", 1, "held", 1), ("u", 2, "held", 2), ("t", 2, "revoking", 3), ("t", 2, "held", 4), ("t", 3, "held", 5)
    )
    assert watch.granted_ms("t", above=1) == 4
    assert watch.granted_ms("t", above=3) is None


def test_a_lease_ended_when_it_was_first_seen_not_held() -> None:
    watch = watch_of(("t", 1, "held", 1), ("t", 1, "revoking", 2), ("t", 1, "severed", 3), ("t", 2, "held", 4))
    assert watch.ended_ms() == {("t", 1): 2}
