"""From the deadline, or a revocation, to the last byte on any of 200 live connections through the real proxy."""

from __future__ import annotations

import asyncio
import json
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.api_client import ApiClient
from shared.control import Open, Poll, send_message
from shared.lease.timing import LeaseTiming
from shared.models import RunKind
from signing_proxy.core import CA_CERTIFICATE
from tests.bench.capture import Capture, Life
from tests.bench.connections import EACH, KINDS, LiveClients, LiveCloud
from tests.bench.per_request import PerRequestProxy
from tests.bench.report import percentile, progress, record, spread_of
from tests.integration.proxy_cloud import REAL_KEY, REAL_SECRET
from tests.integration.proxy_support import Worker
from tests.integration.system import System, free_port, register_empty_flock, running
from tests.servers import ValkeyServer

REPEATS = 5
HOST = "host-a"
TIMING = {"TTL_MS": 6000, "RENEW_MS": 1000, "POLL_MS": 200, "DELTA_MS": 500, "GRACE_MS": 500, "UNKNOWN_MS": 2000}
# How long after the cut the capture goes on. What is still open then counts with this time.
AFTER_MS = 1_500


def boot_ms() -> float:
    """CLOCK_BOOTTIME, finer than whole milliseconds."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e6


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What one repetition saw."""

    late_ms: list[float]
    """For each connection: from the start of the clock to its last byte or its end."""
    bytes_after: int
    """Packets with payload that left the proxy after the start of the clock."""
    latest_ms: float
    """How late the last of them was; 0 without one."""


def measure_sever() -> None:
    """sever.p99_ms and sever.after_deadline, beside a proxy that looks at the deadline for each request only."""
    with _installation() as (system, cloud_port):
        cuts = _repeat("sever", system, cloud_port, _at_deadline)
    progress(f"sever: the partner, a proxy that checks each request, {len(KINDS) * EACH} connections")
    partner = asyncio.run(_partner())
    late = [value for cut in cuts for value in cut.late_ms]
    value, other = percentile(late, 0.99), percentile(partner.late_ms, 0.99)
    record(
        "sever.p99_ms",
        value=value,
        unit="ms",
        goal=50,
        n=len(late),
        spread=spread_of(late),
        partner={"what": f"check per request only (watched for {AFTER_MS} ms)", "value": round(other)},
        ratio=other / value,
    )
    record(
        "sever.after_deadline",
        value=sum(cut.bytes_after for cut in cuts),
        unit="sends",
        goal=0,
        n=len(late),
        spread=spread_of([cut.latest_ms for cut in cuts]),
        partner={"what": "check per request only", "value": partner.bytes_after},
    )


def measure_revoke() -> None:
    """revoke.p99_ms: from before the API is asked, beside waiting for the deadline."""
    with _installation() as (system, cloud_port):
        cuts = _repeat("revoke", system, cloud_port, _at_revocation)
    late = [value for cut in cuts for value in cut.late_ms]
    value, wait_ms = percentile(late, 0.99), LeaseTiming(**_timing()).holder_budget_ms
    record(
        "revoke.p99_ms",
        value=value,
        unit="ms",
        goal=100,
        n=len(late),
        spread=spread_of(late),
        partner={"what": "waiting for the deadline of a lease just renewed", "value": wait_ms},
        ratio=wait_ms / value,
    )


type Ender = Callable[[System, Worker], Awaitable[float]]


async def _at_deadline(system: System, worker: Worker) -> float:
    """Stop renewing and wait for the cut; the deadline is the one that the proxy itself named last."""
    worker.stop_renewing()
    while worker.cut is None:
        send_message(worker._control, Poll())
        await asyncio.sleep(0.1)
    return float([event for event in worker.events if isinstance(event, Open)][-1].deadline_ms)


async def _at_revocation(system: System, worker: Worker) -> float:
    at_ms = boot_ms()
    await asyncio.to_thread(system.api().revoke_lease, worker.target, "benchmark")
    return at_ms


def _repeat(name: str, system: System, cloud_port: int, end: Ender) -> list[Cut]:
    cuts = []
    for number in range(REPEATS):
        progress(f"{name}: {number + 1} of {REPEATS}, {len(KINDS) * EACH} connections")
        with _run(system) as worker:
            cuts.append(asyncio.run(_cut(system, worker, cloud_port, end)))
        progress(f"{name}: p99 {percentile(cuts[-1].late_ms, 0.99):.1f} ms, after: {cuts[-1].bytes_after} sends")
    return cuts


