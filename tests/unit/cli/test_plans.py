"""`interlock plan` and its group."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from shared.models import JournalRecord
from shared.safety.entries import Entry
from shared.safety.records import SafetyRecord, Unused
from shared.safety.verdict import Decision, Verdict
from tests.unit.cli.conftest import stand_in
from tests.unit.shared.safety.support import change, document, entry, plan
from tests.unit.shared.safety.test_records import RUN, record

Interlock = Callable[..., Any]


class Api:
    """One run's safety plan."""

    def __init__(self) -> None:
        self.record = record()
        self.approved: list[tuple[str, str, bool]] = []
        self.consents: list[str] = []
        self.wanted: tuple[Entry, ...] = ()

    def safety_plan(self, run_id: str) -> SafetyRecord:
        assert run_id == RUN
        return self.record

    def approve_safety_plan(
        self, run_id: str, digest: str, *, actor: str, consents: Sequence[str] = ()
    ) -> SafetyRecord:
        self.approved.append((run_id, digest, bool(actor)))
        self.consents = list(consents)
        if self.wanted and not consents:
            held = Verdict(decision=Decision.HELD, unconsented=self.wanted, why="consent by name is wanted")
            return self.record.model_copy(update={"verdict": held})
        accepted = Verdict(decision=Decision.ACCEPTED, approvers=("anna",), needed=1, why="approved by anna")
        return self.record.model_copy(update={"verdict": accepted})

    def journal(self, *, run: str, limit: int) -> list[JournalRecord]:
        assert (run, limit) == (RUN, 10_000)
        return []

    def unused_of_safety_plan(self, run_id: str) -> Unused:
        left = (entry("create", "aws_x.b"),)
        return Unused(run_id=run_id, target="web.north", approved=2, unused=left, suggested=plan(), note="so far")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Api:
    made = Api()
    stand_in(monkeypatch, made)
    return made


def test_show_has_every_entry_the_verdict_and_who_approved(interlock: Interlock, fake: Api) -> None:
    said = interlock("plan", "show", RUN)
    for word in ("web.north", "held: held", "anna at 2026-01-01", "create", "aws_x.a", "aws_x.b"):
        assert word in said.out
    assert json.loads(interlock("plan", "show", RUN, "--json").out)["verdict"]["decision"] == "held"


def test_show_unused_has_what_was_not_needed(interlock: Interlock, fake: Api) -> None:
    said = interlock("plan", "show", RUN, "--unused")
    assert "aws_x.b" in said.out
    assert said.err == "1 of 2 approved entries were not needed, so far\n"
    assert json.loads(interlock("plan", "show", RUN, "--unused", "--json").out)["without_a_call"] == []


def test_show_unused_names_what_was_planned_and_never_called(interlock: Interlock, fake: Api) -> None:
    fake.record = fake.record.model_copy(update={"plan": plan(entry("delete", "aws_sqs_queue.a"))})
    said = interlock("plan", "show", RUN, "--unused")
    assert "planned, and no call of it was answered: delete aws_sqs_queue.a" in said.err


def test_approve_shows_what_is_approved_and_approves_exactly_that(interlock: Interlock, fake: Api) -> None:
    said = interlock("plan", "approve", RUN, "--yes")
    assert "create                aws_x.a" in said.err
    assert said.out.endswith("is accepted: approved by anna\n")
    assert fake.approved == [(RUN, fake.record.digest, True)]


def test_show_says_of_each_operation_how_far_it_could_be_undone(interlock: Interlock, fake: Api) -> None:
    fake.record = fake.record.model_copy(update={"plan": plan(entry("delete", "aws_db_instance.a"))})
    said = interlock("plan", "show", RUN)
    assert "reversible with data loss" in said.out


def test_what_cannot_be_undone_is_approved_by_name(interlock: Interlock, fake: Api) -> None:
    fake.wanted = (entry("delete", "aws_x.a"),)
    said = interlock("plan", "approve", RUN, "--yes")
    assert f"`interlock plan approve {RUN} --consent 'aws_x.a'` agrees to it" in said.err
    assert "is held" in said.out
    said = interlock("plan", "approve", RUN, "--yes", "--consent", "aws_x.a", "--consent", "aws_x.b")
    assert fake.consents == ["aws_x.a", "aws_x.b"]
    assert "is accepted" in said.out


def test_compare_says_what_only_one_of_them_does(interlock: Interlock, fake: Api, tmp_path: Path) -> None:
    here = tmp_path / "plan.json"
    here.write_bytes(document(change("aws_x.a", "create"), change("aws_x.c", "delete")))
    said = interlock("plan", "compare", RUN, str(here))
    assert said.code == 2
    lines = [line.split() for line in said.out.splitlines()[1:]]
    assert lines == [["here", "delete", "aws_x", "aws_x.c"], [RUN, "create", "aws_x", "aws_x.b"]]
    assert json.loads(interlock("plan", "compare", RUN, str(here), "--json").out)["same"] is False


def test_two_plans_that_do_the_same_compare_as_such(interlock: Interlock, fake: Api, tmp_path: Path) -> None:
    here = tmp_path / "plan.json"
    here.write_bytes(document(change("aws_x.b", "create"), change("aws_x.a", "create")))
    said = interlock("plan", "compare", RUN, str(here))
    assert (said.code, said.err) == (0, "both do the same, 2 entries\n")


@pytest.mark.parametrize("content", [document()[:20], document(format_version="2.1"), None])
def test_a_file_that_is_no_plan_is_refused_with_a_hint(
    interlock: Interlock, fake: Api, tmp_path: Path, content: bytes | None
) -> None:
    here = tmp_path / "plan.json"
    if content is not None:
        here.write_bytes(content)
    said = interlock("plan", "compare", RUN, str(here))
    assert said.code == 64
    assert "hint:" in said.err


def test_help_tells_of_making_a_plan_and_of_the_rest(interlock: Interlock) -> None:
    said = interlock("plan", "--help")
    for word in ("show", "approve", "compare", "-f flock.yaml"):
        assert word in said.out
    assert "make" not in said.out.split("Commands")[1].split("Examples")[0].replace("makes", "")
