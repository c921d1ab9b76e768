"""The scheduler is killed at every state of a roll-out: real processes, PostgreSQL, Redis, a worker with Terraform.

A strike is a SIGKILL of the API, of beat, or of both (drawn by the seed) at the moment when the database shows the
state, then a restart. For the moments between two states the test holds the roll-out's row, so that whoever would write
the next value is in the middle of its transaction when it dies. Nothing waits for a time to pass but the bake.

`KILLS=4,7,all` draws from these seeds instead; `all` strikes at every state of one roll-out.
"""

from __future__ import annotations

import functools
import os
import random
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import pytest
from sqlalchemy import select

from scheduler.database import Database
from scheduler.tables import RolloutRow, RunRow
from shared.clock import SystemClock
from shared.models import RunStatus
from shared.rollouts import Rollout, RolloutStatus
from tests.integration import system as system_module
from tests.integration.system import System, eventually, running
from tests.integration.test_rollouts_system import interlock
from tests.postgres import PostgresServer
from tests.servers import ValkeyServer

#: A machine that does other things at the same time starts a process in a minute.
patiently = functools.partial(eventually, patience_s=400)

pytestmark = [pytest.mark.terraform, pytest.mark.debian]

STATES: Final = (
    "pending",
    "planning",
    "planned, not yet seen",
    "planned",
    "applying",
    "applied, not yet seen",
    "baking",
    "phase boundary",
    "awaiting approval",
    "paused",
    "confirmed",
    "canceling",
)
VICTIMS: Final = (("server",), ("beat",), ("server", "beat"))
#: How many states a seed strikes at.
SAMPLE: Final = 3
#: Once it is there a plan of it changes nothing: whatever is made twice shows.
GENERIC = """
variable "word" { type = string }
resource "terraform_data" "one" { input = var.word }
"""
FLOCK = """
name: {name}
configuration: terraform
variables: {{word: {word}}}
phases:
  - name: first
    bake_s: 3
  - name: second
    approval: true
  - name: third
targets:
  - {{region: here, name: a, phase: first}}
  - {{region: here, name: b, phase: second}}
  - {{region: here, name: c, phase: third}}
"""


def drawn() -> list[str]:
    return os.environ.get("KILLS", "1").split(",")


