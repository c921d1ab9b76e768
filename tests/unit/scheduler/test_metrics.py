"""Metrics."""

from __future__ import annotations

from scheduler.metrics import SchedulerMetrics


def test_every_metric_has_our_prefix_and_two_sets_do_not_clash() -> None:
    SchedulerMetrics().grants.inc()
    metrics = SchedulerMetrics()
    names = {family.name for family in metrics.registry.collect()}
    assert all(name.startswith("interlock_scheduler_") for name in names)
    assert {"interlock_scheduler_runs", "interlock_scheduler_last_tick_age_seconds"} <= names
    assert {"interlock_scheduler_grants", "interlock_scheduler_expirations"} <= names
    assert "interlock_scheduler_duplicate_claims" in names
    assert metrics.registry.get_sample_value("interlock_scheduler_grants_total") == 0
