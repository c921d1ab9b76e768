"""What a run does with Terraform, to its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared.clock import ManualClock
from shared.errors import ApiError, LeaseRefused, PeerError, Unavailable
from shared.models import Assignment, RunKind, RunStatus
from shared.release_manifest import canonical
from shared.release_pack import pack
from shared.rollback.precedents import Precedents
from shared.rollback.records import RollbackOrder, RollbackState
from shared.rollback.settings import RollbackSettings, Trigger
from shared.safety.entries import Existing, SafetyPlan
from shared.safety.records import SafetyRecord
from shared.safety.verdict import Decision, Verdict
from shared.settings import Settings
from tests.releases import make_release
from tests.unit.shared.safety.support import change, document
from tests.unit.worker import rollbacks
from tests.unit.worker.checks.support import command
from tests.unit.worker.rollbacks import EMPTY, NEW, left, order
from tests.unit.worker.support import AT, HOLDER, RUN, TARGET, assignment, record
from worker import deployment, progress
from worker.deployment import Deployment, Means
from worker.provisioners.known_shapes import KnownShapes
from worker.provisioners.outcome import Outcome
from worker.provisioners.terraform import TerraformJob
from worker.release_cache import ReleaseCache
from worker.run_directory import RunDirectory
from worker.stop import Cause, Stop, StopRequested

MADE = document(change("aws_x.a", "create"))


class Api(rollbacks.Api):
    """The scheduler, as far as a run with an order sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.manifest, self.blobs = make_release(TARGET, generic={"first.tf": b"# first"}, provider_region="eu-west-1")
        self.told: list[tuple[str, Any]] = []
        self.rearranged: list[Any] = []
        self.existing: list[frozenset[Existing]] = []
        self.decision = Decision.ACCEPTED

    def progress(self, run_id: str, *, holder: str, status: RunStatus, **why: Any) -> None:
        assert (run_id, holder) == (RUN, HOLDER)
        self.told.append((str(status), why.get("trigger")))

    def deliver_safety_plan(self, run_id: str, *, holder: str, plan: SafetyPlan, **more: Any) -> SafetyRecord:
        self.rearranged.append(more.get("rearranged"))
        self.existing.append(plan.existing)
        verdict = Verdict(decision=self.decision)
        return SafetyRecord(
            run_id=RUN, target=TARGET, release_digest=NEW, digest=NEW, plan=plan, verdict=verdict, created_at=AT
        )

    def release_manifest(self, digest: str) -> bytes:
        assert digest == self.manifest.digest
        return canonical(self.manifest)

    def release_files(self, digest: str, target: str) -> bytes:
        return pack(self.blobs)


class Watcher:
    """Knows how much longer a run may live."""

    def __init__(self) -> None:
        self.extended_ms: list[int] = []
        self.api_was_away = False

    def extend(self, by_ms: int) -> None:
        self.extended_ms.append(by_ms)


class World:
    """One run and everything around it."""

    def __init__(self, folder: Path) -> None:
        self.api = Api()
        self.stop, self.clock, self.watcher = Stop(), ManualClock(), Watcher()
        self.directory = RunDirectory(folder / "home", RUN)
        self.directory.create()
        (self.directory.work / "main.tf").write_text("# new")
        self.commands = rollbacks.Commands(MADE, left("a"), EMPTY)
        self.commands.work = self.directory.work
        self.notes: list[str] = []
        self.counted: list[str] = []
        self.refreshed: list[str] = []
        self.modes = {"baking": "reads"}
        self.settings = Settings(home=folder / "home", regions=("here",), run_hard_limit_s=100)

    def refresh(self) -> SimpleNamespace:
        self.refreshed.append(self.api.told[-1][0])
        # As the scheduler says it: while a rollback has no accepted plan, its run may only read.
        otherwise = "reads" if self.refreshed[-1] == "rolling_back" and not self.api.plans else "entries"
        return SimpleNamespace(mode=self.modes.get(self.refreshed[-1], otherwise))

    def order(self, **settings: Any) -> RollbackOrder:
        return order(first=self.api.manifest.digest, settings=RollbackSettings(**settings))

    def carry_out(
        self,
        given: RollbackOrder | None = None,
        kind: RunKind = RunKind.APPLY,
        precedents: Precedents | None = None,
    ) -> Outcome:
        told = {"rollback": given, "precedents": precedents}
        made: Assignment = assignment(kind=kind).model_copy(update=told)
        self.progress = progress.Progress(self.api, made, self.stop, self.clock)  # type: ignore[arg-type]  # as below
        means = Means(
            settings=self.settings,
            api=self.api,  # type: ignore[arg-type]  # the part that is used
            assignment=made,
            commands=self.commands,
            confined=False,
            directory=self.directory,
            job=TerraformJob(terraform=("terraform",)),
            proxy=SimpleNamespace(refresh_allowance=self.refresh),  # type: ignore[arg-type]  # the part that is used
            releases=ReleaseCache(self.settings.home),
            shapes=KnownShapes(),
            stop=self.stop,
            watcher=self.watcher,  # type: ignore[arg-type]  # the part that is used
            clock=self.clock,
            progress=self.progress,
            note=self.notes.append,
            count=self.counted.append,
        )
        return Deployment(means).carry_out()

    @property
    def states(self) -> list[RollbackState]:
        return [result.state for result in self.api.results]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.stop.close()


