"""Between a plan and its apply."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.errors import ApiError, ConfigurationError, LeaseRefused, PeerError, Unavailable
from shared.models import RunKind, RunStatus
from shared.recovery.orphans import PlannedResources
from shared.rollback.records import Imported, Rearrangement
from shared.safety.entries import Existing, SafetyPlan
from shared.safety.records import SafetyRecord
from shared.safety.verdict import Decision, Verdict
from tests.unit.shared.safety.support import change, document, entry
from tests.unit.worker.provisioners.test_terraform import Commands, terraform
from tests.unit.worker.support import HOLDER, RUN, TARGET, assignment
from worker.provisioners.outcome import Outcome
from worker.safety_gate import SafetyGate, with_origins

DIGEST = "sha256:" + "0" * 64


class Api:
    """Answers every safety plan with the same verdict."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.delivered: list[SafetyPlan] = []
        self.planned: list[PlannedResources] = []
        self.refusal: ApiError | None = None

    def deliver_planned(self, run_id: str, *, holder: str, planned: PlannedResources) -> None:
        assert (run_id, holder) == (RUN, HOLDER)
        if self.refusal is not None:
            raise self.refusal
        self.planned.append(planned)

    def deliver_safety_plan(self, run_id: str, *, holder: str, plan: SafetyPlan) -> SafetyRecord:
        assert (run_id, holder) == (RUN, HOLDER)
        self.delivered.append(plan)
        return SafetyRecord(
            run_id=RUN,
            target=TARGET,
            release_digest=DIGEST,
            digest=DIGEST,
            plan=plan,
            verdict=self.verdict,
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )


class Asked:
    """One question to the gate and what came of it."""

    def __init__(
        self,
        tmp_path: Path,
        decision: Decision = Decision.ACCEPTED,
        kind: RunKind = RunKind.APPLY,
        mode: str = "entries",
        shown: bytes | None = None,
        existing: frozenset[Existing] = frozenset(),
        **verdict: Any,
    ) -> None:
        self.api = Api(Verdict(decision=decision, **verdict))
        self.order: list[str] = []
        self.notes: list[str] = []
        self.mode = mode
        commands = Commands()
        commands.shown = (shown or document(change("aws_sqs_queue.a", "delete"))).decode()
        self.terraform = terraform(tmp_path, commands)
        self.gate = SafetyGate(
            self.api,  # type: ignore[arg-type]  # as far as the gate sees it
            assignment(kind=kind),
            refresh=self._refresh,
            note=self.notes.append,
            existing=lambda terraform, shown: existing,
        )

    def _refresh(self) -> str:
        assert self.api.delivered, "the proxy asks after the scheduler knows"
        self.order.append("refreshed")
        return self.mode

    def ask(self) -> Outcome | None:
        return self.gate(self.terraform)


def test_what_is_accepted_is_told_to_the_proxy_before_anything_is_applied(tmp_path: Path) -> None:
    asked = Asked(tmp_path)
    assert asked.ask() is None
    assert asked.order == ["refreshed"]
    assert asked.api.delivered == [SafetyPlan(entries=frozenset({entry("delete", "aws_sqs_queue.a")}))]
    assert asked.notes[0].startswith(f"safety plan {DIGEST}: 1 entries, accepted")


def test_a_plan_that_is_held_ends_the_run_as_planned_and_says_how_to_go_on(tmp_path: Path) -> None:
    asked = Asked(tmp_path, Decision.HELD, entries=(entry("delete", "a.b"),), why="1 person has to approve: delete a.b")
    ended = asked.ask()
    assert ended is not None
    assert (ended.status, ended.exit_code) == (RunStatus.PLANNED, 77)
    assert ended.reason == f"1 person has to approve: delete a.b; `interlock plan approve {RUN}`, then apply again"
    assert asked.notes[1:] == ["  delete a.b"]
    assert asked.order == []


@pytest.mark.parametrize(
    ("decision", "reason"),
    [
        (Decision.OUTSIDE, "halted before the apply: delete a.b is not in the approved plan"),
        (Decision.FORBIDDEN, "halted before the apply: never"),
    ],
)
def test_what_is_outside_or_forbidden_halts_the_run(tmp_path: Path, decision: Decision, reason: str) -> None:
    asked = Asked(tmp_path, decision, entries=(entry("delete", "a.b"),), why="never")
    ended = asked.ask()
    assert ended is not None
    assert (ended.status, ended.reason) == (RunStatus.HALTED, reason)
    assert asked.order == []


@pytest.mark.parametrize("decision", list(Decision))
def test_a_plan_run_goes_on_whatever_is_decided(tmp_path: Path, decision: Decision) -> None:
    asked = Asked(tmp_path, decision, RunKind.PLAN)
    assert asked.ask() is None
    assert asked.order == []