@pytest.fixture
def system(tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    monkeypatch.setattr(system_module, "eventually", patiently)
    valkey = ValkeyServer()
    url = postgres.create_database(f"kills_{secrets.token_hex(4)}")
    try:
        with running(tmp_path / "s", valkey.url, INTERLOCK_DATABASE_URL=url) as started:
            started.start_proxy("host-a")
            started.start_worker("host-a")
            yield started
    finally:
        valkey.close()


class Story:
    """One flock, and whoever strikes at its scheduler."""

    def __init__(self, system: System, folder: Path, seed: str) -> None:
        self.system = system
        self.folder = folder
        self.chance = random.Random(seed)
        self.chosen = set(STATES if seed == "all" else self.chance.sample(STATES, SAMPLE))
        self.struck: list[str] = []
        self.database = Database(system.extra["INTERLOCK_DATABASE_URL"])
        (folder / "terraform").mkdir(parents=True)
        (folder / "terraform" / "main.tf").write_text(GENERIC)

    def begin(self, word: str) -> None:
        """Publish the flock with this word and roll it out."""
        (self.folder / "flock.yaml").write_text(FLOCK.format(name="fleet", word=word))
        published = interlock(self.system, "release", "publish", str(self.folder))
        self.id = self.system.api().start_rollout(published["digest"]).id

    def now(self) -> Rollout:
        """The roll-out as the database has it, whoever is dead."""
        with self.database.read() as session:
            query = select(RolloutRow.document).where(RolloutRow.id == self.id)
            return Rollout.model_validate(session.scalars(query).one())

    def run_of(self, number: int) -> RunRow:
        """The present run of a target."""
        with self.database.read() as session:
            return session.scalars(select(RunRow).where(RunRow.id == self.now().targets[number].run_id)).one()

    def until(self, accept: Callable[[Rollout], bool], what: str) -> Rollout:
        patiently(lambda: accept(self.now()), f"{what}: {self.struck}")
        return self.now()

    def stage(self, number: int, stage: str) -> None:
        self.until(lambda one: one.targets[number].stage.value == stage, f"target {number} is {stage}")

    def strike(self, state: str) -> None:
        """Kill and start again, if the seed says so."""
        if state not in self.chosen:
            return
        victims = self.chance.choice(VICTIMS)
        self.struck.append(f"{state}: {'+'.join(victims)}")
        self.kill(victims)
        self.revive(victims)

    def kill(self, victims: tuple[str, ...]) -> None:
        for name in victims:
            self.system.processes[name].kill()
        for name in victims:
            self.system.processes[name].wait(60)

    def revive(self, victims: tuple[str, ...]) -> None:
        for name in victims:
            if name == "server":
                self.system.start_server()
            else:
                self.system.start_beat("beat")

    def strike_between(self, state: str, reached: Callable[[], bool]) -> None:
        """The same in the middle of the transaction that would write down what was reached."""
        if state not in self.chosen:
            return
        victims = self.chance.choice(VICTIMS)
        self.struck.append(f"{state}: {'+'.join(victims)}")
        with self.held():
            before = self.now()
            patiently(reached, f"{state}: {self.struck}")
            assert self.now() == before, "whoever moves it waits for the row"
            self.kill(victims)
        self.revive(victims)

    @contextmanager
    def held(self) -> Iterator[None]:
        with self.database.write() as session:
            session.execute(select(RolloutRow.id).where(RolloutRow.id == self.id).with_for_update())
            yield

    def say(self, command: Literal["pause", "resume", "cancel"]) -> None:
        self.system.api().command_rollout(self.id, command)


@pytest.fixture
def story(system: System, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Story]:
    made = Story(system, tmp_path / "flock", request.getfixturevalue("seed"))
    yield made
    made.database.close()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", drawn())
def test_whenever_the_scheduler_is_killed_nothing_is_lost_and_nothing_is_done_twice(story: Story, seed: str) -> None:
    # The worker waits meanwhile, so that the first run stays pending; it holds no lease yet.
    story.system.signal_worker("host-a-worker", signal.SIGSTOP)
    story.begin("one")
    assert (story.run_of(0).status, story.now().targets[0].stage.value) == ("pending", "planning")
    story.strike("pending")
    story.say("pause")
    story.strike("paused")
    assert (story.run_of(0).status, story.now().status.value) == ("pending", "paused")
    story.say("resume")
    story.system.signal_worker("host-a-worker", signal.SIGCONT)

    patiently(lambda: story.run_of(0).status != "pending", "the plan is being made")
    story.strike("planning")
    story.strike_between("planned, not yet seen", lambda: story.run_of(0).finished_at is not None)
    story.until(lambda one: one.targets[0].stage.value in ("applying", "applied"), "the first plan is applied")
    story.strike("applying")
    story.strike_between("applied, not yet seen", lambda: story.run_of(0).finished_at is not None)
    baking = story.until(lambda one: one.phases[0].status.value in ("baking", "done"), "the first phase bakes")
    story.strike("baking")
    bake_until = baking.phases[0].bake_until
    assert bake_until is not None
    story.strike_between("phase boundary", lambda: SystemClock().wall() > bake_until)

    story.stage(1, "planned")
    assert story.now().phases[0].status.value == "done"
    story.strike("awaiting approval")
    story.say("pause")
    story.strike("planned")
    plan = story.now().targets[1]
    story.system.api().decide_plans(story.id, "approve", {plan.id: str(plan.plan_digest)}, actor="bert")
    assert (story.now().targets[1].stage.value, story.now().status.value) == ("confirmed", "paused")
    story.strike("confirmed")
    story.say("resume")
    over = story.until(lambda one: one.status.over, "it is over")
    assert (over.status, [one.stage.value for one in over.targets]) == (RolloutStatus.SUCCEEDED, ["applied"] * 3)
    made_once(story)

    story.begin("two")
    patiently(lambda: story.run_of(0).status != "pending", "the plan is being made")
    story.say("cancel")
    story.strike("canceling")
    over = story.until(lambda one: one.status.over, "it is over")
    assert over.status is RolloutStatus.CANCELED
    assert over.targets[0].stage.value in ("canceled", "applied")
    assert {one.stage.value for one in over.targets[1:]} == {"canceled"}
    made_once(story)
    assert len(story.struck) == len(story.chosen)
    print(f"seed {seed} struck at {'; '.join(story.struck)}")


def made_once(story: Story) -> None:
    """Each target's resource was made by one apply, no run is left, and no epoch was given twice."""
    api = story.system.api()
    for target in story.now().targets:
        runs = api.runs(target=target.id)
        logs = [api.logs(run.id).text for run in runs]
        assert sum(text.count("Creation complete") for text in logs) == 1, story.struck
        assert all(run.status.terminal for run in runs)
        epochs = [run.epoch for run in runs if run.epoch is not None]
        assert len(set(epochs)) == len(epochs)
        applied = [run for run in runs if run.status is RunStatus.APPLIED and run.rollout_id == story.id]
        assert len(applied) <= 1, story.struck
