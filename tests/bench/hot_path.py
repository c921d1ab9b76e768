"""The gate's check, as it stands before every send: one clock read and one comparison."""

from __future__ import annotations

import secrets
import time

from shared.clock import SystemClock
from shared.lease.commands import Granted, Renewed
from shared.lease.gate import Open, ProxyGate
from shared.lease.store import LeaseStore
from shared.lease.timing import LeaseTiming
from tests.bench.report import percentile, progress, record, spread_of
from tests.servers import ValkeyServer

BATCHES = 2_000
CHECKS = 100
ASKED = 2_000
TARGET = "bench.gate"


def measure() -> None:
    """gate.p50_us, beside asking the server about each call."""
    progress("gate: its check, and what asking Redis each time would cost")
    server = ValkeyServer()
    try:
        store, clock, timing = LeaseStore(server.client()), SystemClock(), LeaseTiming()
        gate = _open_gate(store, clock, timing)
        checks = [_timed(lambda: _check(gate, clock)) / CHECKS for _ in range(BATCHES)]
        asked = [_timed(lambda: store.view(TARGET)) for _ in range(ASKED)]
    finally:
        server.close()
    value, partner = percentile(checks, 0.5), percentile(asked, 0.5)
    record(
        "gate.p50_us",
        value=value,
        unit="us",
        goal=10,
        n=BATCHES * CHECKS,
        spread=spread_of(checks),
        partner={"what": "one question to Valkey for each call", "value": round(partner, 1)},
        ratio=partner / value,
    )


def _open_gate(store: LeaseStore, clock: SystemClock, timing: LeaseTiming) -> ProxyGate:
    store.clear(TARGET, store.view(TARGET).incarnation, 0)
    granted = store.acquire(
        TARGET, epoch=1, acquire_id=secrets.token_hex(16), ttl_ms=timing.ttl_ms, holder="h", run_id="r", node="n"
    )
    assert isinstance(granted, Granted)
    boot = secrets.token_hex(16)
    gate = ProxyGate(granted.lease_id, TARGET, "n", boot, timing)
    store.attach(TARGET, granted.lease_id, "n", boot)
    gate.on_poll(store.view(TARGET), sent_ms=clock.boot_ms(), now_ms=clock.boot_ms())
    time.sleep(0.002)  # the second look has to be later than the first, in whole milliseconds
    (renewed,) = store.renew_many([(TARGET, granted.lease_id)], 1_000)
    assert isinstance(renewed, Renewed)
    opened = gate.on_poll(store.view(TARGET), sent_ms=clock.boot_ms(), now_ms=clock.boot_ms())
    assert isinstance(opened, Open), opened
    return gate


def _check(gate: ProxyGate, clock: SystemClock) -> None:
    for _ in range(CHECKS):
        assert gate.check(clock.boot_ms()).allowed


def _timed(work: object) -> float:
    """Microseconds that `work` took."""
    assert callable(work)
    begun = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - begun) / 1_000
