"""The first process inside the sandbox: it opens the only way out, then starts commands for the supervisor outside.

Run by file name with `python -I -S`, so it imports the standard library and nothing else. It talks with the supervisor
over one inherited SOCK_SEQPACKET socket, one JSON object a packet:

    shim ->        {"event": "listening", "port": n}   with the listening socket attached
    supervisor ->  {"op": "run", "argv": [...], "env": {...}}   with the files for stdout and stderr attached
    shim ->        {"event": "started", "pid": n}  |  {"event": "failed", "message": "..."}
    supervisor ->  {"op": "signal", "signal": n}   passed to the running command's process, to no other
    supervisor ->  {"op": "kill"}                  SIGKILL to the running command's process group
    shim ->        {"event": "exited", "code": n}  negative: the signal that ended it

One command runs at a time, and all of them share the network namespace and so the listener. End of file on the socket
means that the supervisor is dead: the command's group is killed and the shim ends, which ends the sandbox.
A command can attack this process (same user, same namespace) and gain only the power to misreport itself.
"""

from __future__ import annotations

import array
import json
import os
import resource
import select
import signal
import socket
import sys

MAX_PACKET_BYTES = 128 * 1024
# The listener's backlog: Terraform opens a connection per provider call, ten at a time by default.
BACKLOG = 256
# No file of a run, its log included, grows beyond this: a run may fill its own share of the disk, not the disk.
MAX_FILE_BYTES = 4 * 1024**3
# Processes and threads of one sandbox. Linux counts them for each user namespace since 5.14 (before, for the user),
# and not at all for the host's root. Terraform with ten providers has a few hundred.
MAX_PROCESSES = 4096
_FD_BYTES = array.array("i").itemsize


def main(control: socket.socket, port: int | None) -> int:
    """Serve the supervisor until it closes `control`.

    Args:
        control: the inherited end of the socket pair.
        port: where to listen on the namespace's loopback; None opens no listener (no sandbox to leave).
    """
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, MAX_FILE_BYTES))
    if port is not None:
        resource.setrlimit(resource.RLIMIT_NPROC, (MAX_PROCESSES, MAX_PROCESSES))
    # A pool child of Celery ignores SIGINT and its children inherit that; SIGCHLD has to interrupt the wait below.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if port is not None:
        _offer_listener(control, port)
    child: int | None = None
    poller = select.poll()
    poller.register(control, select.POLLIN)
    poller.register(wake_read, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poller.poll()}
        if wake_read in ready:
            os.read(wake_read, 4096)
        if child is not None:
            reaped, status = os.waitpid(child, os.WNOHANG)
            if reaped:
                child = None
                _send(control, {"event": "exited", "code": os.waitstatus_to_exitcode(status)})
        if control.fileno() not in ready:
            continue
        order, fds = _receive(control)
        if order is None:
            if child is not None:
                os.killpg(child, signal.SIGKILL)
            return 0
        if order["op"] == "run" and child is None:
            child = _start(control, order, fds)
        elif order["op"] == "signal" and child is not None:
            os.kill(child, int(str(order["signal"])))
        elif order["op"] == "kill" and child is not None:
            os.killpg(child, signal.SIGKILL)
        for fd in fds:
            os.close(fd)


def _offer_listener(control: socket.socket, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen(BACKLOG)
        packet = json.dumps({"event": "listening", "port": listener.getsockname()[1]}).encode()
        rights = array.array("i", [listener.fileno()])
        control.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    # Closed here: once the proxy closes its copy too, connections are refused instead of waiting in a backlog.


def _start(control: socket.socket, order: dict[str, object], fds: list[int]) -> int | None:
    argv = [str(word) for word in order["argv"]]  # type: ignore[attr-defined]  # the supervisor sends a list
    env = {str(key): str(value) for key, value in order["env"].items()}  # type: ignore[attr-defined]  # and an object
    out, err = fds
    try:
        # The lookup of argv[0] follows the command's own PATH, not the shim's.
        os.environ["PATH"] = env.get("PATH", os.defpath)
        child = os.posix_spawnp(
            argv[0],
            argv,
            env,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, out, 1),
                (os.POSIX_SPAWN_DUP2, err, 2),
            ],
            setpgroup=0,
            setsigmask=[],
            # What the pool child ignored must not stay ignored, or the one SIGINT would be lost.
            setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGXFSZ],
        )
    except OSError as error:
        _send(control, {"event": "failed", "message": f"{argv[0]}: {error.strerror}"})
        return None
    _send(control, {"event": "started", "pid": child})
    return child


def _send(control: socket.socket, event: dict[str, object]) -> None:
    try:
        control.send(json.dumps(event).encode())
    except (BrokenPipeError, ConnectionResetError):
        pass  # the supervisor died; the next receive says so and ends the run


def _receive(control: socket.socket) -> tuple[dict[str, object] | None, list[int]]:
    try:
        packet, ancillary, _, _ = control.recvmsg(
            MAX_PACKET_BYTES, socket.CMSG_SPACE(2 * _FD_BYTES), socket.MSG_CMSG_CLOEXEC
        )
    except ConnectionResetError:
        return None, []  # how end of file reads when the supervisor left with an event of ours unread
    fds = array.array("i")
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(payload[: len(payload) - len(payload) % _FD_BYTES])
    return (json.loads(packet) if packet else None), list(fds)


if __name__ == "__main__":
    # Inherited through bubblewrap, so open across exec; a command must not get it.
    os.set_inheritable(int(sys.argv[1]), False)
    sys.exit(main(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]) if sys.argv[2] != "-" else None))