async def _cut(system: System, worker: Worker, cloud_port: int, end: Ender) -> Cut:
    cloud = LiveCloud(cloud_port)
    await cloud.start()
    ca = system.directory / HOST / "ca" / CA_CERTIFICATE
    clients = LiveClients(worker.port, ca, lambda *call: worker.signed(*call[:2], service="s3", body=call[2]))
    try:
        with Capture(cloud.port) as capture:
            await clients.start()
            await _all_live(cloud, clients)
            at_ms = await end(system, worker)
            await asyncio.sleep(max(0.0, at_ms + AFTER_MS - boot_ms()) / 1000)
            until_ms = boot_ms()
    finally:
        await clients.close()
        await cloud.close()
    return _judge(cloud, capture, at_ms, until_ms)


async def _all_live(cloud: LiveCloud, clients: LiveClients) -> None:
    """Wait until the cloud has seen every connection at work."""
    for _ in range(600):
        if len(cloud.ports) == len(KINDS) * EACH:
            break
        assert not clients.failures, clients.failures[:3]
        await asyncio.sleep(0.05)
    else:
        raise AssertionError(f"not all connections reached the cloud: {Counter(cloud.ports.values())}")
    assert cloud.unsigned == 0, f"{cloud.unsigned} calls without a valid signature"
    assert not clients.failures, clients.failures[:3]


def _judge(cloud: LiveCloud, capture: Capture, at_ms: float, until_ms: float) -> Cut:
    assert capture.lost == 0, f"the kernel dropped {capture.lost} captured packets"
    lives: list[Life] = [capture.lives[port] for port in cloud.ports]
    late = [(until_ms if life.last_ms is None else life.last_ms) - at_ms for life in lives]
    after = [sent - at_ms for life in lives for sent in life.sent_ms if sent > at_ms]
    return Cut(late_ms=late, bytes_after=len(after), latest_ms=max(after, default=0.0))


async def _partner() -> Cut:
    cloud = LiveCloud(free_port())
    cloud.verify = False
    await cloud.start()
    with PerRequestProxy(cloud.port) as proxy, Capture(cloud.port) as capture:
        clients = LiveClients(proxy.port, proxy.ca, lambda *_: {"Accept": "*/*"})
        try:
            await clients.start()
            await _all_live(cloud, clients)
            at_ms = boot_ms()
            proxy.end_lease()
            await asyncio.sleep(AFTER_MS / 1000)
            until_ms = boot_ms()
        finally:
            await clients.close()
            await cloud.close()
    return _judge(cloud, capture, at_ms, until_ms)


# --- the installation and its runs


def _timing() -> dict[str, int]:
    return {name.lower(): value for name, value in TIMING.items()}


@contextmanager
def _installation() -> Iterator[tuple[System, int]]:
    """API, beat and one proxy; the worker is played by this process, which holds lease and connections."""
    valkey, cloud_port = ValkeyServer(), free_port()
    try:
        with tempfile.TemporaryDirectory(prefix="il-bench-") as directory:
            extra = {f"INTERLOCK_{name}": value for name, value in TIMING.items()}
            with running(Path(directory), valkey.url, **extra) as system:
                http_port = free_port()
                system.start(
                    "proxy",
                    "proxy",
                    host=HOST,
                    INTERLOCK_HTTP_PORT=str(http_port),
                    INTERLOCK_TOKEN=system.token("proxy"),
                    INTERLOCK_UPSTREAM_OVERRIDES=json.dumps({"*.amazonaws.com": f"http://127.0.0.1:{cloud_port}"}),
                    AWS_ACCESS_KEY_ID=REAL_KEY,
                    AWS_SECRET_ACCESS_KEY=REAL_SECRET,
                    AWS_EC2_METADATA_DISABLED="true",
                )
                system.ready("proxy", f"http://127.0.0.1:{http_port}/readyz")
                yield system, cloud_port
    finally:
        valkey.close()


@contextmanager
def _run(system: System) -> Iterator[Worker]:
    """A run that is claimed in the database, with its lease held and its gate open."""
    register_empty_flock(system)
    run = system.api().create_run(system.target, RunKind.EXEC, argv=("true",))
    with ApiClient(system.api_url, system.token("worker")) as api:
        assignment = api.claim(run.id, node=HOST, holder=secrets.token_hex(16))
    worker = Worker(
        system.directory / HOST / "proxy.sock",
        system.redis_url,
        target=system.target,
        epoch=assignment.epoch,
        timing=assignment.timing,
    )
    worker.run_id = run.id
    with worker:
        yield worker
