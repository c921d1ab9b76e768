"""The partner: plain mitmproxy with an addon that looks at the lease for each request, and at nothing after that."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.integration.system import free_port
from tests.servers import wait_for

ADDON = """
import os
class PerRequest:
    def request(self, flow):
        if os.path.exists(os.environ["BENCH_ENDED"]):
            flow.kill()
        flow.request.scheme, flow.request.host, flow.request.port = "http", "127.0.0.1", int(os.environ["BENCH_CLOUD"])
    requestheaders = request
addons = [PerRequest()]
"""
CA = "mitmproxy-ca-cert.pem"


class PerRequestProxy:
    """A mitmdump process that forwards everything to `cloud_port` until `end_lease`."""

    def __init__(self, cloud_port: int) -> None:
        self.port = free_port()
        self._cloud_port = cloud_port
        self._folder = tempfile.TemporaryDirectory(prefix="il-bench-")
        self._ended = Path(self._folder.name, "ended")

    @property
    def ca(self) -> Path:
        """Its certificate."""
        return Path(self._folder.name, CA)

    def end_lease(self) -> None:
        """From now on no new request is forwarded."""
        self._ended.touch()

    def __enter__(self) -> Self:
        addon = Path(self._folder.name, "addon.py")
        addon.write_text(ADDON)
        self._process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("mitmdump")),
                "--quiet",
                f"--listen-port={self.port}",
                "--listen-host=127.0.0.1",
                f"--set=confdir={self._folder.name}",
                "--set=connection_strategy=lazy",
                "--set=stream_large_bodies=1",
                f"--scripts={addon}",
            ],
            env=os.environ | {"BENCH_ENDED": str(self._ended), "BENCH_CLOUD": str(self._cloud_port)},
            stdin=subprocess.DEVNULL,
        )
        wait_for("mitmdump", self.ca.exists)
        time.sleep(1)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait(30)
        self._folder.cleanup()
