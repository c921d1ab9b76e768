"""Every metric carries the proxy's prefix, and two proxies do not share one."""

from __future__ import annotations

from signing_proxy.metrics import ProxyMetrics


def test_every_metric_carries_the_prefix() -> None:
    names = [family.name for family in ProxyMetrics().registry.collect()]
    assert len(names) == 12
    assert all(name.startswith("interlock_proxy_") for name in names)


def test_two_proxies_count_apart() -> None:
    first, second = ProxyMetrics(), ProxyMetrics()
    first.severed.inc()
    assert second.registry.get_sample_value("interlock_proxy_connections_severed_total") == 0
