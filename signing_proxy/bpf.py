"""The few calls of bpf(2) that the kernel gate makes, and its program, assembled by hand. No library, no compiler.

The program runs for every packet that a socket of the attached cgroup sends, after routing, retransmissions included
(``__ip_finish_output`` calls it). In words::

    lease := sockets[cookie of the packet's socket]    none: not one of ours, send it
    until := leases[lease]                             none: the gate is shut
    boot clock < until: send it
    a reset without a byte of data: send it            so that the other side learns of the cut
    else: count it, drop it

See include/uapi/linux/bpf.h for the layouts and Documentation/bpf/standardization/instruction-set.rst for the encoding.
"""

import ctypes
import os
import platform
import struct
from typing import Any, Final

_SYSCALL: Final = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432  # the same on every architecture
_FSCONFIG_CREATE, _CLOEXEC = 6, 1
_MAP_CREATE, _MAP_LOOKUP, _MAP_UPDATE, _MAP_DELETE, _PROG_LOAD, _LINK_CREATE = 0, 1, 2, 3, 5, 28
_HASH, _ARRAY = 1, 2
_NO_PREALLOC = 1
_CGROUP_SKB, _CGROUP_INET_EGRESS = 8, 1
_LICENSE = ctypes.create_string_buffer(b"Apache-2.0")
_LOG_BYTES = 64 * 1024

_libc = ctypes.CDLL(None, use_errno=True)


class Map:
    """A map from numbers to numbers of 64 bit (an array: from numbers of 32 bit). Every method raises OSError."""

    def __init__(self, name: str, *, entries: int, array: bool = False) -> None:
        self._key = "=I" if array else "=Q"
        flags = 0 if array else _NO_PREALLOC
        kind, key_bytes = (_ARRAY, 4) if array else (_HASH, 8)
        attributes = struct.pack("=IIIIIII16s", kind, key_bytes, 8, entries, flags, 0, 0, name.encode())
        self.fd = _bpf(_MAP_CREATE, attributes)
        self._keys = ctypes.create_string_buffer(8)
        self._values = ctypes.create_string_buffer(8)

    def __setitem__(self, key: int, value: int) -> None:
        struct.pack_into("=Q", self._values, 0, value)
        self._operate(_MAP_UPDATE, key)

    def __getitem__(self, key: int) -> int:
        self._operate(_MAP_LOOKUP, key)
        return int(struct.unpack("=Q", self._values)[0])

    def discard(self, key: int) -> None:
        """Delete a key, if it is there."""
        try:
            self._operate(_MAP_DELETE, key)
        except FileNotFoundError:
            pass

    def close(self) -> None:
        """Let go of it; the kernel frees it with its last user. Whatever is done with it afterwards raises."""
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1  # the number will be another file's

    def _operate(self, command: int, key: int) -> None:
        struct.pack_into(self._key, self._keys, 0, key)
        value = 0 if command == _MAP_DELETE else ctypes.addressof(self._values)
        _bpf(command, struct.pack("=iIQQQ", self.fd, 0, ctypes.addressof(self._keys), value, 0))


def load_program(sockets: Map, leases: Map, withheld: Map) -> int:
    """The verified program; its descriptor. Raises OSError, with the verifier's last words where it has some."""
    code = _program(sockets.fd, leases.fd, withheld.fd)
    instructions = ctypes.create_string_buffer(code, len(code))
    log = ctypes.create_string_buffer(_LOG_BYTES)
    attributes = struct.pack(
        "=IIQQIIQII16sII",
        _CGROUP_SKB,
        len(code) // 8,
        ctypes.addressof(instructions),
        ctypes.addressof(_LICENSE),
        1,
        _LOG_BYTES,
        ctypes.addressof(log),
        0,
        0,
        b"interlock_gate",
        0,
        _CGROUP_INET_EGRESS,
    )
    try:
        return _bpf(_PROG_LOAD, attributes)
    except OSError as error:
        words = log.value.decode("ascii", "replace").strip().splitlines()
        raise OSError(error.errno, f"{error.strerror}: {' / '.join(words[-3:])}" if words else error.strerror) from None


