"""`interlock drift`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest

from shared.drift.ignoring import IgnoreRule
from shared.drift.records import ChecksQueued, DriftCheck, DriftDetail, DriftStanding, RuleUse, SignedCalls
from shared.drift.report import AttributeChange, Cause, DriftReport, ResourceDrift, ResourceStatus, RollUp
from shared.errors import ApiError
from shared.models import LogChunk, Run, RunStatus, Target
from tests.unit.cli.conftest import make_run, stand_in

Interlock = Callable[..., Any]
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = "run-0123456789abcdef"
DIGEST = "sha256:" + "a" * 64
RULE = IgnoreRule(address="aws_sqs_queue.*", attribute="tags", expires=date(2027, 1, 1), reason="a job tags them")
REPORT = DriftReport(
    resources=(
        ResourceDrift(address="aws_sqs_queue.fine", type="aws_sqs_queue", status=ResourceStatus.IN_SYNC),
        ResourceDrift(
            address="aws_sqs_queue.orders",
            type="aws_sqs_queue",
            status=ResourceStatus.MODIFIED,
            cause=Cause.CHANGED_OUTSIDE,
            attributes=(
                AttributeChange(path="delay_seconds", before="0", after="90"),
                AttributeChange(path="policy", sensitive=True),
                AttributeChange(path="tags.a", before="1", after="2", ignored=True),
                AttributeChange(path="arn", before="x", after="y", cause=Cause.NORMALISATION),
            ),
            more_attributes=7,
        ),
        ResourceDrift(
            address="aws_iam_role.x", type="aws_iam_role", status=ResourceStatus.NOT_CHECKED, reason="access denied"
        ),
    ),
    gaps=("a provider could not be started",),
)


def standing(target: str = "shop.local", **values: Any) -> DriftStanding:
    known = {"target": target, "flock": "shop", "roll_up": RollUp.DRIFTED, "since": AT, "run_id": RUN, "drifted": 1}
    return DriftStanding.model_validate({**known, **values})


class Api:
    """Two targets, and checks that end as a test says."""

    def __init__(self) -> None:
        self.standings = [standing(), standing("shop.south", roll_up=RollUp.IN_SYNC, drifted=0)]
        check = DriftCheck(
            run_id=RUN,
            target="shop.local",
            release_digest=DIGEST,
            roll_up=RollUp.DRIFTED,
            counts={ResourceStatus.IN_SYNC: 1, ResourceStatus.MODIFIED: 1, ResourceStatus.NOT_CHECKED: 1},
            ignored=1,
            expired=(RULE,),
            created_at=AT,
        )
        self.detail = DriftDetail(
            standing=self.standings[0], check=check, report=REPORT, calls=SignedCalls(reads=41, refused=2)
        )
        self.ended = {"status": RunStatus.CHECKED, "exit_code": 0}
        self.asked: list[Any] = []

    def drift(self, *, flock: str | None, roll_up: RollUp | None) -> list[DriftStanding]:
        self.asked.append((flock, roll_up))
        return self.standings

    def drift_of(self, target: str) -> DriftDetail:
        if target != "shop.local":
            raise ApiError(f"no target {target}", status=404, code="unknown_target")
        return self.detail

    def targets(self) -> list[Target]:
        known = {"provider_region": "x", "epoch": 0, "region": "local"}
        return [
            Target(id="shop.local", flock="shop", release_digest=DIGEST, **known),
            Target(id="shop.new", flock="shop", **known),
            Target(id="web.local", flock="web", release_digest=DIGEST, **known),
        ]

    def check_drift(self, targets: Sequence[str], *, actor: str) -> ChecksQueued:
        assert actor
        self.asked.append(list(targets))
        return ChecksQueued(runs=tuple(self.run(RUN) for _ in targets))

    def run(self, run_id: str) -> Run:
        return make_run(id=run_id, kind="drift", **self.ended)

    def logs(self, run_id: str, *, offset: int) -> LogChunk:
        return LogChunk(text="", next_offset=offset, complete=True)

    def drift_rules(self, *, flock: str | None) -> list[RuleUse]:
        self.asked.append(flock)
        over = RULE.model_copy(update={"expires": date(2001, 1, 1), "attribute": None})
        return [
            RuleUse(flock="shop", rule=RULE, expired=False, hits=12, last_hit_at=AT, last_run_id=RUN),
            RuleUse(flock="shop", rule=over, expired=True),
        ]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Api:
    made = Api()
    stand_in(monkeypatch, made)
    return made


def test_list_shows_where_each_target_stands(interlock: Interlock, fake: Api) -> None:
    said = interlock("drift", "list", "--flock", "shop", "--standing", "drifted")
    assert fake.asked == [("shop", RollUp.DRIFTED)]
    north, south = (line.split() for line in said.out.splitlines()[1:])
    assert (north[:2], south[:3]) == (["shop.local", "drifted"], ["shop.south", "in", "sync"])
    assert said.code == 0
    assert [one["roll_up"] for one in json.loads(interlock("drift", "list", "--json").out)] == ["drifted", "in_sync"]


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ({"pending": RollUp.IN_SYNC}, "one check found it in sync"),
        ({"failures": 2, "last_reason": "no provider"}, "2 checks in a row said nothing: no provider"),
        ({"changes": 4}, "changed 4 times lately"),
        ({"remediation": "plan: rollout-0123456789abcdef"}, "plan: rollout-0123456789abcdef"),
        ({"roll_up": None, "since": None}, "unknown"),
    ],
)
def test_list_notes_what_a_person_should_know(
    interlock: Interlock, fake: Api, values: dict[str, Any], note: str
) -> None:
    fake.standings = [standing(**values)]
    assert note in interlock("drift", "list").out


def test_an_unknown_standing_is_refused_with_the_known_ones(interlock: Interlock, fake: Api) -> None:
    said = interlock("drift", "list", "--standing", "broken")
    assert (said.code, fake.asked) == (64, [])
    assert "not_checked" in said.err


def test_show_has_what_drifted_what_was_ignored_and_the_proof_that_it_only_read(
    interlock: Interlock, fake: Api
) -> None:
    said = interlock("drift", "show", "shop.local")
    assert said.code == 2
    for words in (
        "aws_sqs_queue.orders", "delay_seconds", "(sensitive)", "tags.a (ignored)", "arn (normalisation)", "and 7 more",
        "access denied", "41 reads, 0 writes; 2 refused", "1 changes, by rule", "aws_sqs_queue.* since 2027-01-01",
        "drifted (1 in sync, 1 modified, 1 not checked)",
    ):  # fmt: skip
        assert words in said.out, words
    assert "aws_sqs_queue.fine" not in said.out
    assert f"`interlock journal ls --run {RUN}` shows each call" in said.err
    assert "not complete: a provider could not be started" in said.err
    assert "aws_sqs_queue.fine" in interlock("drift", "show", "shop.local", "--all").out
    assert json.loads(interlock("drift", "show", "shop.local", "--json").out)["calls"]["writes"] == 0


@pytest.mark.parametrize(("roll_up", "code"), [("in_sync", 0), ("drifted", 2), ("not_checked", 1), (None, 1)])
def test_the_exit_code_of_show_is_how_the_target_stands(
    interlock: Interlock, fake: Api, roll_up: str | None, code: int
) -> None:
    fake.detail = fake.detail.model_copy(update={"standing": standing(roll_up=roll_up)})
    assert interlock("drift", "show", "shop.local").code == code
    assert interlock("drift", "show", "shop.local", "--json").code == code


def test_a_target_without_a_check_says_how_to_get_one(interlock: Interlock, fake: Api) -> None:
    fake.detail = DriftDetail(standing=standing(roll_up=None, since=None, run_id=None, drifted=0))
    said = interlock("drift", "show", "shop.local")
    assert said.code == 1
    assert "`interlock drift check shop.local` makes one" in said.err


@pytest.mark.parametrize(("exit_code", "words"), [(0, "in sync"), (2, "drifted"), (1, "not everything")])
def test_check_waits_for_its_end_and_exits_as_it_ended(
    interlock: Interlock, fake: Api, exit_code: int, words: str
) -> None:
    fake.ended = {"status": RunStatus.CHECKED, "exit_code": exit_code}
    said = interlock("drift", "check", "shop.local")
    assert said.code == exit_code
    assert words in said.err
    assert fake.asked == [["shop.local"]]


def test_a_check_that_gave_way_is_canceled(interlock: Interlock, fake: Api) -> None:
    fake.ended = {"status": RunStatus.CANCELED, "exit_code": None}
    assert interlock("drift", "check", "shop.local").code == 130


def test_check_of_a_flock_takes_its_targets_that_have_a_release(interlock: Interlock, fake: Api) -> None:
    said = interlock("drift", "check", "--flock", "shop", "--detach", "--json")
    assert fake.asked == [["shop.local"]]
    assert [run["id"] for run in json.loads(said.out)["runs"]] == [RUN]
    nothing = interlock("drift", "check", "--flock", "none")
    assert nothing.code == 64
    assert "no target of flock 'none' has a release" in nothing.err


@pytest.mark.parametrize("words", [(), ("shop.local", "--flock", "shop")])
def test_check_wants_either_targets_or_their_flock(interlock: Interlock, fake: Api, words: tuple[str, ...]) -> None:
    assert interlock("drift", "check", *words).code == 64
    assert fake.asked == []


def test_rules_shows_hits_and_what_has_expired(interlock: Interlock, fake: Api) -> None:
    said = interlock("drift", "rules", "--flock", "shop")
    used, over = said.out.splitlines()[1:]
    assert fake.asked == ["shop"]
    for words in ("aws_sqs_queue.*", "tags", "12", "a job tags them"):
        assert words in used
    assert "2001-01-01 (expired)" in over
    assert [one["hits"] for one in json.loads(interlock("drift", "rules", "--json").out)] == [12, 0]
