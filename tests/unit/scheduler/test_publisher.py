"""The fake publisher."""

from __future__ import annotations

import pytest

from scheduler.publisher import MemoryPublisher, Publisher
from shared.errors import Unavailable


def test_the_fake_keeps_hints_and_plays_a_broker_that_is_away() -> None:
    fake = MemoryPublisher()
    publisher: Publisher = fake
    publisher.publish(run_id="run-1", region="north")
    fake.failure = Unavailable("away")
    with pytest.raises(Unavailable):
        publisher.publish(run_id="run-2", region="north")
    assert fake.hints == [("north", "run-1")]
