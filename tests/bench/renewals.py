"""What keeping leases costs the server: its own CPU time for each renewed, durable and confirmed lease."""

from __future__ import annotations

import secrets
from pathlib import Path

from shared.lease.commands import Granted, Renewed
from shared.lease.store import LeaseStore
from tests.bench.report import percentile, progress, record, spread_of
from tests.servers import ValkeyServer

LEASES = 2_000
ROUNDS = 10
GROUP = 500
ALONE = 300
RENEW_S = 2.0
HALF_A_CORE = 0.5


def measure() -> None:
    """renew.leases_per_half_core: one call for all leases of a worker, beside one call for each lease."""
    progress(f"renew: {LEASES} leases on a real Valkey, {GROUP} in a call, {ROUNDS} rounds")
    server = ValkeyServer()
    try:
        store = LeaseStore(server.client())
        held = [_hold(store, f"bench.t{number}") for number in range(LEASES)]
        together, alone = [], []
        for _ in range(ROUNDS):
            together.append(
                _leases(_cost_s(server.pid, store, [held[at : at + GROUP] for at in range(0, LEASES, GROUP)]))
            )
            alone.append(_leases(_cost_s(server.pid, store, [[lease] for lease in held[:ALONE]])))
    finally:
        server.close()
    value, partner = percentile(together, 0.5), percentile(alone, 0.5)
    record(
        "renew.leases_per_half_core",
        value=value,
        unit="leases",
        goal=40_000,
        n=ROUNDS * LEASES,
        spread=spread_of(together),
        partner={"what": "one call for each lease", "value": round(partner)},
        ratio=value / partner,
    )


def _hold(store: LeaseStore, target: str) -> tuple[str, str]:
    store.clear(target, store.view(target).incarnation, 0)
    granted = store.acquire(
        target,
        epoch=1,
        acquire_id=secrets.token_hex(16),
        ttl_ms=3_600_000,
        holder=secrets.token_hex(16),
        run_id=f"run-{secrets.token_hex(8)}",
        node="worker-host-1.example",
        credential_hash=secrets.token_hex(32),
    )
    assert isinstance(granted, Granted)
    return target, granted.lease_id


def _cost_s(pid: int, store: LeaseStore, calls: list[list[tuple[str, str]]]) -> float:
    """The server's CPU seconds for one lease."""
    before = _cpu_s(pid)
    for leases in calls:
        assert all(isinstance(reply, Renewed) for reply in store.renew_many(leases, 1_000))
    return (_cpu_s(pid) - before) / sum(map(len, calls))


def _leases(cost_s: float) -> float:
    """How many leases half a core keeps, each renewed every two seconds."""
    return HALF_A_CORE * RENEW_S / cost_s


def _cpu_s(pid: int) -> float:
    """User and system time of all threads of a process, from the scheduler's own nanoseconds."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
