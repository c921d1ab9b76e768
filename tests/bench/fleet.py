"""Two worker hosts, a cloud that notes when calls arrive, and an ear on Redis that notes when leases change hands."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis

from shared.lease.keys import EVENTS_CHANNEL, target_keys
from shared.models import Run, RunKind, RunStatus
from tests.integration.proxy_cloud import REAL_KEY, REAL_SECRET, Arrival, Cloud
from tests.integration.system import System, eventually, free_port, register_empty_flock, running
from tests.servers import ValkeyServer
from worker.sandbox_layout import SIGNED_CALL, python_runtime

HOSTS = ("host-a", "host-b")
BOUND_S = 90.0
_CALL = {
    "service": "sqs",
    "region": "us-east-1",
    "host": "sqs.us-east-1.amazonaws.com",
    "method": "POST",
    "path": "/",
    "query": "",
    "headers": {"X-Amz-Target": "AmazonSQS.CreateQueue", "Content-Type": "application/x-amz-json-1.0"},
    "body": json.dumps({"QueueName": "bench"}),
}


def boot_ms() -> float:
    """CLOCK_BOOTTIME, finer than whole milliseconds."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) / 1e6


@dataclass(kw_only=True)
class Ear:
    """When each (state, epoch) of the target was published, heard on a connection of its own."""

    redis_url: str
    heard: dict[tuple[str, str, int], float] = field(default_factory=dict)

    def listen(self, stop: threading.Event) -> None:
        client = redis.Redis.from_url(self.redis_url)
        with client.pubsub(ignore_subscribe_messages=True) as events:  # type: ignore[no-untyped-call]
            events.subscribe(EVENTS_CHANNEL)
            while not stop.is_set():
                message = events.get_message(timeout=0.2)
                if message is not None:
                    event = json.loads(message["data"])
                    self.heard.setdefault((event["target"], event["state"], event["epoch"]), boot_ms())

    def at_ms(self, target: str, state: str, epoch: int) -> float:
        """Wait for the event and say when it came."""
        key = (target, state, epoch)
        until = time.monotonic() + BOUND_S
        while key not in self.heard:
            assert time.monotonic() < until, f"{key} was not heard within {BOUND_S:.0f} s"
            time.sleep(0.002)
        return self.heard[key]


class Fleet:
    """The installation and what the benchmarks do with it."""

    def __init__(self, system: System, ear: Ear, cloud: Cloud) -> None:
        self.system = system
        self.ear = ear
        self.cloud = cloud
        self.called: dict[tuple[str, int], float] = {}
        """When the first signed call of (target, epoch) arrived."""
        cloud.answer = self._answer
        self.client = redis.Redis.from_url(system.redis_url)

    @property
    def target(self) -> str:
        return self.system.target

    def start_host(self, host: str) -> None:
        """Start what is not running on `host`."""
        if not self.system.is_up(f"{host}-proxy"):
            overrides = json.dumps({"*.amazonaws.com": self.cloud.url})
            port = free_port()
            self.system.start(
                f"{host}-proxy",
                "proxy",
                host=host,
                INTERLOCK_HTTP_PORT=str(port),
                INTERLOCK_TOKEN=self.system.token("proxy"),
                INTERLOCK_UPSTREAM_OVERRIDES=overrides,
                AWS_ACCESS_KEY_ID=REAL_KEY,
                AWS_SECRET_ACCESS_KEY=REAL_SECRET,
                AWS_EC2_METADATA_DISABLED="true",
            )
            self.system.ready(f"{host}-proxy", f"http://127.0.0.1:{port}/readyz")
        if not self.system.is_up(f"{host}-worker"):
            self.system.start_worker(host, INTERLOCK_WORKER_CONCURRENCY="1")

    def begin(self, *, calls: bool = False, seconds: float = 600) -> Run:
        """Queue a run that makes one signed call (or none) and then stays for a while."""
        python = f"{python_runtime().executable} -I -S -B {SIGNED_CALL}"
        call = f"printf %s '{json.dumps([_CALL])}' >calls.json; {python} calls.json; " if calls else ""
        return self.system.api().create_run(
            self.target, RunKind.EXEC, argv=("sh", "-c", f"{call}echo begun; exec sleep {seconds}")
        )

    def working(self, run: Run) -> Run:
        """Wait until its command runs."""
        eventually(lambda: "begun" in self.system.api().logs(run.id).text, f"{run.id} begins")
        return self.system.api().run(run.id)

    def call_ms(self, epoch: int) -> float:
        """Wait for the first signed call of the epoch and say when it arrived."""
        key = (self.target, epoch)
        eventually(lambda: key in self.called, f"a signed call of {key}")
        return self.called[key]

    def kill(self, *names: str) -> float:
        """SIGKILL processes together; says when."""
        at_ms = boot_ms()
        for name in names:
            os.kill(self.system.processes[name].pid, signal.SIGKILL)
        for name in names:
            self.system.processes[name].wait(30)
        return at_ms

    def last_renewal_ms(self, die: Callable[[], float]) -> tuple[float, float]:
        """Watch the target's seq closely, let the holder die, and say when it was renewed last, and when it died."""
        state = target_keys(self.target).state
        seq, at_ms = self.client.hget(state, "seq"), boot_ms()
        until = at_ms + 3_000
        changed = 0
        while boot_ms() < until and changed < 2:
            now = self.client.hget(state, "seq")
            if now != seq:
                seq, at_ms, changed = now, boot_ms(), changed + 1
        died_ms = die()
        if self.client.hget(state, "seq") != seq:
            at_ms = died_ms
        return at_ms, died_ms

    def over(self, run: Run) -> None:
        """Wait until the run has ended."""
        self.system.run_until(run.id, lambda seen: seen.status.terminal, "is over")

    def clean_up(self, run: Run) -> None:
        """End a run that is at work."""
        if self.system.api().run(run.id).status is not RunStatus.PENDING:
            self.system.api().cancel_run(run.id)
        self.over(run)

    def _answer(self, arrival: Arrival) -> tuple[int, str, bytes]:
        agent = arrival.headers.get("user-agent", "")
        if arrival.signed_by == REAL_KEY and "(target " in agent:
            words = dict(part.split(" ", 1) for part in agent.rpartition("(")[2].rstrip(")").split("; "))
            self.called.setdefault((words["target"], int(words["epoch"])), boot_ms())
        return 200, "application/x-amz-json-1.0", b'{"QueueUrl": "https://sqs.us-east-1.amazonaws.com/1/bench"}'


@contextmanager
def fleet() -> Iterator[Fleet]:
    """A control host and two worker hosts with one slot each, all of it alive, with a fresh target."""
    valkey, stop = ValkeyServer(), threading.Event()
    ear = Ear(redis_url=valkey.url)
    listening = threading.Thread(target=ear.listen, args=(stop,))
    try:
        with (
            Cloud() as cloud,
            tempfile.TemporaryDirectory(prefix="il-bench-") as directory,
            running(Path(directory), valkey.url) as system,
        ):
            listening.start()
            whole = Fleet(system, ear, cloud)
            for host in HOSTS:
                whole.start_host(host)
            register_empty_flock(system)
            yield whole
            whole.client.close()
    finally:
        stop.set()
        if listening.ident is not None:
            listening.join()
        valkey.close()