def test_a_proxy_that_could_not_ask_is_no_permission(tmp_path: Path) -> None:
    with pytest.raises(LeaseRefused, match="could not learn"):
        Asked(tmp_path, mode="unknown").ask()


@pytest.mark.parametrize("mode", ["reads", "unbounded", "anything"])
def test_a_proxy_that_holds_the_run_to_anything_but_its_entries_is_no_permission(tmp_path: Path, mode: str) -> None:
    with pytest.raises(LeaseRefused, match=f"holds the run to '{mode}' instead of its entries"):
        Asked(tmp_path, mode=mode).ask()


@pytest.mark.parametrize(
    "shown",
    [document(format_version="2.0"), document()[:50], document(change("a.b", "create"), errored=True)],
    ids=["format 2", "truncated", "errored"],
)
def test_a_plan_that_cannot_be_read_is_not_delivered(tmp_path: Path, shown: bytes) -> None:
    asked = Asked(tmp_path, shown=shown)
    with pytest.raises(ConfigurationError):
        asked.ask()
    assert asked.api.delivered == []


def test_no_value_of_the_plan_leaves_the_host(tmp_path: Path) -> None:
    secret = change("aws_x.a", "create", change_after={"p": "hunter2"}, change_after_sensitive={})
    asked = Asked(tmp_path, shown=document(secret))
    asked.ask()
    assert "hunter2" not in json.dumps([one.model_dump(mode="json") for one in asked.api.delivered])


def test_where_things_belong_is_told_before_anything_is_made_and_its_failure_stops_nothing(tmp_path: Path) -> None:
    shown = document(change("aws_sqs_queue.a", "create", change_after={"name": "orders", "visibility": 3}))
    asked = Asked(tmp_path, shown=shown)
    assert asked.ask() is None
    (told,) = asked.api.planned
    assert [(item.address, item.names) for item in told.resources] == [("aws_sqs_queue.a", {"name": "orders"})]
    other = Asked(tmp_path / "other", shown=shown)
    other.api.refusal = ApiError("no", status=503, code="unavailable")
    assert other.ask() is None
    assert "should this run be cut: no" in other.notes[-1]


def test_what_is_not_applied_tells_nothing_of_the_sort(tmp_path: Path) -> None:
    asked = Asked(tmp_path, Decision.HELD, entries=(entry("delete", "a.b"),))
    asked.ask()
    assert asked.api.planned == []


def test_what_an_earlier_try_made_is_no_import_of_something_that_was_there_before() -> None:
    taken = tuple(Imported(address=f"a_t.{name}", type="a_t", id=name) for name in ("mine", "theirs"))
    mine, other = "run-1111111111111111", "run-2222222222222222"
    kept = with_origins(Rearrangement(imported=taken), {"a_t.mine": mine}, (mine,))
    assert [(one.address, one.made_by) for one in kept.imported] == [("a_t.theirs", None)]
    kept = with_origins(Rearrangement(imported=taken), {"a_t.mine": mine, "a_t.theirs": other}, (mine,))
    assert [(one.address, one.made_by) for one in kept.imported] == [("a_t.theirs", other)]


@pytest.mark.parametrize("step", ["show", "deliver", "refresh"])
@pytest.mark.parametrize(
    "failure",
    [
        Unavailable("no answer in time", hint="h"),
        PeerError("an empty answer", hint="h"),
        ApiError("gone", status=409, code="lease_lost"),
        RuntimeError("a bug"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_whatever_fails_on_the_way_is_no_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, failure: Exception
) -> None:
    asked = Asked(tmp_path)

    def fail(*_: object, **__: object) -> None:
        raise failure

    if step == "show":
        monkeypatch.setattr(asked.terraform, "show_plan", fail)
    elif step == "deliver":
        monkeypatch.setattr(asked.api, "deliver_safety_plan", fail)
    else:
        monkeypatch.setattr(asked.gate, "_refresh", fail)
    with pytest.raises(type(failure)):
        asked.ask()
    assert asked.order == []


def test_what_the_plan_would_take_over_is_delivered_with_it_and_noted(tmp_path: Path) -> None:
    seen = Existing(address="aws_sns_topic.a", type="aws_sns_topic", id="arn", certain=True)
    open_ = Existing(address="aws_sns_topic.b", type="aws_sns_topic")
    asked = Asked(tmp_path, existing=frozenset({seen, open_}))
    asked.ask()
    assert asked.api.delivered[0].existing == {seen, open_}
    assert asked.notes[1:] == [
        "  what aws_sns_topic.a would make exists already: arn",
        "  what aws_sns_topic.b would make may exist already: nobody could tell",
    ]
