"""Child processes of `interlock up`: started, their output prefixed, restarted, stopped in order.

The only module of the command line that starts processes. One thread does everything: a child is forked with a
pre-exec hook, which is only sound while no other thread can hold a lock.

Every child has a death plan. A clean stop sends SIGTERM, waits a bound, then SIGKILL. Should the supervisor itself be
killed, the kernel sends each child SIGTERM (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from cli.up_plan import STOP_BOUND_S, STOP_ORDER, ChildPlan, RestartPolicy
from shared import exit_codes
from shared.clock import Clock
from shared.errors import ConfigurationError, InterlockError, Unavailable

PR_SET_PDEATHSIG = 1
READ_BYTES = 64 * 1024
# A child that writes no newline must not fill our memory.
MAX_LINE_BYTES = 64 * 1024
LAST_LINES = 12
PUMP_S = 0.1
# The palette of the prefixes; red is left for errors.
COLOURS = {"valkey": "35", "server": "36", "beat": "34", "proxy": "33", "worker": "32"}

_libc = ctypes.CDLL(None, use_errno=True)


class ChildError(InterlockError):
    """A child ended before it was ready, did not become ready in time, or died too often."""


_REFUSALS: Mapping[int, type[InterlockError]] = {
    exit_codes.USAGE: ConfigurationError,
    exit_codes.UNAVAILABLE: Unavailable,
}


@dataclass(kw_only=True)
class Child:
    """One running (or dead and waiting to be restarted) child."""

    plan: ChildPlan
    """How it is started."""
    process: subprocess.Popen[bytes]
    """The current process."""
    started_ms: int
    """Boot clock at its start."""
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    """Decides about restarts."""
    restart_at_ms: int | None = None
    """Boot clock of the planned restart while it is dead."""
    partial: bytes = b""
    """Output since the last newline."""
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    """Its last words, for the message about its death."""


class Supervisor:
    """Starts, watches and stops children. Single-threaded; every wait goes through `pump`."""

    def __init__(self, clock: Clock, *, colour: bool) -> None:
        self._clock = clock
        self._colour = colour
        self._selector = selectors.DefaultSelector()
        self._children: dict[str, Child] = {}
        self._stop_requests = 0
        self._muted = False

    @property
    def stop_requested(self) -> bool:
        """Whether SIGINT or SIGTERM arrived."""
        return self._stop_requests > 0

    def pids(self) -> dict[str, int]:
        """Process id of each child by name."""
        return {name: child.process.pid for name, child in self._children.items()}

    def install_signal_handlers(self) -> None:
        """SIGINT, SIGTERM and SIGHUP ask for a stop; another one while stopping kills what is being waited for."""

        def on_signal(number: int, frame: FrameType | None) -> None:
            self._stop_requests += 1

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, on_signal)

    def start(self, plan: ChildPlan) -> None:
        """Start one child. Raises ChildError when its program cannot be executed."""
        process = self._spawn(plan)
        self._children[plan.name] = Child(plan=plan, process=process, started_ms=self._clock.boot_ms())

    def wait_ready(self, name: str, is_ready: Callable[[], bool], *, bound_s: int) -> bool:
        """Wait until `is_ready()`. False when a stop was asked for meanwhile.

        Raises ChildError when any child ends meanwhile or this one is not ready within `bound_s` seconds;
        ConfigurationError or Unavailable when that is what the child's exit code says.
        """
        child = self._children[name]
        deadline_ms = self._clock.boot_ms() + bound_s * 1000
        while not self.stop_requested:
            self.pump(PUMP_S)
            for other in self._children.values():
                if other.process.poll() is not None:
                    self._drain(other)
                    # What it refused is what we refuse: a setting stays a setting, an absent peer stays absent.
                    kind = _REFUSALS.get(other.process.returncode, ChildError)
                    raise kind(
                        f"{other.plan.name} ended with {describe_exit(other.process.returncode)} during the start",
                        hint=_last_words(other),
                    )
            if is_ready():
                return True
            if self._clock.boot_ms() > deadline_ms:
                raise ChildError(f"{name} was not ready after {bound_s} s", hint=_last_words(child))
        return False

    def run(self) -> None:
        """Keep the children running until a stop is asked for. Raises ChildError when one dies too often."""
        while not self.stop_requested:
            self.pump(PUMP_S)
            for child in self._children.values():
                self._watch(child)

    def stop(self) -> None:
        """End all children in stop order, each within its bound."""
        for name in STOP_ORDER:
            child = self._children.get(name)
            if child is not None:
                self._stop_one(child)

    def close(self) -> None:
        """Free what the supervisor itself holds, after `stop`."""
        self._selector.close()

    def pump(self, timeout_s: float) -> None:
        """Pass on what the children wrote, waiting at most `timeout_s` for the first of it."""
        if not self._selector.get_map():
            # Nothing to read from: select() would return at once and the caller's loop would spin.
            time.sleep(timeout_s)
            return
        for key, _ in self._selector.select(timeout_s):
            self._read(key.data, key.fd)

    def say(self, name: str, text: str) -> None:
        """A line of our own in the stream of prefixed lines."""
        self._write_line(name, text)

    def _spawn(self, plan: ChildPlan) -> subprocess.Popen[bytes]:
        parent_pid = os.getpid()

        def die_with_parent() -> None:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
            if os.getppid() != parent_pid:
                # The supervisor died between fork and prctl: no signal will come.
                os._exit(1)

        try:
            process = subprocess.Popen(
                plan.argv,
                env=dict(plan.environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                # A session of its own: Ctrl-C reaches only the supervisor, which stops the children in order.
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        except OSError as error:
            raise ChildError(
                f"{plan.name} could not be started: {plan.argv[0]}: {error.strerror}",
                hint="`interlock doctor` checks every program that is needed",
            ) from error
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            # At most a few hundred bytes, less than any pipe holds.
            process.stdin.write(plan.stdin)
            process.stdin.close()
        except BrokenPipeError:
            # It ended at once; whoever waits for it reports that, with its last words.
            pass
        os.set_blocking(process.stdout.fileno(), False)
        self._selector.register(process.stdout.fileno(), selectors.EVENT_READ, plan.name)
        return process

    def _read(self, name: str, descriptor: int) -> bool:
        """Pass on one piece of output; False at its end."""
        child = self._children.get(name)
        try:
            piece = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return True
        if not piece:
            self._selector.unregister(descriptor)
        if child is None:
            return bool(piece)
        *lines, child.partial = (child.partial + piece).split(b"\n")
        if child.partial and (not piece or len(child.partial) > MAX_LINE_BYTES):
            lines, child.partial = [*lines, child.partial], b""
        for line in lines:
            text = line.decode("utf-8", "replace").rstrip("\r")
            child.last_lines.append(text)
            self._write_line(name, text)
        return bool(piece)

    def _drain(self, child: Child) -> None:
        """Read what a dead child left in its pipe; a grandchild that holds the pipe open is not waited for."""
        assert child.process.stdout is not None
        descriptor = child.process.stdout.fileno()
        while descriptor in self._selector.get_map():
            if not any(key.fd == descriptor for key, _ in self._selector.select(0)):
                self._selector.unregister(descriptor)
                break
            self._read(child.plan.name, descriptor)

    def _watch(self, child: Child) -> None:
        name, now_ms = child.plan.name, self._clock.boot_ms()
        if child.restart_at_ms is not None:
            if now_ms >= child.restart_at_ms:
                child.process = self._spawn(child.plan)
                child.started_ms, child.restart_at_ms = now_ms, None
                self.say(name, f"restarted (pid {child.process.pid})")
            return
        if child.process.poll() is None:
            return
        self._close(child)
        delay_ms = child.policy.on_death(lived_ms=now_ms - child.started_ms)
        ended = f"{name} ended with {describe_exit(child.process.returncode)}"
        if delay_ms is None:
            raise ChildError(f"{ended} for the {child.policy.early_deaths}th time", hint=_last_words(child))
        self.say(name, f"{ended}; starting it again in {delay_ms} ms")
        child.restart_at_ms = now_ms + delay_ms

    def _stop_one(self, child: Child) -> None:
        name, requests_before = child.plan.name, self._stop_requests
        if child.restart_at_ms is None and child.process.poll() is None:
            self.say(name, f"stopping (pid {child.process.pid})")
            child.process.terminate()
            deadline_ms = self._clock.boot_ms() + STOP_BOUND_S[name] * 1000
            while child.process.poll() is None:
                self.pump(PUMP_S)
                impatient = self._stop_requests > requests_before
                if impatient or self._clock.boot_ms() > deadline_ms:
                    self.say(name, f"killing (pid {child.process.pid})")
                    child.process.kill()
                    child.process.wait()
        self._close(child)

    def _close(self, child: Child) -> None:
        assert child.process.stdout is not None
        if not child.process.stdout.closed:
            self._drain(child)
            child.process.stdout.close()

    def _write_line(self, name: str, text: str) -> None:
        if self._muted:
            return
        prefix = f"{name:<7}|"
        if self._colour:
            prefix = f"\x1b[{COLOURS.get(name, '37')}m{prefix}\x1b[0m"
        try:
            sys.stderr.write(f"{prefix} {text}\n")
            sys.stderr.flush()
        except OSError:
            # Nobody reads our log any more (a closed pipe, a terminal that hung up).
            # The children must still be watched and stopped.
            self._muted = True


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """What a short command did."""

    exit_code: int | None
    """Its exit code; None when it could not be started or did not end in time."""
    output: str
    """stdout and stderr together, or what went wrong."""


def probe(argv: Sequence[str], *, timeout_s: float, environment: Iterable[tuple[str, str]] = ()) -> ProbeResult:
    """Run a short command to its end and keep what it said; killed after `timeout_s`. Never raises for its failure."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            env={**os.environ, **dict(environment)},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ProbeResult(exit_code=None, output=f"did not end within {timeout_s:.0f} s")
    except OSError as error:
        return ProbeResult(exit_code=None, output=f"{argv[0]}: {error.strerror}")
    return ProbeResult(exit_code=done.returncode, output=done.stdout.decode("utf-8", "replace").strip())


def describe_exit(code: int) -> str:
    """An exit code in words: `exit code 1`, or the name of the signal that ended it."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _last_words(child: Child) -> str:
    lines = [line for line in child.last_lines if line.strip()]
    return "its last lines:\n" + "\n".join(f"  {line}" for line in lines) if lines else "it wrote nothing"