def test_a_run_without_an_order_is_what_it_always_was(world: World) -> None:
    world.commands.codes["apply"] = [1]
    outcome = world.carry_out()
    assert outcome.status is RunStatus.ERRORED
    assert world.api.told == [("planning", None), ("applying", None)]
    assert world.api.rearranged == [None]
    assert world.states == []


def test_a_deployment_that_holds_is_applied(world: World) -> None:
    outcome = world.carry_out(world.order(bake_s=0, checks=(command("smoke"),)))
    assert outcome.status is RunStatus.APPLIED
    assert world.api.told == [("planning", None), ("applying", None), ("baking", None)]
    assert "check smoke" in world.commands.lines
    assert world.states == []


def test_without_bake_time_and_checks_there_is_nothing_to_bake(world: World) -> None:
    assert world.carry_out(world.order()).status is RunStatus.APPLIED
    assert world.api.told[-1] == ("applying", None)


def test_what_it_does_with_addresses_is_told_before_anything_is_applied(world: World) -> None:
    moved = document(change("aws_x.new", "no-op", previous_address="aws_x.old"))
    world.commands.plans = [moved, EMPTY]
    assert world.carry_out(world.order()).status is RunStatus.APPLIED
    (told,) = world.api.rearranged
    assert [(one.before, one.after) for one in told.moved] == [("aws_x.old", "aws_x.new")]


def test_what_it_may_take_over_is_told_before_anything_is_applied_but_what_an_earlier_try_made(world: World) -> None:
    name = {"name": "nightly", "event_bus_name": "default"}
    makes = document(change("aws_cloudwatch_event_rule.a", "create", change_after=name))
    world.commands.plans = [makes]
    world.commands.codes["check"] = [1]  # nobody answers
    world.carry_out(world.order(), precedents=Precedents())
    may_be = Existing(address="aws_cloudwatch_event_rule.a", type="aws_cloudwatch_event_rule")
    assert world.api.existing == [{may_be}]

    world.api.creates = (record("events", "PutRule", {"Name": "nightly"}, {}),)
    world.carry_out(world.order(), precedents=Precedents(tries=(RUN,)))
    assert world.api.existing[1:] == [frozenset()]


def test_an_apply_that_fails_is_taken_back_under_the_same_lease(world: World) -> None:
    world.commands.codes["apply"] = [1, 0]
    outcome = world.carry_out(world.order())
    assert outcome.status is RunStatus.ROLLED_BACK
    assert outcome.reason == "rolled back: terraform apply failed with exit code 1; the log says why"
    assert world.api.told[-1] == ("rolling_back", Trigger.APPLY_ERROR)
    assert world.states == [RollbackState.ROLLED_BACK]
    assert (world.directory.work / "first.tf").read_bytes() == b"# first"
    assert not (world.directory.work / "main.tf").exists()
    assert world.counted == ["rollback"]


def test_not_where_the_flock_does_not_want_that(world: World) -> None:
    world.commands.codes["apply"] = [1]
    assert world.carry_out(world.order(on=("alarm",))).status is RunStatus.ERRORED
    assert world.states == []


