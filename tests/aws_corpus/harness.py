"""Terraform with the real provider behind a real proxy, in front of the verifying cloud."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.demo.arrivals import Arrived, LogTail
from shared.lease.timing import LeaseTiming
from shared.safety.allowance import Allowance, AllowedEntry
from shared.safety.making import safety_plan
from shared.safety.plan_document import read
from tests.integration.proxy_cloud import REAL_KEY, REAL_SECRET
from tests.integration.proxy_support import ProxyThread, Worker

CONFIGURATION = Path(__file__).with_name("configuration")
COMMAND_LIMIT_S = 1800
# Nothing ends here: a machine that is busy with the provider must not lose a lease.
TIMING = LeaseTiming(ttl_ms=60_000, renew_ms=5_000, poll_ms=500, delta_ms=1_000, grace_ms=1_000, unknown_ms=5_000)


class VerifyingCloud:
    """The demo's cloud as a process, and what arrived there."""

    def __init__(self, folder: Path) -> None:
        log = folder / "cloud.jsonl"
        self._tail = LogTail(log)
        argv = [sys.executable, "-m", "deploy.demo.cloud", "--log", str(log)]
        argv += ["--access-key", REAL_KEY, "--secret-key", REAL_SECRET]
        self._process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{json.loads(self._process.stdout.readline())['port']}"

    def arrived(self) -> list[Arrived]:
        """What has arrived since the last look."""
        return [entry for entry in self._tail.read() if isinstance(entry, Arrived)]

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def verifying_cloud(folder: Path) -> Iterator[VerifyingCloud]:
    """Serve it for a while."""
    cloud = VerifyingCloud(folder)
    try:
        yield cloud
    finally:
        cloud.close()


class Terraform:
    """One working directory, and the runs that work in it one after the other, each under a lease of its own."""

    def __init__(self, folder: Path, proxy: ProxyThread, redis_url: str, plugins: Path) -> None:
        self.folder = folder
        self._proxy = proxy
        self._redis_url = redis_url
        self._plugins = plugins
        self.base = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
        }

    def init(self) -> None:
        """Make it ready; nothing is called."""
        self._terraform({}, "init", "-input=false", f"-plugin-dir={self._plugins}").check_returncode()

    @contextmanager
    def holding(self, allowance: Allowance) -> Iterator[dict[str, str]]:
        """The environment of commands that are one run, which may do what `allowance` says."""
        self._proxy.allowances.allowance_now = allowance
        with Worker(self._proxy, self._redis_url, timing=self._proxy.timing) as worker:
            yield worker.environment(self._proxy.ca)
            worker.done()

    def run(
        self, allowance: Allowance, *words: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """One command as a run that may do what `allowance` says."""
        with self.holding(allowance) as variables:
            return self._terraform({**variables, **(environment or {})}, *words)

    def state(self) -> dict[str, Any]:
        """`show -json` of the state."""
        shown = self._terraform({}, "show", "-json")
        shown.check_returncode()
        state: dict[str, Any] = json.loads(shown.stdout)
        return state

    def plan_entries(self, file: str) -> Allowance:
        """What the entries of a saved plan allow."""
        plan = safety_plan(read(self.shown(file)))
        kinds = sorted({(entry.type, entry.operation.value) for entry in plan.entries})
        return Allowance(mode="entries", entries=tuple(AllowedEntry(type=kind, operation=op) for kind, op in kinds))

    def shown(self, file: str) -> dict[str, Any]:
        """A saved plan as JSON."""
        shown = self._terraform({}, "show", "-json", file)
        shown.check_returncode()
        return dict(json.loads(shown.stdout))

    def types(self) -> set[str]:
        """The resource types in the state."""
        state = json.loads((self.folder / "terraform.tfstate").read_text())
        return {resource["type"] for resource in state["resources"] if resource["mode"] == "managed"}

    def _terraform(self, variables: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["terraform", *words],
            cwd=self.folder,
            env={**self.base, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )
