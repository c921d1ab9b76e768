"""The attempts, each harmless where it succeeds: what is written is what was there, what is made is removed.

`python -I -S -B payloads.py NAME '{"argument": ...}'` prints {"got": ...} or {"stopped": ...}.

An attempt returns what it got hold of, and lets the kernel's refusal pass as OSError. Standard library only: this file
is copied into the sandbox. System call numbers: the tables of the Linux source, as in `worker/seccomp.py`.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import platform
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
#: name -> number on x86_64, on aarch64
NUMBERS = {
    "keyctl": (250, 219),
    "perf_event_open": (298, 241),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "fsopen": (430, 430),
    "pidfd_getfd": (438, 438),
}
PATIENCE_S = 10


class Stopped(Exception):
    """The kernel refused nothing; there was simply nothing to get."""


# --- the network


def tcp(host: str, port: int, say: str) -> str:
    with socket.create_connection((host, port), PATIENCE_S) as dialled:
        dialled.sendall(say.encode())
        return dialled.recv(64).decode().strip()


def udp(host: str, port: int, say: str) -> str:
    with socket.socket(_family(host), socket.SOCK_DGRAM) as sender:
        sender.settimeout(PATIENCE_S)
        sender.connect((host, port))
        sender.send(say.encode())
        return sender.recv(64).decode()


def dns(server: str, name: str) -> str:
    """Ask for an address record: a name is enough to carry a secret out."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    with socket.socket(_family(server), socket.SOCK_DGRAM) as sender:
        sender.settimeout(PATIENCE_S)
        sender.connect((server, 53))
        sender.send(struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!2H", 1, 1))
        return socket.inet_ntoa(sender.recv(512)[-4:])


def icmp(host: str) -> str:
    six = _family(host) is socket.AF_INET6
    request, answer = (128, 129) if six else (8, 0)
    with socket.socket(_family(host), socket.SOCK_RAW, 58 if six else 1) as raw:
        raw.settimeout(PATIENCE_S)
        head = struct.pack("!BBHHH", request, 0, 0, os.getpid() & 0xFFFF, 1)
        total = sum(struct.unpack("!4H", head))
        total = (total & 0xFFFF) + (total >> 16)
        # ICMPv6 checksums are the kernel's own work.
        raw.sendto(head if six else head[:2] + struct.pack("!H", ~total & 0xFFFF) + head[4:], (host, 0))
        while True:
            packet = raw.recv(256)
            body = packet if six else packet[(packet[0] & 15) * 4 :]
            if body[0] == answer and body[4:6] == head[4:6]:
                return "echo"


def packet_socket() -> str:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as raw:
        raw.bind(("lo", 0))
        return "bound"


def vsock() -> str:
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as made:
        made.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
        return "bound"


def unix(address: str, say: str, kind: str = "SOCK_STREAM") -> str:
    with socket.socket(socket.AF_UNIX, getattr(socket, kind)) as dialled:
        dialled.settimeout(PATIENCE_S)
        dialled.connect(address)
        dialled.send(say.encode())
        return dialled.recv(256).decode().strip()


def see_listener(port: int) -> str:
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, state = line.split()[1], line.split()[3]
        if state == "0A" and int(local.rpartition(":")[2], 16) == port:
            return "listed"
    raise Stopped("not listed")


def netlink_address() -> str:
    """Give the loopback an address, then take it away: whoever may do that may also add a route."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as routing:
        for kind, flags in ((20, 0x605), (21, 0x5)):
            body = struct.pack("=BBBBi", socket.AF_INET, 32, 0, 0, socket.if_nametoindex("lo"))
            for attribute in (1, 2):
                body += struct.pack("=HH4s", 8, attribute, socket.inet_aton("127.77.13.1"))
            routing.send(struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body)
            (code,) = struct.unpack_from("=i", routing.recv(4096), 16)
            if code:
                raise OSError(-code, os.strerror(-code))
    return "added"


# --- other processes


def see_process(marker: str) -> str:
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in line.read_bytes() and line.parent.name != str(os.getpid()):
                return "seen"
        except OSError:
            continue
    raise Stopped("not listed")


def signal_process(pid: int) -> str:
    os.kill(pid, 18)
    return "sent"


def read_memory(pid: int, address: int, length: int) -> str:
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        memory.seek(address)
        return memory.read(length).decode()


def ptrace(pid: int) -> str:
    LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    _checked(LIBC.ptrace(0x4206, pid, None, None))  # PTRACE_SEIZE: does not stop it, ends with us
    return "seized"


def _remote(name: str, pid: int, address: int, buffer: ctypes.Array[ctypes.c_char]) -> None:
    class Vector(ctypes.Structure):
        _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))

    here = Vector(ctypes.addressof(buffer), len(buffer))
    there = Vector(address, len(buffer))
    call = getattr(LIBC, name)
    call.restype = ctypes.c_ssize_t
    one, none = ctypes.c_ulong(1), ctypes.c_ulong(0)
    _checked(call(pid, ctypes.byref(here), one, ctypes.byref(there), one, none))


def read_across(pid: int, address: int, length: int) -> str:
    buffer = ctypes.create_string_buffer(length)
    _remote("process_vm_readv", pid, address, buffer)
    return buffer.raw.decode()


def write_across(pid: int, address: int) -> str:
    _remote("process_vm_writev", pid, address, ctypes.create_string_buffer(b"X", 1))
    return "written"


def take_descriptor(pid: int, fd: int) -> str:
    taken = _system_call("pidfd_getfd", os.pidfd_open(pid), fd, 0)
    return os.pread(taken, 256, 0).decode()


def search_doors(path: str) -> str:
    """A file of the host by way of any visible process's root, directory or descriptors."""
    for process in Path("/proc").glob("[0-9]*"):
        for door in (f"root{path}", f"cwd{path}", *(f"fd/{n}" for n in range(64))):
            try:
                fd = os.open(process / door, os.O_RDONLY | os.O_NONBLOCK)
                found = os.fstat(fd)
                content = os.read(fd, 256).decode(errors="replace") if stat.S_ISREG(found.st_mode) else ""
                os.close(fd)
            except OSError:
                continue
            if "secret" in content:
                return content
    raise Stopped("no door")


def enter(path: str) -> str:
    os.setns(os.open(path, os.O_RDONLY))
    return "entered"


def enter_by_pidfd(pid: int) -> str:
    os.setns(os.pidfd_open(pid), os.CLONE_NEWNET | os.CLONE_NEWIPC)
    return "entered"


# --- files


def read_file(path: str) -> str:
    return Path(path).read_bytes()[:4096].decode(errors="replace").strip()


def read_environment(pid: int, name: str) -> str:
    for line in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
        key, _, value = line.decode().partition("=")
        if key == name:
            return value
    raise Stopped("not set")


def read_by_symlink(path: str) -> str:
    Path("by-symlink").symlink_to(path)
    try:
        return read_file("by-symlink")
    finally:
        Path("by-symlink").unlink()


def read_by_hard_link(path: str) -> str:
    Path("by-hard-link").hardlink_to(path)
    try:
        return read_file("by-hard-link")
    finally:
        Path("by-hard-link").unlink()


def read_by_handle(kind: int, handle: str) -> str:
    """Open a file by its number on the file system that the work directory lies on, past every directory."""
    content = bytes.fromhex(handle)
    packed = ctypes.create_string_buffer(struct.pack("=Ii", len(content), kind) + content)
    fd = _checked(LIBC.open_by_handle_at(os.open(".", os.O_RDONLY), packed, os.O_RDONLY))
    return os.read(fd, 256).decode()


def hold_lease(path: str) -> str:
    """Make whoever opens the file for writing wait."""
    held = os.open(path, os.O_RDONLY | os.O_CREAT, 0o600)
    fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    os.close(held)
    return "held"


def huge_file() -> str:
    try:
        with Path("huge").open("wb") as file:
            file.truncate(5 * 2**30)
        return "written"
    finally:
        Path("huge").unlink()


def write_back(path: str) -> str:
    """Write a kernel setting's present value into it."""
    content = Path(path).read_text()
    Path(path).write_text(content)
    return "written"


def open_path(path: str) -> str:
    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    return "opened"


def make_device() -> str:
    os.mknod("device", stat.S_IFCHR | 0o600, os.makedev(1, 11))
    Path("device").unlink()
    return "made"


def set_user_id(path: str) -> str:
    """A program that belongs to root and takes its owner's rights (the test has put it there)."""
    uid = subprocess.run([path, "-u"], capture_output=True, text=True, check=True).stdout.strip()
    if uid == "0":
        return "root"
    raise Stopped("no new right")


# --- the kernel


def user_namespace() -> str:
    os.unshare(os.CLONE_NEWUSER)
    return "all capabilities in it"


def mount() -> str:
    os.unshare(os.CLONE_NEWNS)
    # Private first, or a host whose mounts propagate would get this one too.
    _checked(LIBC.mount(b"none", b"/", None, ctypes.c_ulong(0x44000), None))
    _checked(LIBC.mount(b"none", b".", b"tmpfs", ctypes.c_ulong(0), None))
    return "mounted"


def mount_by_descriptor() -> str:
    _system_call("fsopen", b"tmpfs", 0)
    return "opened"


def change_root() -> str:
    os.chroot(".")
    return "changed"


def bpf() -> str:
    _system_call("bpf", 0, struct.pack("=4I", 2, 4, 4, 1) + bytes(112), 128)
    return "map made"


def perf_event() -> str:
    _system_call("perf_event_open", struct.pack("=IIQ", 1, 112, 0) + bytes(96), 0, -1, -1, 0)
    return "opened"


def io_uring() -> str:
    _system_call("io_uring_setup", 1, bytes(120))
    return "made"


def user_fault() -> str:
    _system_call("userfaultfd", 0)
    return "opened"


def keyring(name: str) -> str:
    """A key that another process of this user keeps in the kernel."""
    key = _system_call("keyctl", 10, -4, b"user", name.encode(), 0)
    buffer = ctypes.create_string_buffer(256)
    length = _system_call("keyctl", 11, key, buffer, 256)
    return buffer.raw[:length].decode()


def clock_rate() -> str:
    """Set the rate of the clocks to what it is. A lease is a promise about this clock."""
    state = ctypes.create_string_buffer(208)
    _checked(LIBC.adjtimex(state))
    struct.pack_into("=I", state, 0, 0x4000)  # ADJ_TICK
    _checked(LIBC.adjtimex(state))
    return "set"


def kernel_log() -> str:
    _checked(LIBC.klogctl(3, ctypes.create_string_buffer(4096), 4096))
    return "read"


def shared_memory(key: int) -> str:
    LIBC.shmat.restype = ctypes.c_void_p
    place = LIBC.shmat(_checked(LIBC.shmget(key, 0, 0)), None, 0o10000)
    return ctypes.string_at(place).decode()


def have_a_crash_handled() -> str:
    """Whether the kernel would start the host's handler for a core dump: it does not at a limit of exactly 1."""
    before, after = (ctypes.c_ulong * 2)(), (ctypes.c_ulong * 2)(0, 0)
    _checked(LIBC.getrlimit(4, before))
    if before[0] == 1:
        _checked(LIBC.setrlimit(4, after))
    return "would be"


def many_threads(count: int) -> str:
    """Tasks without end; threads that do nothing are the cheapest kind."""
    attributes, thread = ctypes.create_string_buffer(256), ctypes.c_ulong()
    LIBC.pthread_attr_init(attributes)
    LIBC.pthread_attr_setstacksize(attributes, ctypes.c_size_t(64 * 1024))
    for _ in range(count):
        refused = LIBC.pthread_create(ctypes.byref(thread), attributes, LIBC.pause, None)
        if refused:
            raise OSError(refused, os.strerror(refused))
    return "started"


def fill_memory(path: str, size: int) -> str:
    """Fill memory through a file system that lives in it."""
    try:
        with Path(path).open("wb") as file:
            for _ in range(size // 2**20):
                file.write(bytes(2**20))
        return "filled"
    finally:
        Path(path).unlink(missing_ok=True)


# --- helpers


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _system_call(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char]) -> int:
    number = NUMBERS[name][platform.machine() == "aarch64"]
    LIBC.syscall.restype = ctypes.c_long
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    return _checked(LIBC.syscall(ctypes.c_long(number), *words))


def attempts() -> dict[str, Callable[..., str]]:
    """Every attempt by its name."""
    return {
        name: value
        for name, value in globals().items()
        if callable(value) and getattr(value, "__module__", "") == __name__ and name[0].islower() and name != "attempts"
    }


if __name__ == "__main__":
    try:
        verdict = {"got": attempts()[sys.argv[1]](**json.loads(sys.argv[2]))}
    except Stopped as wall:
        verdict = {"stopped": str(wall)}
    except OSError as refusal:
        verdict = {"stopped": errno.errorcode.get(refusal.errno or 0, type(refusal).__name__)}
    print(json.dumps(verdict))