def attach_to_cgroup(program: int, cgroup: int) -> int:
    """Run the program for what the sockets of a cgroup and those below it send. The attachment ends with the
    descriptor returned, hence at the latest with this process. Raises OSError.
    """
    return _bpf(_LINK_CREATE, struct.pack("=IIII16s", program, cgroup, _CGROUP_INET_EGRESS, 0, b""))


def mount_cgroups() -> int:
    """The root of this process's view of cgroup v2, mounted where nobody sees it; a directory's descriptor.

    For processes in whose mount namespace it is not mounted, as under ``ip netns exec``. Needs CAP_SYS_ADMIN. Raises
    OSError.
    """
    context = _call(_FSOPEN, ctypes.c_char_p(b"cgroup2"), ctypes.c_uint(_CLOEXEC))
    try:
        nothing = ctypes.c_void_p()
        _call(_FSCONFIG, ctypes.c_int(context), ctypes.c_uint(_FSCONFIG_CREATE), nothing, nothing, ctypes.c_int(0))
        mount = _call(_FSMOUNT, ctypes.c_int(context), ctypes.c_uint(_CLOEXEC), ctypes.c_uint(0))
    finally:
        os.close(context)
    try:
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=mount)
    finally:
        os.close(mount)


def _bpf(command: int, attributes: bytes) -> int:
    number = _SYSCALL.get(platform.machine())
    if number is None:
        raise OSError(f"the number of bpf(2) on {platform.machine()} is not known here")
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    return _call(number, ctypes.c_int(command), buffer, ctypes.c_uint(len(attributes)))


def _call(number: int, *arguments: Any) -> int:
    result: int = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


# --- the program

_R0, _R1, _R2, _R3, _R4, _R6, _R7, _R8, _R10 = 0, 1, 2, 3, 4, 6, 7, 8, 10
_LOOKUP, _LOAD_BYTES, _COOKIE, _BOOT_NS = 1, 26, 46, 125
_CALL, _EXIT, _JUMP = 0x85, 0x95, 0x05
_MOVE, _MOVE_N, _ADD, _ADD_N, _AND_N, _LEFT_N, _RIGHT_N = 0xBF, 0xB7, 0x0F, 0x07, 0x57, 0x67, 0x77
_IF_EQ_N, _IF_NE_N, _IF_NE, _IF_LT = 0x15, 0x55, 0x5D, 0xAD
_READ_B, _READ_W, _READ_D, _WRITE_D, _ATOMIC_D, _MAP_FD = 0x71, 0x61, 0x79, 0x7B, 0xDB, 0x18
_SKB_LEN = 0  # offset of len in struct __sk_buff
_TCP = 6

_Step = tuple[int, int, int, int | str, int] | str
"""Operation, destination, source, offset or the label to jump to, number; or a label."""


def _map(register: int, fd: int) -> list[_Step]:
    return [(_MAP_FD, register, 1, 0, fd), (0, 0, 0, 0, 0)]


def _read_packet(offset_register: int | None, at: int, size: int) -> list[_Step]:
    """Copy bytes of the packet to the stack at -24; a packet that is too short is dropped."""
    offset: list[_Step] = [(_MOVE_N, _R2, 0, 0, at)]
    if offset_register is not None:
        offset = [(_MOVE, _R2, offset_register, 0, 0), (_ADD_N, _R2, 0, 0, at)]
    return [
        (_MOVE, _R1, _R6, 0, 0),
        *offset,
        (_MOVE, _R3, _R10, 0, 0),
        (_ADD_N, _R3, 0, 0, -24),
        (_MOVE_N, _R4, 0, 0, size),
        (_CALL, 0, 0, 0, _LOAD_BYTES),
        (_IF_NE_N, _R0, 0, "drop", 0),
    ]