def test_nothing_is_taken_back_where_nothing_was_begun(world: World) -> None:
    world.commands.codes["plan"] = [1]
    assert world.carry_out(world.order()).status is RunStatus.ERRORED
    world.commands.codes["plan"] = [0]
    world.api.decision = Decision.HELD
    assert world.carry_out(world.order()).status is RunStatus.PLANNED
    assert world.states == []
    assert "apply" not in world.commands.steps


def test_a_killed_apply_is_left_to_another_run(world: World) -> None:
    world.commands.codes["apply"] = [137]
    with pytest.raises(PeerError, match="was killed"):
        world.carry_out(world.order())
    assert world.states == []


def test_a_check_that_fails_takes_it_back(world: World) -> None:
    world.commands.codes["check"] = [3]
    outcome = world.carry_out(world.order(checks=(command("smoke"),)))
    assert outcome.status is RunStatus.ROLLED_BACK
    assert world.api.told[-1] == ("rolling_back", Trigger.HEALTH)
    assert outcome.reason == "rolled back: check smoke failed: bad: smoke exited with 3"


def test_while_it_bakes_and_before_the_rollback_is_bounded_the_proxy_asks_anew(world: World) -> None:
    world.commands.codes["check"] = [3]
    world.carry_out(world.order(checks=(command("smoke"),)))
    assert world.refreshed == ["planning", "baking", "rolling_back", "rolling_back"]


def test_a_test_is_taken_back_though_it_held(world: World) -> None:
    outcome = world.carry_out(world.order(preproduction_test=True))
    assert outcome.status is RunStatus.ROLLED_BACK
    assert world.api.told[-1] == ("rolling_back", Trigger.PREPRODUCTION_TEST)


def test_checks_are_told_what_the_deployment_says(world: World) -> None:
    world.commands.outputs = json.dumps(
        {
            "host": {"value": "a.internal", "sensitive": False},
            "port": {"value": 8080},
            "on": {"value": True},
            "secret": {"value": "hunter2", "sensitive": True},
            "list": {"value": ["x"]},
        }
    )
    check = command("smoke", "${output.host}:${output.port}", "${output.on}", "${region.provider_region}")
    assert world.carry_out(world.order(checks=(check,))).status is RunStatus.APPLIED
    assert "check smoke a.internal:8080 true eu-west-1" in world.commands.lines


@pytest.mark.parametrize("name", ["secret", "list", "nothing"])
def test_a_check_that_refers_to_what_is_secret_or_no_text_has_not_passed(world: World, name: str) -> None:
    world.commands.outputs = json.dumps({"secret": {"value": "x", "sensitive": True}, "list": {"value": ["x"]}})
    outcome = world.carry_out(world.order(checks=(command("smoke", "${output." + name + "}"),)))
    assert outcome.status is RunStatus.ROLLED_BACK
    assert f"output.{name}" in outcome.reason


def test_a_run_lives_longer_by_what_watching_may_take_and_by_its_rollback(world: World) -> None:
    world.commands.codes["check"] = [3]
    order = world.order(bake_s=60, checks=(command("smoke"),))
    world.carry_out(order)
    assert order.settings.watched_s > 60
    assert world.watcher.extended_ms == [order.settings.watched_s * 1000, 100_000]


def wish(world: World) -> None:
    world.stop.request(Cause.ROLLBACK, "an operator asked for a rollback")


def test_an_operator_has_a_running_apply_taken_back(world: World) -> None:
    def interrupted() -> None:
        world.commands.during.clear()
        wish(world)
        world.stop.check()

    world.commands.during["apply"] = interrupted
    outcome = world.carry_out(world.order(on=("halt",)))
    assert outcome.status is RunStatus.ROLLED_BACK
    assert world.api.told[-1] == ("rolling_back", Trigger.OPERATOR)


@pytest.mark.parametrize("settings", [{}, {"bake_s": 3600}], ids=["no bake", "bake"])
def test_or_one_that_ended_well_in_spite_of_it(world: World, settings: dict[str, Any]) -> None:
    world.commands.during["apply"] = lambda: wish(world) if not world.api.results and not world.refreshed[1:] else None
    outcome = world.carry_out(world.order(**settings))
    assert (outcome.status, outcome.reason) == (RunStatus.ROLLED_BACK, "rolled back: an operator asked for a rollback")


