"""What the kernel lets out of a lease's sockets, on real sockets; and when there is no such gate, why."""

from __future__ import annotations

import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from shared.clock import SystemClock
from signing_proxy import bpf, kernel_gate
from signing_proxy.kernel_gate import (
    BpfGate,
    KernelGate,
    KernelLease,
    NoKernelGate,
    cgroup_mount,
    clock_is_the_kernels,
    kernel_gate_problem,
    open_kernel_gate,
    prove,
)

CLOCK = SystemClock()
FAR_MS = 600_000


@pytest.fixture
def gate() -> Iterator[KernelGate]:
    gate = open_kernel_gate(CLOCK)
    assert gate.active, gate.why
    yield gate
    gate.close()


@contextmanager
def connection(lease: KernelLease, family: int = socket.AF_INET) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A socket of an open lease, and the other end of its connection."""
    address = "127.0.0.1" if family == socket.AF_INET else "::1"
    lease.open(CLOCK.boot_ms() + FAR_MS)
    with socket.create_server((address, 0), family=family) as listener, socket.socket(family) as sock:
        sock.settimeout(60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        unbind = lease.bind(sock)
        sock.connect(listener.getsockname())
        peer, _ = listener.accept()
        with peer:
            peer.settimeout(60)
            yield sock, peer
        sock.close()
        with suppress(OSError):  # the gate may be gone
            unbind()


def is_withheld(gate: KernelGate, sock: socket.socket) -> bool:
    """Send a byte; whether its packet was withheld. The kernel decides within the call."""
    before = gate.withheld()
    sock.send(b"x")
    return gate.withheld() > before


@pytest.mark.debian
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_lease_sends_until_its_deadline_and_again_after_a_renewal(gate: KernelGate, family: int) -> None:
    lease = gate.lease()
    with connection(lease, family) as (sock, peer):
        assert not is_withheld(gate, sock)
        assert peer.recv(10) == b"x"
        lease.open(CLOCK.boot_ms())
        assert is_withheld(gate, sock)
        lease.open(CLOCK.boot_ms() + FAR_MS)
        assert not is_withheld(gate, sock)
        assert peer.recv(10)


@pytest.mark.debian
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_shut_lease_sends_nothing_but_a_reset_without_data(gate: KernelGate, family: int) -> None:
    lease = gate.lease()
    with connection(lease, family) as (sock, peer):
        lease.shut()
        assert is_withheld(gate, sock)
        sock.close()
        with pytest.raises(ConnectionResetError):
            peer.recv(10)


@pytest.mark.debian
def test_a_shut_lease_ends_nothing_in_an_orderly_way_either(gate: KernelGate) -> None:
    lease = gate.lease()
    with connection(lease) as (sock, _):
        lease.shut()
        before = gate.withheld()
        sock.shutdown(socket.SHUT_WR)
        assert gate.withheld() > before


@pytest.mark.debian
def test_a_new_lease_is_shut_before_it_is_opened(gate: KernelGate) -> None:
    lease = gate.lease()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as sock:
        sock.setblocking(False)
        lease.bind(sock)
        before = gate.withheld()
        sock.connect_ex(listener.getsockname())
        assert gate.withheld() > before


@pytest.mark.debian
def test_one_lease_is_not_another_and_strangers_are_left_alone(gate: KernelGate) -> None:
    shut, live = gate.lease(), gate.lease()
    with connection(shut) as (late, _), connection(live) as (sock, peer):
        shut.shut()
        assert is_withheld(gate, late)
        assert not is_withheld(gate, sock)
        assert peer.recv(10) == b"x"
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            socket.create_connection(listener.getsockname()) as own,
        ):
            assert not is_withheld(gate, own)


@pytest.mark.debian
def test_two_proxies_on_a_host_do_not_touch_each_other(gate: KernelGate) -> None:
    other = BpfGate()
    try:
        mine, theirs = gate.lease(), other.lease()
        with connection(mine) as (sock, _), connection(theirs) as (their_sock, _):
            mine.shut()
            assert is_withheld(gate, sock)
            assert not is_withheld(other, their_sock)
    finally:
        other.close()


@pytest.mark.debian
def test_the_gate_ends_with_its_descriptors(gate: KernelGate) -> None:
    lease = gate.lease()
    with connection(lease) as (sock, peer):
        lease.shut()
        gate.close()
        sock.send(b"x")
        assert peer.recv(10) == b"x"
        with pytest.raises(OSError, match="Bad file descriptor"):
            lease.open(FAR_MS)


def test_a_killed_process_closes_its_highest_descriptor_first() -> None:
    # Hence the gate, which a proxy opens before everything else, outlasts the proxy's sockets.
    pairs = [socket.socketpair() for _ in range(50)]
    theirs = {ours.fileno(): end.fileno() for ours, end in pairs}
    program = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]
    with subprocess.Popen(program, pass_fds=list(theirs.values()), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for _, end in pairs:
            end.close()
        with select.epoll() as ended:
            for ours in theirs:
                ended.register(ours, select.EPOLLIN)
            process.send_signal(signal.SIGSTOP)
            process.kill()
            process.wait(30)
            closed = [theirs[ours] for ours, _ in ended.poll(30, maxevents=len(pairs))]
    for ours, _ in pairs:
        ours.close()
    assert closed == sorted(theirs.values(), reverse=True)


class Ahead(SystemClock):
    """As in a time namespace: it reads later than the kernel's clock."""

    def boot_ms(self) -> int:
        return super().boot_ms() + FAR_MS


