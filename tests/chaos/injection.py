"""Faults as acts on a universe: each begins, and returns what ends it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import redis
from celery import Celery

from shared.celery_config import TASK_RUN, celery_settings, declare_queues, queue_name
from shared.settings import Settings
from tests.chaos import children
from tests.chaos.fleet import API_OF, API_PORTS, REGION
from tests.chaos.network import address
from tests.chaos.redis_hosts import HOSTS as REDIS_HOSTS
from tests.chaos.redis_hosts import MASTER, PORT, SENTINEL_PORT
from tests.chaos.schedule import Fault, Kind
from tests.chaos.universe import Universe

HOUR_S = 3600
Heal = Callable[[], None]


class Injector:
    """Strikes one universe during one run."""

    def __init__(self, universe: Universe, *, holder: str, old_runs: list[str]) -> None:
        """`holder` is the host (a or b) of the first target; `old_runs` are what late and duplicate messages name."""
        assert universe.redis is not None
        assert universe.fleet is not None
        self._network = universe.network
        self._redis = universe.redis
        self._fleet = universe.fleet
        self._directory = universe.directory
        self._holder = holder
        self._other = "b" if holder == "a" else "a"
        self.runs = list(old_runs)

    def begin(self, fault: Fault) -> tuple[str, Heal]:
        """Let a fault begin; what was struck, for people, and what ends it."""
        kind = fault.kind
        if kind.startswith("cut-"):
            return self._cut(kind)
        match kind:
            case Kind.KILL_WORKER | Kind.KILL_PROXY | Kind.KILL_SCHEDULER:
                return self._kill(self._part(fault), whole=fault.variant % 2 == 0)
            case Kind.STOP_WORKER | Kind.STOP_PROXY | Kind.STOP_SCHEDULER:
                name = self._part(fault)
                return self._stop(name, self._fleet.pids(name))
            case Kind.KILL_PROVISIONER:
                for pid in (pids := self._fleet.provisioners(self._holder)):
                    children.send(pid, signal.SIGKILL)
                return f"{len(pids)} processes on {self._holder}", lambda: None
            case Kind.STOP_PROVISIONER:
                return self._stop(f"provisioners on {self._holder}", self._fleet.provisioners(self._holder))
            case Kind.KILL_REDIS | Kind.EMPTY_RESTART:
                return self._kill_redis(at_once=kind is Kind.EMPTY_RESTART)
            case Kind.STOP_REDIS | Kind.DEPOSED_PRIMARY:
                host = self._primary()
                return self._stop(host, [self._redis.servers[host].pid])
            case Kind.FAILOVER:
                return self._failover(fault)
            case Kind.CLOCK_FORWARD | Kind.CLOCK_BACK:
                host = self._primary()
                self._redis.set_clock(host, HOUR_S if kind is Kind.CLOCK_FORWARD else -HOUR_S)
                return host, lambda: self._redis.set_clock(host, 0)
            case Kind.LOST_REPLY_REDIS:
                host = self._primary()
                return f"{host} to {self._holder}", self._network.drop_answers(host, PORT, self._holder)
            case Kind.LOST_REPLY_API:
                api = API_OF[self._holder]
                return f"{api} to {self._holder}", self._network.drop_answers("ctl", API_PORTS[api], self._holder)
            case Kind.DUPLICATE_DELIVERY:
                self._send(self.runs)
                return f"{len(self.runs)} hints", lambda: self._send(self.runs)
            case Kind.LATE_DELIVERY:
                return self._hold_hints()
        raise AssertionError(f"nobody knows how to do {kind}")

    # Processes

    def _part(self, fault: Fault) -> str:
        what = fault.kind.partition("-")[2]
        if what != "scheduler":
            return f"{what}-{self._holder}"
        return (API_OF[self._holder], API_OF[self._other], "beat")[fault.variant % 3]

    def _kill(self, name: str, *, whole: bool) -> tuple[str, Heal]:
        pids = self._fleet.pids(name) if whole else [self._fleet.processes[name].pid]
        for pid in pids:
            children.send(pid, signal.SIGKILL)
        # Started again by whoever heals: a service manager would.
        return f"{name}, {len(pids)} processes", lambda: self._fleet.revive(name)

    @staticmethod
    def _stop(name: str, pids: list[int]) -> tuple[str, Heal]:
        for pid in pids:
            children.send(pid, signal.SIGSTOP)

        def go_on() -> None:
            for pid in pids:
                children.send(pid, signal.SIGCONT)

        return f"{name}, {len(pids)} processes", go_on

    # Partitions

    def _cut(self, kind: Kind) -> tuple[str, Heal]:
        sender, _, receiver = kind.removeprefix("cut-").partition(">")
        primary = self._primary()
        places = {
            "holder": [self._holder],
            "other": [self._other],
            "control": ["ctl"],
            "cloud": ["cloud"],
            "redis": list(REDIS_HOSTS),
            "primary": [primary],
            "replicas": [host for host in REDIS_HOSTS if host != primary],
        }
        lifts = [self._network.drop(one, another) for one in places[sender] for another in places[receiver]]

        def heal() -> None:
            for lift in lifts:
                lift()

        return f"{','.join(places[sender])} to {','.join(places[receiver])}", heal

    # Redis

    def _primary(self) -> str:
        # Struck twice there may be none just now: then the one that was.
        return self._redis.primary() or REDIS_HOSTS[0]

    def _kill_redis(self, *, at_once: bool) -> tuple[str, Heal]:
        host = self._primary()
        process = self._redis.servers[host]
        children.end(process)
        if at_once:
            self._redis.start_server(host)
            return f"{host}, without its data", lambda: None
        return host, lambda: self._redis.restart(host)

    def _failover(self, fault: Fault) -> tuple[str, Heal]:
        host = self._primary()
        sentinel = REDIS_HOSTS[fault.variant % len(REDIS_HOSTS)]
        try:
            client: Any = self._redis.client(sentinel, SENTINEL_PORT)
            client.execute_command("SENTINEL", "FAILOVER", MASTER)
        except redis.RedisError as error:
            return f"away from {host}: {error}", lambda: None
        return f"away from {host}", lambda: None

    # The broker

    def _send(self, runs: list[str]) -> None:
        settings = Settings(home=self._directory / "hints", redis_url=f"redis://{address(self._primary())}:{PORT}/0")
        app = Celery("hints", set_as_current=False)
        app.conf.update({**celery_settings(settings), "broker_connection_max_retries": 1})
        declare_queues(app, [REGION])
        with app:
            for run in runs:
                try:
                    app.send_task(TASK_RUN, args=[run], queue=queue_name(REGION), retry=False)
                except Exception:  # the broker is struck too: nothing to deliver it with
                    return

    def _hold_hints(self) -> tuple[str, Heal]:
        held = list(self.runs)
        try:
            taken = self._redis.client(self._primary()).lpop(queue_name(REGION), 100) or []
        except redis.RedisError:
            taken = []

        def deliver() -> None:
            try:
                if taken:
                    self._redis.client(self._primary()).rpush(queue_name(REGION), *taken)
            except redis.RedisError:
                pass
            self._send(held)

        return f"{len(taken)} hints held back", deliver
