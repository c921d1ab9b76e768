"""A proxy that is stopped releases nothing after the deadline: watched on the wire, from the cloud's side of it."""

from __future__ import annotations

import secrets
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.clock import SystemClock
from shared.lease.timing import LeaseTiming
from signing_proxy.core import CA_CERTIFICATE
from tests.integration.proxy_cloud import CLIENT_TIMEOUT_S, Cloud, within
from tests.integration.proxy_support import Worker, sqs_call
from tests.integration.proxy_tunnel import Tunnel
from tests.integration.test_proxy_process import PROGRAM, environment, scheduler_answer
from tests.servers import wait_for

pytestmark = pytest.mark.debian

# A short way to the deadline, and a long delta: else TCP_USER_TIMEOUT ends the connections before anything is shown.
TIMING = LeaseTiming(ttl_ms=12_000, renew_ms=500, poll_ms=100, delta_ms=9_500)
PROXY_HOST, CLOUD_HOST = "10.201.0.1", "10.201.0.2"
WITHOUT_KERNEL_GATE = ["setpriv", "--bounding-set=-bpf,-sys_admin"]
BODY_BYTES = 8 << 20
ETH_P_ALL, SO_TIMESTAMPNS = 3, 35


def run(*words: str) -> None:
    subprocess.run(words, check=True, timeout=CLIENT_TIMEOUT_S, capture_output=True)


class Wire:
    """Two hosts and the cable between them; only what leaves the proxy's host comes through it."""

    def __init__(self, stack: ExitStack) -> None:
        name = f"ilk{secrets.token_hex(3)}"
        self.proxy, self.cloud = f"{name}p", f"{name}c"
        for namespace in (self.proxy, self.cloud):
            run("ip", "netns", "add", namespace)
            stack.callback(run, "ip", "netns", "del", namespace)
            run("ip", "-n", namespace, "link", "set", "lo", "up")
        run("ip", "-n", self.proxy, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", self.cloud)
        for namespace, address in ((self.proxy, PROXY_HOST), (self.cloud, CLOUD_HOST)):
            run("ip", "-n", namespace, "addr", "add", f"{address}/24", "dev", "eth0")
            run("ip", "-n", namespace, "link", "set", "eth0", "up")

    def lose(self, port: int) -> None:
        """What is sent to this port of the cloud's host gets lost behind its network card."""
        chain = f"chain arriving {{ type filter hook input priority 0; tcp dport {port} drop; }}"
        self._nft(f"table ip lost {{ {chain}; }}")

    def heal(self) -> None:
        self._nft("delete table ip lost")

    def _nft(self, commands: str) -> None:
        run("nsenter", f"--net=/run/netns/{self.cloud}", "nft", commands)


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A TCP segment from the proxy's host, as it arrived at the cloud's network card, before any filter there."""

    at_ns: int
    """When the kernel saw it, by the wall clock."""
    to_port: int
    payload: int
    """Bytes of it."""
    reset: bool


class Capture:
    """A packet socket on the cloud's side."""

    def __init__(self, wire: Wire) -> None:
        self.segments: list[Segment] = []
        self._socket = within(wire.cloud, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0x0300))
        within(wire.cloud, lambda: self._socket.bind(("eth0", ETH_P_ALL)))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.settimeout(0.1)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join(CLIENT_TIMEOUT_S)
        self._socket.close()

    def payload_after(self, at_ns: int, port: int) -> int:
        return sum(s.payload for s in self.segments if s.to_port == port and s.at_ns > at_ns)

    def resets(self, port: int) -> int:
        return sum(s.reset for s in self.segments if s.to_port == port)

    def _read(self) -> None:
        while not self._ended.is_set():
            try:
                packet, ancillary, _, _ = self._socket.recvmsg(65536, 64)
            except TimeoutError:
                continue
            if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != 6:
                continue
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
            header = (packet[0] & 15) * 4
            self.segments.append(
                Segment(
                    at_ns=seconds * 10**9 + nanoseconds,
                    to_port=struct.unpack_from("!H", packet, header + 2)[0],
                    payload=struct.unpack_from("!H", packet, 2)[0] - header - (packet[header + 12] >> 4) * 4,
                    reset=bool(packet[header + 13] & 4),
                )
            )


