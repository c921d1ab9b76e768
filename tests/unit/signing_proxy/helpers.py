"""Small parts for the proxy's unit tests."""

from __future__ import annotations

from mitmproxy import connection, http
from mitmproxy.proxy.mode_specs import ProxyMode

from shared.clock import ManualClock
from shared.control import Attach
from shared.lease.gate import ProxyGate
from shared.lease.machine import State
from shared.lease.timing import LeaseTiming
from shared.lease.view import Attachment, LeaseView
from signing_proxy.background import TaskKeeper
from signing_proxy.calls import Call, attach_call
from signing_proxy.destination import Kind, Upstream
from signing_proxy.metrics import ProxyMetrics
from signing_proxy.permissions import Permissions
from signing_proxy.recorder import CallRecorder
from signing_proxy.runs import AttachedRun
from signing_proxy.testing import FixedAllowance, MemoryJournal

LEASE = f"1-{'a' * 32}"
BOOT = "b" * 32
TIMING = LeaseTiming()
CLOUD = Upstream(kind=Kind.CLOUD, scheme="https", host="sqs.eu-west-1.amazonaws.com", port=443, overridden=False)
STATE = Upstream(kind=Kind.STATE, scheme="http", host="127.0.0.1", port=8420, overridden=True)


def attach_message(listen: str = "fd", lease_id: str = LEASE) -> Attach:
    return Attach(
        run_id="run-0123456789abcdef",
        target="web.eu",
        epoch=1,
        lease_id=lease_id,
        timing=TIMING,
        access_key_id="AKPLACEHOLDER",
        secret_access_key="placeholder",
        proxy_user="user",
        proxy_password="pass:word",
        state_username="run-0123456789abcdef",
        listen="tcp" if listen == "tcp" else "fd",
    )


def view(seq: int, *, state: State | None = State.HELD, acknowledged: bool = False, in_flight: int = 0) -> LeaseView:
    record = Attachment(
        proxy_id="host-a", boot_id=BOOT, incarnation="r:1", acknowledged=acknowledged, in_flight=in_flight
    )
    return LeaseView(
        target="web.eu",
        incarnation="r:1",
        cleared=True,
        state=state,
        lease_id=LEASE,
        epoch=1,
        seq=seq,
        confirmed_incarnation="r:1",
        confirmed_seq=seq,
        ttl_ms=TIMING.ttl_ms,
        pttl_ms=TIMING.ttl_ms,
        attach_count=1,
        attachments=(record,),
    )


def make_run(clock: ManualClock, *, live: bool = True, listen: str = "fd") -> AttachedRun:
    """A run whose gate is open until the clock has moved by its budget, or not yet open."""
    attach = attach_message(listen)
    gate = ProxyGate(attach.lease_id, attach.target, "host-a", BOOT, attach.timing)
    if live:
        gate.on_poll(view(1), sent_ms=clock.boot_ms(), now_ms=clock.boot_ms())
        clock.advance(1)
        gate.on_poll(view(2), sent_ms=clock.boot_ms(), now_ms=clock.boot_ms())
        assert gate.check(clock.boot_ms()).allowed
    return AttachedRun(attach, gate)


def make_flow(method: str = "POST", path: str = "/", body: bytes | None = b"{}", **headers: str) -> http.HTTPFlow:
    """A flow as mitmproxy makes it for a request inside a tunnel; body None: only its head has been read."""
    client = connection.Client(
        peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), proxy_mode=ProxyMode.parse("regular")
    )
    flow = http.HTTPFlow(client, connection.Server(address=None))
    named = {"host": CLOUD.host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    flow.request = http.Request.make(method, f"https://{CLOUD.host}{path}", b"", named)
    flow.request.data.headers = http.Headers([(name.encode(), value.encode()) for name, value in named.items()])
    flow.request.authority = ""
    flow.request.raw_content = body
    flow.live = True
    return flow


def make_call(flow: http.HTTPFlow, run: AttachedRun, upstream: Upstream | None = CLOUD) -> Call:
    call = Call(run=run, host=CLOUD.host, upstream=upstream)
    attach_call(flow, call)
    return call


class Bench:
    """A recorder with everything it needs, in memory."""

    def __init__(self) -> None:
        self.clock = ManualClock(1000)
        self.journal = MemoryJournal()
        self.metrics = ProxyMetrics()
        self.tasks = TaskKeeper()
        self.allowances = FixedAllowance()
        self.permissions = Permissions(self.allowances, self.clock, self.metrics)
        self.recorder = CallRecorder(journal=self.journal, metrics=self.metrics, clock=self.clock, tasks=self.tasks)

    def counted(self, outcome: str, reason: str = "") -> float:
        labels = {"outcome": outcome, "reason": reason}
        return self.metrics.registry.get_sample_value("interlock_proxy_calls_total", labels) or 0.0
