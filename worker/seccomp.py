"""The system calls that a provisioner never needs, as a seccomp filter for bubblewrap's --seccomp.

Namespaces and dropped capabilities close every other way out; what they leave open is here: socket families that a
network namespace does not contain (AF_VSOCK reaches the hypervisor), io_uring (it opens sockets past a filter on
socket(2)), kernel keyrings (not a namespace of their own), the kernel's log, file leases (whoever holds one on the
run's log makes the worker's next open of it wait for 45 s), the limit that keeps the host's core dump handler away
(worker/sandbox.py sets it, and a lower one would lift it), and the foreign system-call tables by which a filter written
for one table is evaded.

Numbers: include/uapi/asm-generic/unistd.h and arch/x86/entry/syscalls/syscall_64.tbl of the Linux source.
"""

from __future__ import annotations

import errno
import platform
import struct
from dataclasses import dataclass

# linux/bpf_common.h, linux/seccomp.h
_LOAD_WORD = 0x20
_JUMP_EQUAL = 0x15
_JUMP_GREATER_OR_EQUAL = 0x35
_RETURN = 0x06
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
# struct seccomp_data: nr at 0, arch at 4, args from 16 on, eight bytes each (low half first on little-endian machines).
_NR, _ARCH, _ARG0, _ARG1, _ARG2, _ARG2_HIGH = 0, 4, 16, 24, 32, 36
# The x32 table of x86-64 shares its arch value and sets this bit in the number.
_X32_BIT = 0x40000000

# AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: all four live inside the network namespace or the mount namespace.
ALLOWED_FAMILIES = (1, 2, 10, 16)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One processor architecture's names for what the filter speaks of."""

    audit_arch: int
    """AUDIT_ARCH_* of linux/audit.h."""
    socket: int
    """The number of socket(2)."""
    fcntl: int
    """The number of fcntl(2)."""
    setrlimit: int
    """The number of setrlimit(2)."""
    prlimit: int
    """The number of prlimit64(2)."""
    denied: tuple[int, ...]
    """Refused with EPERM: syslog, add_key, request_key, keyctl, perf_event_open, bpf, userfaultfd."""
    has_x32: bool
    """Whether a second table hides behind `_X32_BIT`."""


# F_SETLEASE of include/uapi/linux/fcntl.h: 1024 + 0.
SET_LEASE = 1024

# asm-generic/resource.h
RLIMIT_CORE = 4

# Refused with ENOSYS, so that programs fall back to epoll: io_uring_setup, _enter, _register; equal on all machines.
IO_URING = (425, 426, 427)

MACHINES = {
    "x86_64": Machine(
        audit_arch=0xC000003E,
        socket=41,
        fcntl=72,
        setrlimit=160,
        prlimit=302,
        denied=(103, 248, 249, 250, 298, 321, 323),
        has_x32=True,
    ),
    "aarch64": Machine(
        audit_arch=0xC00000B7,
        socket=198,
        fcntl=25,
        setrlimit=164,
        prlimit=261,
        denied=(116, 217, 218, 219, 241, 280, 282),
        has_x32=False,
    ),
}


def filter_program(machine: str | None = None) -> bytes | None:
    """The filter as an array of struct sock_filter.

    Args:
        machine: the name that `uname -m` prints; default: this machine's.

    Returns:
        The program, or None for an architecture that is not in the table (the caller says so in its log).
    """
    names = MACHINES.get(machine or platform.machine())
    if names is None:
        return None
    program = [
        _load(_ARCH),
        *_unless_equal(names.audit_arch, errno.EPERM),
        _load(_NR),
    ]
    if names.has_x32:
        program += [_jump(_JUMP_GREATER_OR_EQUAL, _X32_BIT, 0, 1), _refuse(errno.ENOSYS)]
    for number in IO_URING:
        program += _if_equal(number, errno.ENOSYS)
    for number in names.denied:
        program += _if_equal(number, errno.EPERM)
    program += _only(names.fcntl, [_load(_ARG1), *_if_equal(SET_LEASE, errno.EPERM)])
    program += _only(names.setrlimit, [_load(_ARG0), *_if_equal(RLIMIT_CORE, errno.EPERM)])
    # Without a new limit, a pointer of two zero halves, it only reads.
    sets = [_load(_ARG2), *_unless_equal(0, errno.EPERM), _load(_ARG2_HIGH), *_unless_equal(0, errno.EPERM)]
    program += _only(names.prlimit, [_load(_ARG1), _jump(_JUMP_EQUAL, RLIMIT_CORE, 0, len(sets)), *sets])
    # Not socket(2): skip the load, the family tests and the refusal.
    program += [_jump(_JUMP_EQUAL, names.socket, 0, 2 + len(ALLOWED_FAMILIES)), _load(_ARG0)]
    for position, family in enumerate(ALLOWED_FAMILIES):
        program.append(_jump(_JUMP_EQUAL, family, len(ALLOWED_FAMILIES) - position, 0))
    program += [_refuse(errno.EAFNOSUPPORT), _instruction(_RETURN, 0, 0, _ALLOW)]
    return b"".join(program)


def _instruction(code: int, if_true: int, if_false: int, operand: int) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)


def _load(offset: int) -> bytes:
    return _instruction(_LOAD_WORD, 0, 0, offset)


def _jump(code: int, operand: int, if_true: int, if_false: int) -> bytes:
    return _instruction(code, if_true, if_false, operand)


def _refuse(number: int) -> bytes:
    return _instruction(_RETURN, 0, 0, _ERRNO | number)


def _only(number: int, checks: list[bytes]) -> list[bytes]:
    """Checks of one system call's arguments; what passes them is allowed, for its number is no longer loaded."""
    return [_jump(_JUMP_EQUAL, number, 0, len(checks) + 1), *checks, _instruction(_RETURN, 0, 0, _ALLOW)]


def _if_equal(operand: int, number: int) -> list[bytes]:
    return [_jump(_JUMP_EQUAL, operand, 0, 1), _refuse(number)]


def _unless_equal(operand: int, number: int) -> list[bytes]:
    return [_jump(_JUMP_EQUAL, operand, 1, 0), _refuse(number)]