@pytest.mark.debian
def test_a_clock_that_is_not_the_kernels_is_found_out(gate: KernelGate) -> None:
    assert prove(gate, CLOCK) is None
    objection = prove(gate, Ahead())
    assert objection is not None
    assert "clock" in objection


@pytest.mark.debian
def test_a_gate_that_sees_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpf, "attach_to_cgroup", lambda program, cgroup: bpf.Map("ilk_nothing", entries=1).fd)
    gate = open_kernel_gate(CLOCK)
    assert not gate.active
    assert "does not see our sockets" in gate.why


def test_without_the_right_to_it_there_is_none_and_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(bpf, "Map", refuse)
    gate = open_kernel_gate(CLOCK)
    assert not gate.active
    assert gate.why == "Operation not permitted (needs CAP_BPF, CAP_NET_ADMIN and Linux 5.8)"
    assert kernel_gate_problem(CLOCK) == gate.why


def test_a_proof_that_cannot_be_made_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(gate: KernelGate, clock: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(kernel_gate, "BpfGate", lambda: NoKernelGate("a stand-in"))
    monkeypatch.setattr(kernel_gate, "prove", unreachable)
    assert open_kernel_gate(CLOCK).why == "its proof at start failed: Network is unreachable"


def test_in_a_time_namespace_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        kernel_gate, "_read", lambda path: "monotonic           0         0\nboottime            7         0\n"
    )
    assert "time namespace" in open_kernel_gate(CLOCK).why


def test_the_stand_in_lets_everything_pass() -> None:
    gate = NoKernelGate("no reason")
    lease = gate.lease()
    lease.open(1)
    lease.shut()
    with socket.socket() as sock:
        lease.bind(sock)()
    assert gate.withheld() == 0
    gate.close()


@pytest.mark.parametrize(
    ("mountinfo", "expected"),
    [
        ("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n", Path("/sys/fs/cgroup")),
        ("1 2 0:3 / /a rw - tmpfs tmpfs rw\n4 2 0:5 / /b\\040c rw shared:9 - cgroup2 none rw\n", Path("/b c")),
        ("1 2 0:3 / /sys/fs/cgroup rw - tmpfs cgroup2 rw\n", None),
        ("", None),
    ],
)
def test_where_cgroup_v2_is_mounted(mountinfo: str, expected: Path | None) -> None:
    assert cgroup_mount(mountinfo) == expected


@pytest.mark.parametrize(
    ("offsets", "same"),
    [
        ("monotonic           0         0\nboottime            0         0\n", True),
        ("monotonic           9         0\nboottime            0         0\n", True),
        ("monotonic           0         0\nboottime            0         1\n", False),
        ("monotonic           0         0\nboottime           -5         0\n", False),
        ("", True),
    ],
)
def test_whose_boot_clock_it_is(offsets: str, same: bool) -> None:
    assert clock_is_the_kernels(offsets) is same
