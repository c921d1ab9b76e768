"""`interlock recover`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.errors import ApiError
from shared.models import Run, RunKind, RunStatus
from shared.recovery.imports import block
from shared.recovery.orphans import KeptState, Orphan, OrphanReport
from tests.unit.cli.conftest import CREATED, FakeApi, Said, make_run

RUN = "run-0123456789abcdef"
RECOVERY = "run-00000000000000aa"


def orphan(**changes: Any) -> Orphan:
    values: dict[str, Any] = {
        "call_id": "0" * 32,
        "service": "s3",
        "operation": "CreateBucket",
        "region": "eu-west-1",
        "at": CREATED,
        "outcome": "made",
        "names": {"Bucket": "orders"},
        "type": "aws_s3_bucket",
        "id": "orders",
        "address": "aws_s3_bucket.orders",
        "import_block": block("aws_s3_bucket.orders", "orders"),
    }
    return Orphan.model_validate({**values, **changes})


def report(**changes: Any) -> OrphanReport:
    values: dict[str, Any] = {
        "run_id": RUN,
        "target": "shop.local",
        "flock": "shop",
        "epoch": 3,
        "kind": "apply",
        "status": "lost",
        "ended_at": CREATED,
        "reported_at": CREATED,
        "looked_at": CREATED,
        "state_serial": 7,
        "orphans": (orphan(),),
        "open": True,
    }
    return OrphanReport.model_validate({**values, **changes})


@dataclass
class Left:
    """The part of the API that the command uses."""

    reports: list[OrphanReport] = field(default_factory=lambda: [report()])
    ends_as: RunStatus = RunStatus.APPLIED
    asked: list[Any] = field(default_factory=list)

    def orphans(self, **choice: Any) -> list[OrphanReport]:
        self.asked.append(choice)
        return self.reports

    def orphans_of(self, run_id: str) -> OrphanReport:
        if run_id != RUN:
            raise ApiError(f"no run {run_id}", status=404, code="unknown_run")
        return self.reports.pop(0) if len(self.reports) > 1 else self.reports[0]

    def recover(self, run_id: str, *, actor: str) -> Run:
        self.asked.append(("recover", run_id, bool(actor)))
        return make_run(id=RECOVERY, kind=RunKind.RECOVER)


@pytest.fixture
def left(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> Left:
    made = Left()
    for name in ("orphans", "orphans_of", "recover"):
        monkeypatch.setattr(FakeApi, name, staticmethod(getattr(made, name)), raising=False)
    monkeypatch.setattr("cli.follow.POLL_S", 0.0)
    fake_api.stages[RECOVERY] = [make_run(id=RECOVERY, kind=RunKind.RECOVER, status=RunStatus.APPLIED, exit_code=0)]
    return made


def test_an_operator_is_shown_what_was_made_and_how_to_go_on(interlock: Callable[..., Said], left: Left) -> None:
    kept = KeptState(epoch=3, serial=9, lineage="l", continues=False, why="another lineage")
    lost = orphan(outcome="unknown", import_block=None, address=None, id=None, why="its answer was lost")
    left.reports = [report(orphans=(orphan(), lost), kept_states=(kept,))]
    said = interlock("recover", RUN)
    assert said.code == 2
    for word in ("shop.local", "state serial 7", "CreateBucket", "aws_s3_bucket.orders", "does not continue"):
        assert word in said.out
    assert 'import {\n  to = aws_s3_bucket.orders\n  id = "orders"\n}' in said.out
    assert "its answer was lost" in said.err
    assert f"interlock recover {RUN} --yes" in said.err
    assert "1 calls had no answer" in said.err
    assert not [one for one in left.asked if "recover" in one]


def test_as_json_it_is_one_document_with_the_blocks_ready(interlock: Callable[..., Said], left: Left) -> None:
    said = interlock("recover", RUN, "--json")
    document = json.loads(said.out)
    assert said.code == document["exit_code"] == 2
    assert document["imports"].startswith("import {")
    assert document["report"]["orphans"][0]["id"] == "orders"


def test_nothing_left_is_exit_code_0(interlock: Callable[..., Said], left: Left) -> None:
    left.reports = [report(orphans=(), open=False, settled_by="run-x took over")]
    said = interlock("recover", RUN)
    assert said.code == 0
    assert "run-x took over" in said.out
    assert interlock("recover", RUN, "--yes").code == 0
    assert left.asked == []


def test_yes_starts_a_run_that_takes_over_and_follows_it(interlock: Callable[..., Said], left: Left) -> None:
    left.reports = [report(), report(orphans=(), open=False)]
    said = interlock("recover", RUN, "--yes", "--json")
    assert said.code == 0
    assert ("recover", RUN, True) in left.asked
    document = json.loads(said.out)
    assert (document["run"]["id"], document["report"]["open"]) == (RECOVERY, False)


def test_a_recovery_that_fails_is_exit_code_1_with_its_reason(
    interlock: Callable[..., Said], left: Left, fake_api: FakeApi
) -> None:
    failed = make_run(id=RECOVERY, kind=RunKind.RECOVER, status=RunStatus.ERRORED, exit_code=1, reason="left 2")
    fake_api.stages[RECOVERY] = [failed]
    said = interlock("recover", RUN, "--yes")
    assert said.code == 1
    assert "left 2" in said.err


def test_detached_it_prints_the_runs_id(interlock: Callable[..., Said], left: Left) -> None:
    said = interlock("recover", RUN, "--yes", "--detach")
    assert (said.code, said.out.splitlines()[-1]) == (0, RECOVERY)


def test_without_a_run_those_that_left_something_are_listed(interlock: Callable[..., Said], left: Left) -> None:
    said = interlock("recover", "--target", "shop.local")
    assert said.code == 2
    assert RUN in said.out
    assert left.asked == [{"target": "shop.local", "everything": False}]
    left.reports = []
    assert interlock("recover").code == 0


def test_yes_without_a_run_and_an_unknown_run_are_refused(interlock: Callable[..., Said], left: Left) -> None:
    assert interlock("recover", "--yes").code == 64
    assert interlock("recover", "run-ffffffffffffffff").code == 64