def test_or_one_that_bakes(world: World) -> None:
    world.commands.during["check"] = lambda: wish(world)
    outcome = world.carry_out(world.order(bake_s=3600, checks=(command("smoke"),)))
    assert outcome.status is RunStatus.ROLLED_BACK
    assert world.api.told[-1] == ("rolling_back", Trigger.OPERATOR)


def test_a_wish_before_anything_was_applied_ends_the_run(world: World) -> None:
    def wished() -> None:
        wish(world)
        world.stop.check()

    world.commands.during["plan"] = wished
    with pytest.raises(StopRequested) as stopped:
        world.carry_out(world.order())
    assert stopped.value.reason.cause is Cause.ROLLBACK
    assert "apply" not in world.commands.steps


@pytest.mark.parametrize("cause", [Cause.CANCELED, Cause.TIME_LIMIT, Cause.LEASE_LOST, Cause.REVOKED, Cause.HALTED])
@pytest.mark.parametrize("step", ["apply", "check"])
def test_any_other_reason_to_stop_is_left_to_the_scheduler(world: World, cause: Cause, step: str) -> None:
    def stop() -> None:
        world.stop.request(cause, "now")
        world.stop.check()

    world.commands.during[step] = stop
    with pytest.raises(StopRequested):
        world.carry_out(world.order(checks=(command("smoke"),)))
    assert world.states == []


def test_a_state_that_could_not_be_stored_is_stored_before_anything_is_planned(world: World) -> None:
    world.commands.codes["apply"] = [1, 0]
    errored = world.directory.work / "errored.tfstate"

    def fails() -> None:
        if not world.api.plans:
            errored.write_text("{}")

    world.commands.during["apply"] = fails
    assert world.carry_out(world.order()).status is RunStatus.ROLLED_BACK
    pushed = world.commands.steps.index("state")
    assert world.commands.lines[pushed] == "state push -no-color errored.tfstate"
    assert "plan" in world.commands.steps[pushed:]
    assert world.directory.errored_state() is None, "it is delivered to nobody any more"


def test_where_it_cannot_be_stored_the_rollback_is_left_to_another_run(world: World) -> None:
    world.commands.codes |= {"apply": [1], "state": [1]}
    world.commands.during["apply"] = (world.directory.work / "errored.tfstate").touch
    outcome = world.carry_out(world.order())
    assert (outcome.status, outcome.reason.endswith("its state could not be stored")) == (RunStatus.ERRORED, True)
    assert world.states == []
    assert world.directory.errored_state() == b""


def test_a_run_of_its_own_deploys_nothing_and_takes_back_at_once(world: World) -> None:
    world.commands.plans = [left("a"), EMPTY]
    given = world.order().model_copy(update={"rollback_only": True, "trigger": Trigger.HALTED, "reason": "halted"})
    outcome = world.carry_out(given, RunKind.ROLLBACK)
    assert (outcome.status, outcome.reason) == (RunStatus.ROLLED_BACK, "rolled back: halted")
    assert world.api.told == [("planning", None), ("rolling_back", Trigger.HALTED)]
    assert world.api.rearranged == []
    assert world.commands.steps.count("apply") == 1


def test_a_first_release_of_other_bytes_is_not_laid_out(world: World) -> None:
    world.commands.codes["apply"] = [1]
    world.api.blobs = dict.fromkeys(world.api.blobs, b"other")
    outcome = world.carry_out(world.order())
    assert outcome.status is RunStatus.ERRORED
    assert world.states == [RollbackState.FAILED]
    assert "arrived as" in world.api.results[0].reason
    assert (world.directory.work / "main.tf").exists()


@pytest.mark.parametrize("mode", ["entries", "unbounded", "unknown", "", "READS"])
def test_nothing_is_watched_while_the_proxy_would_sign_changes(
    world: World, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment, "BAKE_PAUSE_MS", 1)
    world.modes["baking"] = mode
    with pytest.raises(LeaseRefused, match="not to reads"):
        world.carry_out(world.order(checks=(command("smoke"),)))
    assert "check smoke" not in world.commands.lines


def test_a_proxy_that_does_not_know_at_once_is_asked_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "BAKE_PAUSE_MS", 1)
    answers = iter(["unknown", "unknown", "reads"])
    refresh = world.refresh
    monkeypatch.setattr(
        world,
        "refresh",
        lambda: SimpleNamespace(mode=next(answers)) if world.api.told[-1][0] == "baking" else refresh(),
    )
    assert world.carry_out(world.order(checks=(command("smoke"),))).status is RunStatus.APPLIED
    assert next(answers, None) is None