def _program(sockets: int, leases: int, withheld: int) -> bytes:
    return _assemble(
        [
            (_MOVE, _R6, _R1, 0, 0),
            (_CALL, 0, 0, 0, _COOKIE),
            (_WRITE_D, _R10, _R0, -8, 0),
            *_map(_R1, sockets),
            (_MOVE, _R2, _R10, 0, 0),
            (_ADD_N, _R2, 0, 0, -8),
            (_CALL, 0, 0, 0, _LOOKUP),
            (_IF_EQ_N, _R0, 0, "send", 0),
            (_READ_D, _R1, _R0, 0, 0),
            (_WRITE_D, _R10, _R1, -16, 0),
            *_map(_R1, leases),
            (_MOVE, _R2, _R10, 0, 0),
            (_ADD_N, _R2, 0, 0, -16),
            (_CALL, 0, 0, 0, _LOOKUP),
            (_IF_EQ_N, _R0, 0, "shut", 0),
            (_READ_D, _R7, _R0, 0, 0),
            (_CALL, 0, 0, 0, _BOOT_NS),
            (_IF_LT, _R0, _R7, "send", 0),
            "shut",
            # Where does the TCP header begin? In r8.
            *_read_packet(None, 0, 10),
            (_READ_B, _R8, _R10, -24, 0),
            (_MOVE, _R1, _R8, 0, 0),
            (_RIGHT_N, _R1, 0, 0, 4),
            (_IF_EQ_N, _R1, 0, "ipv4", 4),
            (_IF_NE_N, _R1, 0, "drop", 6),
            (_READ_B, _R1, _R10, -18, 0),
            (_MOVE_N, _R8, 0, 0, 40),
            (_JUMP, 0, 0, "tcp", 0),
            "ipv4",
            (_READ_B, _R1, _R10, -15, 0),
            (_AND_N, _R8, 0, 0, 15),
            (_LEFT_N, _R8, 0, 0, 2),
            "tcp",
            (_IF_NE_N, _R1, 0, "drop", _TCP),
            *_read_packet(_R8, 12, 2),
            (_READ_B, _R1, _R10, -23, 0),
            (_AND_N, _R1, 0, 0, 0b111),
            (_IF_NE_N, _R1, 0, "drop", 0b100),  # FIN, SYN, RST: only the last one
            (_READ_B, _R1, _R10, -24, 0),
            (_RIGHT_N, _R1, 0, 0, 4),
            (_LEFT_N, _R1, 0, 0, 2),
            (_ADD, _R8, _R1, 0, 0),
            (_READ_W, _R1, _R6, _SKB_LEN, 0),
            (_IF_NE, _R1, _R8, "drop", 0),  # there is more than the two headers
            "send",
            (_MOVE_N, _R0, 0, 0, 1),
            (_EXIT, 0, 0, 0, 0),
            "drop",
            (_MOVE_N, _R1, 0, 0, 0),
            (_WRITE_D, _R10, _R1, -8, 0),
            *_map(_R1, withheld),
            (_MOVE, _R2, _R10, 0, 0),
            (_ADD_N, _R2, 0, 0, -8),
            (_CALL, 0, 0, 0, _LOOKUP),
            (_IF_EQ_N, _R0, 0, "counted", 0),
            (_MOVE_N, _R1, 0, 0, 1),
            (_ATOMIC_D, _R0, _R1, 0, 0),
            "counted",
            (_MOVE_N, _R0, 0, 0, 0),
            (_EXIT, 0, 0, 0, 0),
        ]
    )


def _assemble(steps: list[_Step]) -> bytes:
    labels: dict[str, int] = {}
    position = 0
    for step in steps:
        if isinstance(step, str):
            labels[step] = position
        else:
            position += 1
    code = b""
    for step in steps:
        if not isinstance(step, str):
            operation, destination, source, offset, number = step
            jump = labels[offset] - len(code) // 8 - 1 if isinstance(offset, str) else offset
            code += struct.pack("=BBhi", operation, destination | source << 4, jump, number)
    return code
