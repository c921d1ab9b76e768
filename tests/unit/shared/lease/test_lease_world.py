"""The whole protocol under random interleavings, on a Redis in memory (see tests/lease_world.py)."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.lease_world import LeaseWorld

TestLeaseWorld = LeaseWorld.TestCase
TestLeaseWorld.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
