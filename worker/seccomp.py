"""The system calls that a provisioner never needs, as a seccomp filter for bubblewrap's --seccomp.

Namespaces and dropped capabilities close every other way out; what they leave open is here: socket families that a
network namespace does not contain (AF_VSOCK reaches the hypervisor), io_uring (it opens sockets past a filter on
socket(2)), kernel keyrings (not a namespace of their own), and the foreign system-call tables by which a filter
written for one table is evaded.

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
# struct seccomp_data: nr at 0, arch at 4, args[0] at 16 (low half first on little-endian machines).
_NR, _ARCH, _ARG0 = 0, 4, 16
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
    denied: tuple[int, ...]
    """Refused with EPERM: add_key, request_key, keyctl, perf_event_open, bpf, userfaultfd."""
    has_x32: bool
    """Whether a second table hides behind `_X32_BIT`."""


# Refused with ENOSYS, so that programs fall back to epoll: io_uring_setup, _enter, _register; equal on all machines.
IO_URING = (425, 426, 427)

MACHINES = {
    "x86_64": Machine(audit_arch=0xC000003E, socket=41, denied=(248, 249, 250, 298, 321, 323), has_x32=True),
    "aarch64": Machine(audit_arch=0xC00000B7, socket=198, denied=(217, 218, 219, 241, 280, 282), has_x32=False),
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


def _if_equal(operand: int, number: int) -> list[bytes]:
    return [_jump(_JUMP_EQUAL, operand, 0, 1), _refuse(number)]


def _unless_equal(operand: int, number: int) -> list[bytes]:
    return [_jump(_JUMP_EQUAL, operand, 1, 0), _refuse(number)]
