"""Everything around one attempt of a run: fakes of the scheduler, Redis and the proxy, a real provisioner process."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from shared.clock import SystemClock
from shared.control import Acked, Attach, Attached, Done, Open, Poll
from shared.errors import ApiError, Unavailable
from shared.lease.machine import State
from shared.lease.timing import LeaseTiming
from shared.models import Assignment, Recovery, Run, RunKind, RunStatus
from shared.release_manifest import canonical
from shared.release_pack import pack
from shared.rollback.settings import Trigger
from shared.settings import Settings
from shared.testing import FakeLeaseStore, fake_lease_store
from tests.releases import make_release
from tests.unit.worker.fake_proxy import FakeProxy
from tests.unit.worker.support import RUN, TARGET, assignment, run
from worker import supervisor
from worker.metrics import WorkerMetrics
from worker.release_cache import ReleaseCache
from worker.renewal_group import Alone
from worker.sandbox_setup import CA_NAME, Confinement

TIMING = LeaseTiming(ttl_ms=60_000, renew_ms=1_000, poll_ms=100, delta_ms=1_000)


class FakeApi:
    """The scheduler, as far as a worker sees it; writes down what it is told, in order with the lease's state."""

    def __init__(self, world: World, argv: tuple[str, ...]) -> None:
        self.world = world
        self.manifest, self.blobs = make_release(TARGET, generic={"here": b""}, provider_region="eu-west-1")
        self.assignment = self._assignment(argv)
        self.refusal: ApiError | None = None
        self.finish_refusal: ApiError | None = None
        self.now: dict[str, Any] = {}
        self.reports: list[tuple[RunStatus, int | None, str]] = []
        self.quarantined: list[tuple[int, bytes, State | None]] = []
        self.logs: dict[int, str] = {}
        self.raised: list[int] = []
        self.away = 0
        self.finish_away = 0
        self.trigger: Trigger | None = None
        self.reported_in: list[State | None] = []

    def _assignment(self, argv: tuple[str, ...]) -> Assignment:
        plain = assignment(kind=RunKind.EXEC, argv=argv)
        named = plain.run.model_copy(update={"release_digest": self.manifest.digest})
        return plain.model_copy(update={"timing": TIMING, "run": named})

    def claim(self, run_id: str, *, node: str, holder: str, regions: tuple[str, ...]) -> Assignment:
        assert regions == ("here",)
        if self.away:
            self.away -= 1
            raise Unavailable("away", hint="")
        if self.refusal is not None:
            raise self.refusal
        self.assignment = self.assignment.model_copy(update={"holder": holder})
        return self.assignment

    def raise_epoch(self, run_id: str, *, holder: str, above: int) -> Assignment:
        self.raised.append(above)
        self.assignment = self.assignment.model_copy(update={"epoch": above + 1})
        return self.assignment

    def run(self, run_id: str) -> Run:
        return run(kind=RunKind.EXEC, **self.now)

    def release_manifest(self, digest: str) -> bytes:
        return canonical(self.manifest)

    def release_files(self, digest: str, target: str) -> bytes:
        return pack(self.blobs)

    def progress(self, run_id: str, *, holder: str, status: RunStatus) -> None:
        assert holder == self.assignment.holder

    def append_log(self, run_id: str, *, holder: str, offset: int, text: str) -> None:
        self.logs[offset] = text

    def recovery(self, target: str, *, run: str, holder: str) -> Recovery:
        return Recovery()

    def quarantine_state(self, target: str, *, epoch: int, run: str, state: bytes) -> None:
        self.quarantined.append((epoch, state, self.world.store.view(TARGET).state))

    def finish(
        self,
        run_id: str,
        *,
        holder: str,
        epoch: int,
        exit_code: int | None,
        status: RunStatus,
        reason: str = "",
        trigger: Trigger | None = None,
    ) -> Run:
        if self.finish_refusal is not None:
            raise self.finish_refusal
        assert (holder, epoch) == (self.assignment.holder, self.assignment.epoch)
        if self.finish_away:
            self.finish_away -= 1
            raise Unavailable("away", hint="")
        self.reported_in.append(self.world.state)
        self.trigger = trigger
        if (status, exit_code, reason) not in self.reports:
            self.reports.append((status, exit_code, reason))
        return run()

    @property
    def log(self) -> str:
        return "".join(text for _, text in sorted(self.logs.items()))


class World:
    """Everything around one attempt."""

    def __init__(self, home: Path, sockets: Path, *argv: str) -> None:
        self.store: FakeLeaseStore = fake_lease_store()
        self.store.clear(TARGET, self.store.server.incarnation, 0)
        self.proxy = FakeProxy(sockets)
        self.proxy.answers = {
            Attach: Attached(seq=1, port=3128),
            Poll: Open(deadline_ms=0),
            Done: Acked(in_flight=0),
        }
        self.api = FakeApi(self, argv)
        self.settings = Settings(
            home=home, sandbox="none", proxy_socket=self.proxy.path, node="host-a", regions=("here",)
        )
        self.settings.ca_dir.mkdir(parents=True)
        (self.settings.ca_dir / CA_NAME).write_text("certificate")
        self.metrics = WorkerMetrics()
        self.parts = supervisor.Parts(
            settings=self.settings,
            api=self.api,  # type: ignore[arg-type]  # the part of the client that is used
            store=self.store,
            renewer=Alone(self.store, replicas_timeout_ms=TIMING.renew_ms),
            clock=SystemClock(),
            confinement=Confinement(bwrap=None, terraform=None),
            metrics=self.metrics,
            releases=ReleaseCache(home),
        )

    def attempt(self) -> None:
        supervisor.attempt(self.parts, RUN)

    def command(self, *argv: str) -> None:
        self.api.assignment = self.api._assignment(argv)

    def in_the_middle(self, act: Callable[[], None], *, word: str = "begun") -> None:
        """Attempt the run and act once its command has said `word`."""
        waiting = threading.Event()

        def later() -> None:
            for _ in range(3000):
                if word in self.api.log:
                    act()
                    return
                waiting.wait(0.02)

        actor = threading.Thread(target=later)
        actor.start()
        self.attempt()
        actor.join(60)

    @property
    def state(self) -> State | None:
        return self.store.view(TARGET).state


def made(folder: Path) -> Iterator[World]:
    """One whose command ends well; for a fixture."""
    # A unix socket's path is short.
    with tempfile.TemporaryDirectory() as sockets:
        world = World(folder / "home", Path(sockets), "sh", "-c", "echo begun; ls; exit 0")
        yield world
        world.proxy.close()