@pytest.mark.parametrize("mode", ["entries", "unbounded", ""])
def test_no_rollback_is_planned_while_the_proxy_would_sign_changes(world: World, mode: str) -> None:
    world.commands.codes["apply"] = [1]
    world.modes["rolling_back"] = mode
    with pytest.raises(LeaseRefused, match="a rollback is to be planned"):
        world.carry_out(world.order())
    assert world.commands.steps.count("plan") == 1, "the deployment's own"
    assert (world.states, world.api.plans) == ([], [])


def test_while_the_proxy_cannot_ask_a_rollback_is_planned_and_not_applied(world: World) -> None:
    world.commands.codes["apply"] = [1]
    world.modes["rolling_back"] = "unknown"
    with pytest.raises(LeaseRefused, match="instead of what its rollback may do"):
        world.carry_out(world.order())
    assert (len(world.api.plans), world.commands.steps.count("apply")) == (1, 1)


@pytest.mark.parametrize("step", ["baking", "rolling_back"])
def test_a_proxy_that_does_not_answer_ends_the_run_before_anything_else_is_done(world: World, step: str) -> None:
    real = world.refresh

    def silent() -> SimpleNamespace:
        if world.api.told[-1][0] == step:
            raise Unavailable("the proxy did not answer", hint="h")
        return real()

    world.refresh = silent  # type: ignore[method-assign]  # the proxy's part
    world.commands.codes["check"] = [3]
    with pytest.raises(Unavailable):
        world.carry_out(world.order(checks=(command("smoke"),)))
    assert world.commands.steps.count("apply") == 1
    assert world.states == []


def test_a_bake_that_the_scheduler_does_not_hear_of_is_not_begun(world: World) -> None:
    def refuse(run_id: str, *, holder: str, status: RunStatus, **why: Any) -> None:
        if status is RunStatus.BAKING:
            raise ApiError("no", status=409, code="illegal_transition")
        world.api.told.append((str(status), why.get("trigger")))

    world.api.progress = refuse  # type: ignore[method-assign]  # the scheduler's part
    with pytest.raises(ApiError):
        world.carry_out(world.order(bake_s=60, checks=(command("smoke"),)))
    assert "check smoke" not in world.commands.lines
    assert "baking" not in world.refreshed


@pytest.mark.parametrize(
    ("unheard", "settings", "trigger", "reason"),
    [
        (RunStatus.BAKING, {"checks": (command("smoke"),)}, Trigger.HEALTH, "it was to be watched to the end"),
        (RunStatus.ROLLING_BACK, {"checks": (command("smoke"),)}, Trigger.HEALTH, "check smoke failed"),
        (RunStatus.ROLLING_BACK, {"preproduction_test": True}, Trigger.PREPRODUCTION_TEST, "the flock is a test"),
    ],
)
def test_what_the_scheduler_does_not_hear_of_is_owed(
    world: World, unheard: RunStatus, settings: dict[str, Any], trigger: Trigger, reason: str
) -> None:
    told = world.api.progress

    def progress(run_id: str, *, holder: str, status: RunStatus, **why: Any) -> None:
        if status is unheard:
            raise PeerError("no answer of ours", hint="h")
        told(run_id, holder=holder, status=status, **why)

    world.api.progress = progress  # type: ignore[method-assign]  # the scheduler's part
    world.commands.codes["check"] = [3]
    with pytest.raises(PeerError):
        world.carry_out(world.order(**settings))
    assert world.progress.owed is not None
    assert world.progress.owed.trigger is trigger
    assert world.progress.owed.reason.startswith(reason)


def test_what_held_or_is_taken_back_owes_nothing(world: World) -> None:
    assert world.carry_out(world.order(checks=(command("smoke"),))).status is RunStatus.APPLIED
    assert world.progress.owed is None


def test_an_apply_that_failed_says_itself_what_it_was(world: World) -> None:
    world.commands.codes["apply"] = [1]
    assert world.carry_out(world.order(on=("health",), checks=(command("smoke"),))).status is RunStatus.ERRORED
    assert world.progress.owed is None