class StalledCloud:
    """Accepts one connection and reads nothing before it is told to: the sender's window closes."""

    def __init__(self, wire: Wire) -> None:
        self._listener = within(wire.cloud, lambda: socket.create_server((CLOUD_HOST, 0)))
        self.port = int(self._listener.getsockname()[1])
        self.received = 0
        self.ended = threading.Event()
        self._reading = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def read(self) -> None:
        self._reading.set()

    def close(self) -> None:
        self._reading.set()
        self._listener.close()
        self._thread.join(CLIENT_TIMEOUT_S)

    def _serve(self) -> None:
        self._listener.settimeout(CLIENT_TIMEOUT_S)
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(CLIENT_TIMEOUT_S)
            self._reading.wait(CLIENT_TIMEOUT_S)
            try:
                while chunk := connection.recv(1 << 20):
                    self.received += len(chunk)
            except OSError:
                pass
            self.ended.set()


class Proxy:
    """A proxy process on the proxy's host, its worker, and a client of that worker's run."""

    def __init__(
        self, stack: ExitStack, wire: Wire, home: Path, redis_url: str, cloud: Cloud | StalledCloud, *launcher: str
    ) -> None:
        home.mkdir()
        api = stack.enter_context(Cloud(answer=scheduler_answer, namespace=wire.proxy))
        cloud_url = cloud.url if isinstance(cloud, Cloud) else f"http://{CLOUD_HOST}:{cloud.port}"
        variables = environment(home, redis_url, cloud_url, api.url, 0)
        variables["INTERLOCK_NODE"] = home.name
        for name in ("ttl_ms", "renew_ms", "poll_ms", "delta_ms"):
            variables[f"INTERLOCK_{name.upper()}"] = str(getattr(TIMING, name))
        self.log = home / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{wire.proxy}", *launcher, sys.executable, "-c", PROGRAM],
                env=variables,
                stderr=log,
            )
        stack.callback(self._end)
        wait_for("the proxy", lambda: b"proxy_started" in self.log.read_bytes() or self.process.poll() is not None)
        self.worker = stack.enter_context(Worker(home / "proxy.sock", redis_url, timing=TIMING))
        self.ca = home / "ca" / CA_CERTIFICATE

    def stop(self) -> int:
        """SIGSTOP it; from which moment on, by the boot clock in ms, no deadline of its lease can lie ahead."""
        self.process.send_signal(signal.SIGSTOP)
        stat = Path(f"/proc/{self.process.pid}/stat")
        wait_for("the stop", lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")
        return SystemClock().boot_ms() + TIMING.holder_budget_ms

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def queued(self, port: int) -> int:
        """Bytes that its kernel holds for the cloud: unsent, or sent and not acknowledged."""
        return self._upstream(port)[0]

    def attempts(self, port: int) -> int:
        """How often TCP has tried again of its own accord: retransmissions and window probes."""
        return self._upstream(port)[1]

    def _upstream(self, port: int) -> tuple[int, int]:
        # proc_pid_net_tcp: sl local remote state tx:rx timer:when retransmissions uid probes inode …
        for line in Path(f"/proc/{self.process.pid}/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[2].endswith(f":{port:04X}"):
                return int(fields[4].partition(":")[0], 16), int(fields[6], 16) + int(fields[8])
        return 0, 0

    def _end(self) -> None:
        self.process.kill()
        self.process.wait(CLIENT_TIMEOUT_S)


@contextmanager
def uploading(proxy: Proxy) -> Iterator[None]:
    """A client that sends a large call and waits for its answer, in a thread."""
    host, headers, body = sqs_call(proxy.worker, QueueName="q" * BODY_BYTES)
    with Tunnel(proxy.worker.port, host, proxy.ca) as tunnel:
        thread = threading.Thread(target=lambda: ignoring(lambda: tunnel.send("POST", "/", headers, body)))
        thread.start()
        try:
            yield
        finally:
            ignoring(lambda: tunnel.sock.shutdown(socket.SHUT_RDWR))
            thread.join(CLIENT_TIMEOUT_S)


def ignoring(work: Callable[[], object]) -> None:
    """Cut connections are what is tested."""
    try:
        work()
    except OSError:
        pass


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("obstacle", ["a closed window", "a broken path"])
@pytest.mark.parametrize("gated", [True, False], ids=["with the kernel gate", "without"])
def test_what_a_stopped_proxy_holds_leaves_after_the_deadline_only_without_the_kernel_gate(
    tmp_path: Path, valkey_url: str, stack: ExitStack, obstacle: str, gated: bool
) -> None:
    wire = Wire(stack)
    capture = Capture(wire)
    stack.callback(capture.close)
    cloud = StalledCloud(wire)
    stack.callback(cloud.close)
    proxy = Proxy(stack, wire, tmp_path / "a", valkey_url, cloud, *([] if gated else WITHOUT_KERNEL_GATE))
    assert f"kernel_gate={gated}".lower() in proxy.log.read_text().lower()
    with uploading(proxy):
        wait_for("a full queue", lambda: proxy.queued(cloud.port) > 0 and capture.payload_after(0, cloud.port) > 0)
        if obstacle == "a broken path":
            wire.lose(cloud.port)
            lost_ns = wall_ns()
            cloud.read()
            wait_for("losses", lambda: capture.payload_after(lost_ns, cloud.port) > 0)
        over_ms = proxy.stop()
        assert proxy.queued(cloud.port) > 0, "the kernel holds nothing: the test shows nothing"
        wait_for("the deadline", lambda: SystemClock().boot_ms() > over_ms)
        after_ns = wall_ns()
        tried = proxy.attempts(cloud.port)
        # The way is free again.
        if obstacle == "a broken path":
            wire.heal()
        cloud.read()
        if gated:
            wait_for("TCP to try", lambda: proxy.attempts(cloud.port) > tried)
            assert proxy.queued(cloud.port) > 0, "TCP has nothing left to send: the test shows nothing"
            assert capture.payload_after(after_ns, cloud.port) == 0
        else:
            wait_for("late bytes", lambda: capture.payload_after(after_ns, cloud.port) > 0)
        proxy.go_on()
        assert proxy.worker.wait_cut().reason == "deadline passed"
        # The gate lets a reset through, so the cloud learns at once that the rest won't come.
        assert cloud.ended.wait(CLIENT_TIMEOUT_S)
        wait_for("the reset", lambda: capture.resets(cloud.port) > 0)
        assert cloud.received < BODY_BYTES
    if gated:
        assert capture.payload_after(after_ns, cloud.port) == 0


def test_a_stopped_proxy_does_not_hold_up_another_leases_calls_from_the_same_host(
    tmp_path: Path, valkey_url: str, stack: ExitStack
) -> None:
    wire = Wire(stack)
    cloud = StalledCloud(wire)
    stack.callback(cloud.close)
    healthy = stack.enter_context(Cloud(address=CLOUD_HOST, namespace=wire.cloud))
    stopped = Proxy(stack, wire, tmp_path / "a", valkey_url, cloud)
    other = Proxy(stack, wire, tmp_path / "b", valkey_url, healthy)
    with uploading(stopped):
        wait_for("a full queue", lambda: stopped.queued(cloud.port) > 0)
        over_ms = stopped.stop()
        wait_for("the deadline", lambda: SystemClock().boot_ms() > over_ms)
        host, headers, body = sqs_call(other.worker)
        with Tunnel(other.worker.port, host, other.ca) as tunnel:
            assert tunnel.call("POST", "/", headers, body)[0] == 200
        assert other.worker.cut is None
        stopped.go_on()
        assert stopped.worker.wait_cut().reason == "deadline passed"


def wall_ns() -> int:
    """The clock that stamps captured packets."""
    return int(SystemClock().wall().timestamp() * 1e9)
