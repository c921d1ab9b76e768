"""How long a target stands still: from one holder to the next, when it ends well, is killed, or loses its host."""

from __future__ import annotations

from shared.lease.timing import LeaseTiming
from tests.bench.fleet import HOSTS, boot_ms, fleet
from tests.bench.report import percentile, progress, record, spread_of
from tests.integration.system import FAST_LEASE

HANDOVERS = 30
KILLS = 20
HOST_LOSSES = 5


def timing() -> LeaseTiming:
    """The durations of the installation that is measured."""
    values = {name.removeprefix("INTERLOCK_").lower(): int(value) for name, value in FAST_LEASE.items()}
    return LeaseTiming(**{name: value for name, value in values.items() if name in LeaseTiming.model_fields})


def measure_handover() -> None:
    """handover.p99_ms: the worker gives the lease back, the waiting run gets it."""
    moved = []
    with fleet() as hosts:
        running = hosts.working(hosts.begin(seconds=1))
        for _ in range(2 * HANDOVERS):
            waiting, queued_ms = hosts.begin(seconds=1), boot_ms()
            epoch = running.epoch or 0
            granted_ms = hosts.ear.at_ms(hosts.target, "held", epoch + 1)
            released_ms = hosts.ear.at_ms(hosts.target, "releasing", epoch)
            running = hosts.working(waiting)
            if released_ms <= queued_ms:
                continue  # on a slow machine it had ended before anybody waited
            moved.append(granted_ms - released_ms)
            if len(moved) % 10 == 0:
                progress(f"handover: {len(moved)} of {HANDOVERS}, p50 {percentile(moved, 0.5):.0f} ms")
            if len(moved) == HANDOVERS:
                break
        hosts.over(running)
    value, partner = percentile(moved, 0.99), timing().ttl_ms
    record(
        "handover.p99_ms",
        value=value,
        unit="ms",
        goal=100,
        n=len(moved),
        spread=spread_of(moved),
        partner={"what": "waiting for a lock's TTL", "value": partner},
        ratio=partner / value,
    )


def measure_kill() -> None:
    """kill.grant_p99_ms and kill.first_call_p99_ms: SIGKILL of the worker, its proxy lives; nothing is in flight."""
    granted, called = [], []
    with fleet() as hosts:
        running = hosts.working(hosts.begin(calls=True))
        for number in range(KILLS):
            waiting = hosts.begin(calls=True)
            epoch, host = running.epoch or 0, running.node or ""
            at_ms = hosts.kill(f"{host}-worker")
            granted.append(hosts.ear.at_ms(hosts.target, "held", epoch + 1) - at_ms)
            called.append(hosts.call_ms(epoch + 1) - at_ms)
            hosts.start_host(host)
            running = hosts.working(waiting)
            if number % 5 == 4:
                progress(
                    f"kill: {number + 1} of {KILLS}, p50 {percentile(granted, 0.5):.0f} ms to the grant, "
                    f"{percentile(called, 0.5):.0f} ms to the call"
                )
        hosts.clean_up(running)
    # Without a proxy that sees the worker die, nobody may take over before the whole window has passed.
    window_ms = timing().window_ms + timing().unknown_ms
    for key, values, goal in (("kill.grant_p99_ms", granted, 1_000), ("kill.first_call_p99_ms", called, 2_000)):
        value = percentile(values, 0.99)
        record(
            key,
            value=value,
            unit="ms",
            goal=goal,
            n=len(values),
            spread=spread_of(values),
            partner={"what": "waiting W + Q, as after a host loss", "value": window_ms},
            ratio=window_ms / value,
        )


def measure_hostloss() -> None:
    """hostloss.grant_p99_ms: worker and proxy die together; counted from the last renewal."""
    waited = []
    with fleet() as hosts:
        running = hosts.working(hosts.begin())
        for number in range(HOST_LOSSES):
            waiting = hosts.begin()
            epoch, host = running.epoch or 0, running.node or HOSTS[0]
            renewed_ms, _ = hosts.last_renewal_ms(lambda h=host: hosts.kill(f"{h}-worker", f"{h}-proxy"))  # type: ignore[misc]
            waited.append(hosts.ear.at_ms(hosts.target, "held", epoch + 1) - renewed_ms)
            progress(f"hostloss: {number + 1} of {HOST_LOSSES}, {waited[-1]:.0f} ms")
            hosts.start_host(host)
            running = hosts.working(waiting)
        hosts.clean_up(running)
    value, window_ms = percentile(waited, 0.99), timing().window_ms + timing().unknown_ms
    record(
        "hostloss.grant_p99_ms",
        value=value,
        unit="ms",
        goal=window_ms + 500,
        n=len(waited),
        spread=spread_of(waited),
        partner={
            "what": f"W + Q themselves, with TTL {timing().ttl_ms}, G {timing().grace_ms}, Q {timing().unknown_ms}",
            "value": window_ms,
        },
        ratio=window_ms / value,
    )
