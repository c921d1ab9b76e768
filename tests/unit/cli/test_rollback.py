"""`interlock rollback`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from cli import rollback as rollback_module
from shared.rollback.records import (
    AttributeDifference,
    Presence,
    Refusal,
    Residue,
    ResidueKind,
    ResourceDifference,
    RollbackResult,
    RollbackState,
    StateComparison,
)
from shared.rollback.settings import Trigger
from shared.rollback.standing import Rollback, RollbackStatus, RollbackSummary
from tests.unit.cli.conftest import stand_in
from tests.unit.shared.rollback.test_standing import ITEM, RUN, rollback

Interlock = Callable[..., Any]
ID = "rollback-0123456789abcdef"
RESULT = RollbackResult(
    state=RollbackState.PARTIAL,
    trigger=Trigger.HEALTH,
    refused=(Refusal(item=ITEM, reason="it existed before"),),
    residue=(Residue(kind=ResidueKind.LEFT, address="aws_sns_topic.b", type="aws_sns_topic", id="b", reason="no"),),
    comparison=StateComparison(
        same_lineage=True,
        compared=3,
        resources=(
            ResourceDifference(address="aws_sns_topic.b", type="aws_sns_topic", presence=Presence.ONLY_FINAL),
            ResourceDifference(
                address="aws_sqs_queue.a",
                type="aws_sqs_queue",
                presence=Presence.BOTH,
                attributes=(
                    AttributeDifference(path="delay", first="1", final="2"),
                    AttributeDifference(path="secret", sensitive=True),
                ),
            ),
        ),
        more=4,
    ),
)


class Api:
    """One rollback that becomes what is listed, one look after the other."""

    def __init__(self) -> None:
        self.becomes = [RollbackStatus.QUEUED]
        self.asked: list[tuple[Any, ...]] = []
        self.none = False

    @property
    def value(self) -> Rollback:
        status = self.becomes.pop(0) if len(self.becomes) > 1 else self.becomes[0]
        return rollback(status, result=RESULT if status.stuck else None, reason="its health check failed")

    def start_rollback(self, *, target: str | None, run: str | None, actor: str, reason: str) -> Rollback:
        self.asked.append(("start", target, run, bool(actor), reason))
        return self.value

    def rollbacks(
        self, *, target: str | None = None, flock: str | None = None, unfinished: bool = False, limit: int
    ) -> list[RollbackSummary]:
        self.asked.append(("list", target, flock, unfinished, limit))
        value = self.value
        fields = {name: getattr(value, name) for name in RollbackSummary.model_fields}
        return [] if self.none else [RollbackSummary(**fields)]

    def rollback(self, rollback_id: str) -> Rollback:
        self.asked.append(("show", rollback_id))
        return self.value

    def retry_rollback(self, rollback_id: str, *, actor: str, consents: Sequence[str]) -> Rollback:
        self.asked.append(("retry", rollback_id, bool(actor), list(consents)))
        return self.value

    def skip_rollback(self, rollback_id: str, *, actor: str, reason: str) -> Rollback:
        self.asked.append(("skip", rollback_id, bool(actor), reason))
        return self.value


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Api:
    made = Api()
    stand_in(monkeypatch, made)
    monkeypatch.setattr(rollback_module, "POLL_S", 0.0)
    return made


def test_start_prints_the_id_of_what_was_begun(interlock: Interlock, fake: Api) -> None:
    said = interlock("rollback", "start", "web.north", "--yes", "--reason", "slow")
    assert (said.code, said.out) == (0, f"{ID}\n")
    assert fake.asked == [("start", "web.north", None, True, "slow")]
    assert json.loads(interlock("rollback", "start", "--run", RUN, "--yes", "--json").out)["id"] == ID


@pytest.mark.parametrize("names", [(), ("web.north", "--run", RUN)])
def test_start_takes_either_a_target_or_a_run(interlock: Interlock, fake: Api, names: tuple[str, ...]) -> None:
    said = interlock("rollback", "start", *names)
    assert said.code == 64
    assert "name a target, or a run" in said.err
    assert fake.asked == []


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        (RollbackStatus.ROLLED_BACK, 0),
        (RollbackStatus.NOT_NEEDED, 0),
        (RollbackStatus.PARTIAL, 2),
        (RollbackStatus.SKIPPED, 2),
        (RollbackStatus.FAILED, 1),
    ],
)
def test_watched_it_ends_as_the_rollback_did(interlock: Interlock, fake: Api, ends: RollbackStatus, code: int) -> None:
    fake.becomes = [RollbackStatus.QUEUED, RollbackStatus.RUNNING, RollbackStatus.RUNNING, ends]
    said = interlock("rollback", "start", "web.north", "--watch", "--yes")
    assert said.code == code
    assert said.err.count("web.north: RUNNING") == 1
    fake.becomes = [RollbackStatus.RUNNING, ends]
    assert interlock("rollback", "retry", ID, "--watch").code == code


def test_list_has_one_line_for_each(interlock: Interlock, fake: Api) -> None:
    said = interlock("rollback", "list", "--open", "--flock", "web")
    for word in (ID, "web.north", "QUEUED", "health", RUN):
        assert word in said.out
    assert fake.asked == [("list", None, "web", True, 50)]
    assert json.loads(interlock("rollback", "list", "--json").out)[0]["id"] == ID


def test_show_has_what_is_left_what_was_refused_what_differs_and_what_can_be_done(
    interlock: Interlock, fake: Api
) -> None:
    fake.becomes = [RollbackStatus.PARTIAL]
    said = interlock("rollback", "show", ID)
    for word in (
        "aws_sns_topic.b",
        "it existed before",
        "delay",
        "(sensitive)",
        "only final",
        "and 4 more",
        "none: nothing",
    ):
        assert word in said.out
    for word in ("--consent ADDRESS", f"interlock rollback retry {ID}", f"interlock rollback skip {ID}"):
        assert word in said.err
    shown = json.loads(interlock("rollback", "show", ID, "--json").out)
    assert shown["result"]["residue"][0]["address"] == "aws_sns_topic.b"


def test_show_takes_a_target_for_its_last_one(interlock: Interlock, fake: Api) -> None:
    assert interlock("rollback", "show", "web.north").code == 0
    assert fake.asked == [("list", "web.north", None, False, 1), ("show", ID)]
    fake.none = True
    said = interlock("rollback", "show", "web.north")
    assert said.code != 0
    assert "web.north has no rollback" in said.err


def test_retry_goes_on_past_a_refusal_with_consent_by_name(interlock: Interlock, fake: Api) -> None:
    said = interlock("rollback", "retry", ID, "--consent", "aws_sqs_queue.a", "--consent", "aws_x.b")
    assert said.code == 0
    assert fake.asked == [("retry", ID, True, ["aws_sqs_queue.a", "aws_x.b"])]


def test_skip_leaves_it_as_it_is(interlock: Interlock, fake: Api) -> None:
    fake.becomes = [RollbackStatus.SKIPPED]
    said = interlock("rollback", "skip", ID, "--reason", "kept")
    assert "takes other runs again" in said.out
    assert fake.asked == [("skip", ID, True, "kept")]
