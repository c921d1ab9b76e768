"""The gate in the kernel: what a stopped proxy has left in its sockets does not leave after the deadline.

The gate in ``connection`` asks the clock before each send. What it let through before the deadline may still lie in the
kernel: in a send queue behind a full window, or waiting to be sent again. While the proxy runs it throws that away at
the deadline. A proxy that is stopped (SIGSTOP, a frozen cgroup, a wedged thread) can't; TCP would go on by itself.

So a BPF program looks at every packet of the lease's own connections, known by their socket cookies, never by proxy or
target, and compares the boot clock with the lease's deadline. Why BPF and not an nftables set with timeouts:

- the deadline is absolute and on CLOCK_BOOTTIME. A set's timeout is relative and in jiffies: it stands still while the
  machine sleeps, and a proxy that is stopped between computing it and installing it would prolong a lease;
- a deadline is set in 3 µs by one system call, without a ruleset transaction;
- a socket cookie is nobody else's. Packet marks are read by policy routing, kube-proxy, Calico, Tailscale …

Nothing survives the process: program, maps and attachment end with their descriptors. The kernel then resets the
connections (linger 0), and what it had buffered is gone. It closes the highest descriptor first, so the gate is opened
before everything else: it outlasts the sockets. Needs CAP_BPF and CAP_NET_ADMIN, cgroup v2 (with
CAP_SYS_ADMIN it need not be mounted) and Linux 5.8; whether it works is proven at start with packets, not assumed.
"""

import os
import re
import select
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from shared.clock import Clock
from signing_proxy import bpf

MAX_LEASES = 4096
MAX_SOCKETS = 1 << 18
_SO_COOKIE = 57
_NS_PER_MS = 1_000_000
_PROOF_TIMEOUT_MS = 2000
_PROOF_OPEN_MS = 60_000
_LINGER_0 = struct.pack("ii", 1, 0)


class KernelLease(Protocol):
    """One lease as the kernel knows it; shut until it is opened."""

    def open(self, deadline_ms: int) -> None:
        """Let its packets out until then, by the boot clock. Raises OSError."""

    def shut(self) -> None:
        """Withhold its packets from now on. Raises OSError."""

    def bind(self, sock: socket.socket) -> Callable[[], None]:
        """Make a new socket one of the lease's. What it returns is called once the socket is closed. Raises OSError."""


class KernelGate(Protocol):
    """Makes leases. With ``active`` false they do nothing, and ``why`` says why."""

    active: bool
    why: str

    def lease(self) -> KernelLease:
        """A new lease, shut."""

    def withheld(self) -> int:
        """Packets withheld so far. Raises OSError."""

    def close(self) -> None:
        """End it."""


class NoLease:
    """A lease that only the gate in the process guards."""

    def open(self, deadline_ms: int) -> None:
        """Nothing."""

    def shut(self) -> None:
        """Nothing."""

    def bind(self, sock: socket.socket) -> Callable[[], None]:
        """Nothing."""
        return lambda: None


class NoKernelGate:
    """Stands in where the kernel can't be asked."""

    active = False

    def __init__(self, why: str) -> None:
        self.why = why

    def lease(self) -> KernelLease:
        """See KernelGate."""
        return NoLease()

    def withheld(self) -> int:
        """None."""
        return 0

    def close(self) -> None:
        """Nothing."""


class BpfGate:
    """The real one. Its numbers of leases are never used again: an old socket can't come under a new lease."""

    active = True
    why = ""

    def __init__(self) -> None:
        """Load the program and attach it to all cgroups that this process can see. Raises OSError, leaving nothing."""
        self._descriptors: list[int] = []
        self._maps: list[bpf.Map] = []
        self._last_lease = 0
        try:
            self._sockets = self._own_map(bpf.Map("ilk_sockets", entries=MAX_SOCKETS))
            self._leases = self._own_map(bpf.Map("ilk_leases", entries=MAX_LEASES))
            self._withheld = self._own_map(bpf.Map("ilk_withheld", entries=1, array=True))
            program = self._own(bpf.load_program(self._sockets, self._leases, self._withheld))
            directory = self._own(_all_cgroups())
            self._own(bpf.attach_to_cgroup(program, directory))
        except BaseException:
            self.close()
            raise

    def lease(self) -> "BpfLease":
        """See KernelGate."""
        self._last_lease += 1
        return BpfLease(self._last_lease, sockets=self._sockets, leases=self._leases)

    def withheld(self) -> int:
        """See KernelGate."""
        return self._withheld[0]

    def close(self) -> None:
        """See KernelGate."""
        for made in self._maps:
            made.close()
        while self._descriptors:
            os.close(self._descriptors.pop())

    def _own(self, descriptor: int) -> int:
        self._descriptors.append(descriptor)
        return descriptor

    def _own_map(self, made: bpf.Map) -> bpf.Map:
        self._maps.append(made)
        return made


