"""One universe: hosts, Redis and Interlock, kept alive from run to run and repaired in between."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Collection
from functools import partial
from pathlib import Path

from shared.lease.timing import LeaseTiming
from tests.chaos import children
from tests.chaos.evidence import NOBODY, CloudLog, Records
from tests.chaos.fleet import PARTS, TIMING, Fleet
from tests.chaos.judgement import Evidence
from tests.chaos.network import Network
from tests.chaos.redis_hosts import RedisHosts
from tests.integration.system import eventually

_READY_S = 30.0


class Universe:
    """Everything one sequence of runs needs. `close` ends each process by its id and removes each namespace."""

    def __init__(
        self,
        *,
        name: str,
        timing: LeaseTiming = TIMING,
        builds: dict[str, str] | None = None,
        keep: bool = False,
    ) -> None:
        """Make and start all of it; about ten seconds of one core. Moves the calling thread to the host `obs`."""
        # Not below a longer path: a unix socket's has 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="il-chaos-"))
        self._keep = keep
        self.network = Network(name)
        self.redis: RedisHosts | None = None
        self.fleet: Fleet | None = None
        try:
            self.network.enter("obs")
            self.redis = RedisHosts(self.network, self.directory)
            self.fleet = Fleet(self.network, self.directory, self.redis.url, timing=timing, builds=builds)
            self.fleet.start_missing()
        except BaseException:
            self.close()
            raise
        self.cloud = CloudLog(self.fleet.cloud_log)
        self.records = Records(self.fleet.database)

    def evidence(self, targets: Collection[str]) -> Evidence:
        """What cloud and journal say about these targets so far."""
        return self.records.evidence(targets, self.cloud.of([*targets, NOBODY]))

    def repair(self) -> list[str]:
        """Undo what faults left behind and wait until everything answers; returns what had to be started again."""
        assert self.redis is not None
        assert self.fleet is not None
        self.network.heal()
        for name in PARTS:
            for pid in self.fleet.pids(name):
                children.send(pid, signal.SIGCONT)
        started = [] if self.redis.ensure() else ["redis"]
        started += self.fleet.start_missing()
        for name in PARTS:
            try:
                eventually(partial(self.fleet.ready, name), f"{name} is ready", patience_s=_READY_S)
            except AssertionError:
                children.end(self.fleet.processes[name])
                started += [f"{name} (did not answer)", *self.fleet.start_missing()]
        return started

    def close(self) -> None:
        """End everything."""
        if self.fleet is not None:
            self.fleet.close()
        if self.redis is not None:
            self.redis.close()
        self.network.close()
        if self._keep:
            print(f"logs are kept in {self.directory}", file=sys.stderr)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)
