"""The attempts as one table: what is tried, on what, and which wall answers how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.integration.escapes.hosts import PROXY_SECRET, Host
from tests.integration.escapes.targets import DNS_ANSWER, ECHO_PORT, SECRET
from worker.shim import MAX_PROCESSES

# The walls, named as the threat model names them.
NETWORK = "network namespace"
PROCESSES = "pid namespace, /proc of its own"
FILES = "mount namespace: only what a run needs is bound"
CAPABILITIES = "no capabilities"
FILTER = "seccomp filter"
IPC = "ipc namespace"
NESTING = "no nested user namespaces"
READ_ONLY = "/proc is read-only"
NO_NEW_PRIVILEGES = "no_new_privs"
BOUND = "a bound on files, memory and tasks"

#: Who would succeed without the sandbox: any worker, one that is root, one that is not.
Whose = Literal["any", "root", "not root"]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt."""

    to: str
    """Completes "a provisioner tries to …"."""
    payload: str
    """Function in `payloads`."""
    wall: str
    """What stops it."""
    refusal: tuple[str, ...]
    """What it hears inside: names of errno, or the attempt's own words for finding nothing."""
    arguments: Callable[[Host], dict[str, Any]] = field(default=lambda host: {})
    """For the payload."""
    evidence: str = ""
    """What it brings home without the sandbox, in part."""
    whose: Whose = "any"
    """Which worker it would succeed against."""
    proxy: bool = False
    """Its target is the real proxy process, which runs as the user of the tests."""
    cloud: bool = False
    """Its target is the cloud behind an interface, which needs root to build."""

    @property
    def name(self) -> str:
        """For a test's id."""
        return self.to.replace(" ", "_").replace("/", "-")


ATTEMPTS = (
    # --- the network
    Attempt(
        to="dial Redis and the broker over TCP",
        payload="tcp",
        wall=NETWORK,
        refusal=("ECONNREFUSED",),
        arguments=lambda host: {"host": "127.0.0.1", "port": host.valkey.port, "say": "PING\r\n"},
        evidence="+PONG",
    ),
    Attempt(
        to="see who listens on the host",
        payload="see_listener",
        wall=NETWORK,
        refusal=("not listed",),
        arguments=lambda host: {"port": host.valkey.port},
    ),
    *(
        Attempt(
            to=f"reach the cloud over {payload.upper()} and {version}",
            payload=payload,
            wall=NETWORK,
            refusal=("ENETUNREACH",),
            arguments=lambda host, six=six: {"host": host.cloud[six], "port": ECHO_PORT, "say": "out"},
            evidence="out",
            cloud=True,
        )
        for payload in ("tcp", "udp")
        for version, six in (("IPv4", False), ("IPv6", True))
    ),
    Attempt(
        to="carry a name out by DNS",
        payload="dns",
        wall=NETWORK,
        refusal=("ENETUNREACH",),
        arguments=lambda host: {"server": host.cloud[False], "name": "secret.example"},
        evidence=DNS_ANSWER,
        cloud=True,
    ),
    *(
        Attempt(
            to=f"send {name} on a raw socket",
            payload="icmp",
            wall=CAPABILITIES,
            refusal=("EPERM",),
            arguments=lambda host, six=six: {"host": host.cloud[six]},
            evidence="echo",
            whose="root",
            cloud=True,
        )
        for name, six in (("ICMP", False), ("ICMPv6", True))
    ),
    Attempt(
        to="open a packet socket",
        payload="packet_socket",
        wall=f"{FILTER}, {CAPABILITIES}",
        refusal=("EAFNOSUPPORT",),
        whose="root",
    ),
    Attempt(to="talk to the hypervisor by AF_VSOCK", payload="vsock", wall=FILTER, refusal=("EAFNOSUPPORT",)),
    Attempt(
        to="change addresses and routes by netlink",
        payload="netlink_address",
        wall=CAPABILITIES,
        refusal=("EPERM",),
        whose="root",
    ),
    Attempt(
        to="dial an abstract unix socket",
        payload="unix",
        wall=NETWORK,
        refusal=("ECONNREFUSED",),
        arguments=lambda host: {"address": f"\0{host.abstract}", "say": "hello"},
        evidence="hello",
    ),
    Attempt(
        to="dial Redis and the broker by unix socket",
        payload="unix",
        wall=FILES,
        refusal=("ENOENT",),
        arguments=lambda host: {"address": str(host.valkey.socket), "say": "PING\r\n"},
        evidence="+PONG",
    ),
    Attempt(
        to="attach a lease at the proxy's control socket",
        payload="unix",
        wall=FILES,
        refusal=("ENOENT",),
        arguments=lambda host: {
            "address": str(host.settings.proxy_socket),
            "say": host.attach_order,
            "kind": "SOCK_SEQPACKET",
        },
        evidence='"event":"refused"',
        proxy=True,
    ),
    # --- other processes
    Attempt(
        to="find the worker among the processes",
        payload="see_process",
        wall=PROCESSES,
        refusal=("not listed",),
        arguments=lambda host: {"marker": host.abstract},
    ),
    Attempt(
        to="find the proxy among the processes",
        payload="see_process",
        wall=PROCESSES,
        refusal=("not listed",),
        arguments=lambda host: {"marker": "-m\0cli\0proxy"},
        proxy=True,
    ),
    Attempt(
        to="signal the worker",
        payload="signal_process",
        wall=PROCESSES,
        refusal=("ESRCH",),
        arguments=lambda host: {"pid": host.victim["pid"]},
    ),
    Attempt(
        to="signal the proxy",
        payload="signal_process",
        wall=PROCESSES,
        refusal=("ESRCH",),
        arguments=lambda host: {"pid": host.proxy_pid},
        proxy=True,
    ),
    Attempt(
        to="read the worker's environment",
        payload="read_environment",
        wall=PROCESSES,
        refusal=("ENOENT",),
        arguments=lambda host: {"pid": host.victim["pid"], "name": "INTERLOCK_TOKEN"},
        evidence=SECRET,
    ),
    Attempt(
        to="read the cloud's key in the proxy's environment",
        payload="read_environment",
        wall=PROCESSES,
        refusal=("ENOENT",),
        arguments=lambda host: {"pid": host.proxy_pid, "name": "AWS_SECRET_ACCESS_KEY"},
        evidence=PROXY_SECRET,
        proxy=True,
    ),
    Attempt(
        to="read the worker's memory through /proc",
        payload="read_memory",
        wall=PROCESSES,
        refusal=("ENOENT",),
        arguments=lambda host: {k: host.victim[k] for k in ("pid", "address")} | {"length": len(SECRET)},
        evidence=SECRET,
    ),
    Attempt(
        to="read the worker's memory by process_vm_readv",
        payload="read_across",
        wall=PROCESSES,
        refusal=("ESRCH",),
        arguments=lambda host: {k: host.victim[k] for k in ("pid", "address")} | {"length": len(SECRET)},
        evidence=SECRET,
    ),
    Attempt(
        to="write the worker's memory by process_vm_writev",
        payload="write_across",
        wall=PROCESSES,
        refusal=("ESRCH",),
        # Past the secret, which others read.
        arguments=lambda host: {"pid": host.victim["pid"], "address": host.victim["address"] + len(SECRET)},
    ),
    Attempt(
        to="trace the worker",
        payload="ptrace",
        wall=PROCESSES,
        refusal=("ESRCH",),
        arguments=lambda host: {"pid": host.victim["pid"]},
    ),
    Attempt(
        to="trace the proxy",
        payload="ptrace",
        wall=PROCESSES,
        refusal=("ESRCH",),
        arguments=lambda host: {"pid": host.proxy_pid},
        whose="root",
        proxy=True,
    ),
    Attempt(
        to="open the proxy's memory",
        payload="open_path",
        wall=PROCESSES,
        refusal=("ENOENT",),
        arguments=lambda host: {"path": f"/proc/{host.proxy_pid}/mem"},
        whose="root",
        proxy=True,
    ),
    Attempt(
        to="look at what the proxy has open",
        payload="open_path",
        wall=PROCESSES,
        refusal=("ENOENT",),
        arguments=lambda host: {"path": f"/proc/{host.proxy_pid}/fd"},
        proxy=True,
    ),
    Attempt(
        to="open what the worker has open through /proc",
        payload="read_file",
        wall=PROCESSES,
        refusal=("ENOENT",),
        arguments=lambda host: {"path": f"/proc/{host.victim['pid']}/fd/{host.victim['fd']}"},
        evidence=SECRET,
    ),
    Attempt(
        to="take a descriptor of the worker by pidfd_getfd",
        payload="take_descriptor",
        wall=PROCESSES,
        refusal=("ESRCH",),
        arguments=lambda host: {k: host.victim[k] for k in ("pid", "fd")},
        evidence=SECRET,
    ),
    Attempt(
        to="read a file through the root of any process",
        payload="search_doors",
        wall=f"{PROCESSES}; {FILES}",
        refusal=("no door",),
        arguments=lambda host: {"path": str(host.files["the worker's token"])},
        evidence=SECRET,
    ),
    Attempt(
        to="enter the host's network namespace through /proc",
        payload="enter",
        wall=PROCESSES,
        refusal=("ENOENT",),
        arguments=lambda host: {"path": f"/proc/{host.victim['pid']}/ns/net"},
        whose="root",
    ),
    Attempt(
        to="enter the host's namespaces by pidfd",
        payload="enter_by_pidfd",
        wall=PROCESSES,
        refusal=("ESRCH",),
        arguments=lambda host: {"pid": host.victim["pid"]},
        whose="root",
    ),
    Attempt(
        to="read the worker's SysV shared memory",
        payload="shared_memory",
        wall=IPC,
        refusal=("ENOENT",),
        arguments=lambda host: {"key": host.shm_key},
        evidence=SECRET,
    ),
    Attempt(
        to="read a key that the worker keeps in the kernel",
        payload="keyring",
        wall=FILTER,
        refusal=("EPERM",),
        arguments=lambda host: {"name": host.abstract},
        evidence=SECRET,
    ),
    # --- files
    *(
        Attempt(
            to=f"read {what}",
            payload="read_file",
            wall=FILES,
            refusal=("ENOENT",),
            arguments=lambda host, what=what: {"path": str(host.files[what])},
            evidence=evidence,
        )
        for what, evidence in (
            ("the worker's token", SECRET),
            ("the database", "SQLite format 3"),
            ("another run's work directory", SECRET),
            ("the user's cloud credentials", SECRET),
            ("the host's shared memory files", SECRET),
        )
    ),
    Attempt(
        to="read the proxy's CA key",
        payload="read_file",
        wall=FILES,
        refusal=("ENOENT",),
        arguments=lambda host: {"path": str(host.settings.ca_dir / "mitmproxy-ca.pem")},
        evidence="PRIVATE KEY",
        proxy=True,
    ),
    Attempt(
        to="read the host's password hashes",
        payload="read_file",
        wall=FILES,
        refusal=("ENOENT",),
        arguments=lambda host: {"path": "/etc/shadow"},
        evidence="root:",
        whose="root",
    ),
    Attempt(
        to="follow a symbolic link out of the work directory",
        payload="read_by_symlink",
        wall=FILES,
        refusal=("ENOENT",),
        arguments=lambda host: {"path": str(host.files["the worker's token"])},
        evidence=SECRET,
    ),
    Attempt(
        to="hard-link a file of the host into the work directory",
        payload="read_by_hard_link",
        wall=FILES,
        refusal=("ENOENT",),
        arguments=lambda host: {"path": str(host.files["the worker's token"])},
        evidence=SECRET,
    ),
    Attempt(
        to="open a file of the work directory's file system by its handle",
        payload="read_by_handle",
        wall=CAPABILITIES,
        refusal=("EPERM",),
        arguments=lambda host: host.handle(host.files["the worker's token"]),
        evidence=SECRET,
        whose="root",
    ),
    Attempt(
        to="make the worker wait by a lease on a file",
        payload="hold_lease",
        wall=FILTER,
        refusal=("EPERM",),
        arguments=lambda host: {"path": "errored.tfstate"},
    ),
    Attempt(to="fill the disk with one file", payload="huge_file", wall=BOUND, refusal=("EFBIG",)),
    Attempt(
        to="read the devices' tree in /sys",
        payload="read_file",
        wall=FILES,
        refusal=("ENOENT",),
        arguments=lambda host: {"path": "/sys/class/net/lo/address"},
        evidence="00:00",
    ),
    Attempt(
        to="open a device of the host",
        payload="open_path",
        wall=FILES,
        refusal=("ENOENT",),
        arguments=lambda host: {"path": "/dev/kmsg"},
        whose="root",
    ),
    Attempt(to="make a device", payload="make_device", wall=CAPABILITIES, refusal=("EPERM",), whose="root"),
    Attempt(
        to="run a program with its owner's rights",
        payload="set_user_id",
        wall=NO_NEW_PRIVILEGES,
        refusal=("no new right",),
        arguments=lambda host: {"path": host.set_user_id},
        whose="not root",
    ),
    # --- the kernel
    Attempt(
        to="make a user namespace of its own",
        payload="user_namespace",
        wall=f"{NESTING}, {CAPABILITIES}",
        refusal=("ENOSPC", "EPERM"),
    ),
    Attempt(to="mount a file system", payload="mount", wall=CAPABILITIES, refusal=("EPERM",), whose="root"),
    Attempt(
        to="mount by fsopen",
        payload="mount_by_descriptor",
        wall=CAPABILITIES,
        refusal=("EPERM",),
        whose="root",
    ),
    Attempt(to="change its root", payload="change_root", wall=CAPABILITIES, refusal=("EPERM",), whose="root"),
    Attempt(
        to="set the host's core_pattern",
        payload="write_back",
        wall=READ_ONLY,
        refusal=("EROFS",),
        arguments=lambda host: {"path": "/proc/sys/kernel/core_pattern"},
        whose="root",
    ),
    Attempt(
        to="change the rate of the host's clocks",
        payload="clock_rate",
        wall=CAPABILITIES,
        refusal=("EPERM",),
        whose="root",
    ),
    Attempt(
        to="read the kernel's log",
        payload="kernel_log",
        wall=f"{FILTER}, {CAPABILITIES}",
        refusal=("EPERM",),
        whose="root",
    ),
    Attempt(to="load a BPF map", payload="bpf", wall=FILTER, refusal=("EPERM",), whose="root"),
    Attempt(to="watch the kernel by perf events", payload="perf_event", wall=FILTER, refusal=("EPERM",), whose="root"),
    Attempt(to="call past the filter by io_uring", payload="io_uring", wall=FILTER, refusal=("ENOSYS",)),
    Attempt(to="stall the kernel by userfaultfd", payload="user_fault", wall=FILTER, refusal=("EPERM",), whose="root"),
    Attempt(
        to="crash into the host's core dump handler",
        payload="have_a_crash_handled",
        wall=f"a limit, kept by the {FILTER}",
        refusal=("EPERM",),
    ),
    Attempt(
        to="start tasks without end",
        payload="many_threads",
        wall=BOUND,
        refusal=("EAGAIN",),
        arguments=lambda host: {"count": MAX_PROCESSES + 100},
        # The kernel exempts the user id 0 of the host from this limit.
        whose="not root",
    ),
    Attempt(
        to="fill the host's memory through /dev/shm",
        payload="fill_memory",
        wall=BOUND,
        refusal=("ENOSPC",),
        arguments=lambda host: {"path": "/dev/shm/interlock-escape", "size": 128 * 2**20},
    ),
    Attempt(
        to="fill the host's memory through /dev",
        payload="fill_memory",
        wall=BOUND,
        refusal=("EROFS", "EACCES"),
        arguments=lambda host: {"path": "/dev/interlock-escape", "size": 2**20},
        whose="root",
    ),
)