class BpfLease:
    """See KernelLease."""

    def __init__(self, number: int, *, sockets: bpf.Map, leases: bpf.Map) -> None:
        self._number = number
        self._sockets = sockets
        self._leases = leases

    def open(self, deadline_ms: int) -> None:
        """See KernelLease."""
        self._leases[self._number] = max(0, deadline_ms) * _NS_PER_MS

    def shut(self) -> None:
        """See KernelLease."""
        self._leases.discard(self._number)

    def bind(self, sock: socket.socket) -> Callable[[], None]:
        """See KernelLease."""
        (cookie,) = struct.unpack("=Q", sock.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8))
        self._sockets[cookie] = self._number
        return lambda: self._sockets.discard(cookie)


def open_kernel_gate(clock: Clock) -> KernelGate:
    """The kernel's gate, proven to work, or the stand-in with the reason why there is none."""
    if not clock_is_the_kernels(_read("/proc/self/timens_offsets")):
        return NoKernelGate("this process lives in a time namespace with a boot clock of its own")
    try:
        gate = BpfGate()
    except OSError as error:
        return NoKernelGate(f"{_named(error)} (needs CAP_BPF, CAP_NET_ADMIN and Linux 5.8)")
    try:
        objection = prove(gate, clock)
    except OSError as error:
        objection = f"its proof at start failed: {_named(error)}"
    if objection is None:
        return gate
    gate.close()
    return NoKernelGate(objection)


def kernel_gate_problem(clock: Clock) -> str | None:
    """Why a proxy that is started like this process would have no gate in the kernel; None if it would. For doctor."""
    gate = open_kernel_gate(clock)
    gate.close()
    return None if gate.active else gate.why


def prove(gate: KernelGate, clock: Clock) -> str | None:
    """Send over the loopback as a lease would; what is wrong, or None. Raises OSError.

    It shows that the program sees this process's sockets, that the kernel's boot clock is not behind the one we read,
    and that a reset gets through.
    """
    lease = gate.lease()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as sock:
        unbind = lease.bind(sock)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(_PROOF_TIMEOUT_MS / 1000)
            lease.open(clock.boot_ms() + _PROOF_OPEN_MS)
            sock.connect(listener.getsockname())
            with listener.accept()[0] as peer:
                for closing, objection in (
                    (lease.shut, "packets of a shut lease are not withheld: the program does not see our sockets"),
                    (
                        lambda: lease.open(clock.boot_ms()),
                        "a packet left after the deadline: the kernel's clock differs",
                    ),
                ):
                    closing()
                    before = gate.withheld()
                    sock.send(b"late")
                    if gate.withheld() == before:
                        return objection
                sock.close()
                return None if _readable(peer) else "a reset does not get through a shut lease"
        finally:
            sock.close()
            unbind()
            lease.shut()


def cgroup_mount(mountinfo: str) -> Path | None:
    """Where cgroup v2 is mounted, by /proc/self/mountinfo (proc_pid_mountinfo(5)); None where it is not.

    All of what is mounted, not the process's own cgroup: the process may be moved later, its sockets with it.
    """
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        if rest.split(" ")[0] == "cgroup2":
            return Path(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), fields.split(" ")[4]))
    return None


def clock_is_the_kernels(offsets: str) -> bool:
    """Whether CLOCK_BOOTTIME here is what BPF programs see, by /proc/self/timens_offsets (time_namespaces(7))."""
    lines = [line.split() for line in offsets.splitlines()]
    return all(fields[1:] == ["0", "0"] for fields in lines if fields[:1] == ["boottime"])


def _all_cgroups() -> int:
    mounted = cgroup_mount(_read("/proc/self/mountinfo"))
    if mounted is None:
        return bpf.mount_cgroups()
    return os.open(mounted, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(_PROOF_TIMEOUT_MS))


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def _named(error: OSError) -> str:
    return error.strerror or str(error)
