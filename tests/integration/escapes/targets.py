"""What is attacked. `python targets.py victim SECRET-FILE ABSTRACT-NAME SHM-KEY KEY-NAME` or `python targets.py cloud`.

The victim is a process like a worker's: it holds a secret in its memory, its environment, an open file, the kernel's
key store and shared memory, and answers on an abstract socket. The cloud answers TCP and UDP on port 7, DNS on 53.
Both say one line of JSON once they are ready and live until their standard input ends. Standard library only.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import socket
import sys
import threading
from collections.abc import Callable

SECRET = "secret-of-the-worker"
ECHO_PORT = 7
DNS_ANSWER = "192.0.2.53"


def victim(secret_file: str, abstract: str, shm_key: str, key_name: str) -> dict[str, int]:
    libc = ctypes.CDLL(None, use_errno=True)
    # Where Yama restricts ptrace to ancestors: let anybody of this user, as without Yama. Elsewhere it fails, unneeded.
    libc.prctl(0x59616D61, ctypes.c_ulong(2**64 - 1), 0, 0, 0)
    memory = ctypes.create_string_buffer(SECRET.encode())
    held = os.open(secret_file, os.O_RDONLY)
    libc.shmat.restype = ctypes.c_void_p
    segment = libc.shmget(int(shm_key), 4096, 0o1600)
    assert segment >= 0
    place = libc.shmat(segment, None, 0)
    ctypes.memmove(place, SECRET.encode() + b"\0", len(SECRET) + 1)
    add_key = 217 if platform.machine() == "aarch64" else 248
    libc.syscall(
        ctypes.c_long(add_key),
        b"user",
        key_name.encode(),
        SECRET.encode(),
        ctypes.c_size_t(len(SECRET)),
        ctypes.c_long(-4),
    )
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("\0" + abstract)
    listener.listen()
    _in_background(lambda: _answer_connections(listener))
    _kept.extend([memory, listener])
    return {"pid": os.getpid(), "address": ctypes.addressof(memory), "fd": held, "segment": segment}


def cloud() -> dict[str, int]:
    for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        stream, echo, names = (
            socket.socket(family, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_DGRAM)
        )
        for made, port in ((stream, ECHO_PORT), (echo, ECHO_PORT), (names, 53)):
            if family is socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind((host, port))
            _kept.append(made)
        stream.listen()
        _in_background(lambda stream=stream: _answer_connections(stream))
        _in_background(lambda echo=echo: _answer_datagrams(echo, lambda data: data))
        _in_background(lambda names=names: _answer_datagrams(names, _resolve))
    return {"pid": os.getpid()}


_kept: list[object] = []


def _resolve(query: bytes) -> bytes:
    answer = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(DNS_ANSWER)
    return query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:] + answer


def _in_background(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()


def _answer_connections(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(connection.recv(64) or b"nothing")


def _answer_datagrams(receiver: socket.socket, answer: Callable[[bytes], bytes]) -> None:
    while True:
        data, sender = receiver.recvfrom(512)
        receiver.sendto(answer(data), sender)


if __name__ == "__main__":
    facts = victim(*sys.argv[2:]) if sys.argv[1] == "victim" else cloud()
    print(json.dumps(facts), flush=True)
    sys.stdin.read()
    if "segment" in facts:
        ctypes.CDLL(None).shmctl(facts["segment"], 0, None)  # IPC_RMID
