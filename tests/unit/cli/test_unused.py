"""What was approved and not needed is told after each deployment, and never decides how it ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cli import unused
from cli.output import Output
from cli.rollout_progress import Watcher
from cli.unused import MAX_ASKED, MAX_NAMED, after_rollout, after_runs, notes
from shared.errors import ApiError, InterlockError, Unavailable
from shared.models import RunKind, RunStatus
from shared.rollouts import Rollout, RolloutStatus, Stage
from shared.safety.entries import Entry
from shared.safety.records import Unused
from tests.unit.cli.conftest import make_run
from tests.unit.cli.test_rollout_progress import value
from tests.unit.shared.safety.support import entry, plan

KEPT = entry("update", "aws_x.kept")


def left_of(run_id: str, *entries: Entry) -> Unused:
    return Unused(
        run_id=run_id,
        target="shop.local",
        approved=len(entries) + 1,
        unused=entries,
        suggested=plan(KEPT),
        note="so far",
    )


class Api:
    """Answers for every run the same; or fails."""

    def __init__(self, *entries: Entry, error: InterlockError | None = None) -> None:
        self.entries = entries
        self.error = error
        self.asked: list[str] = []

    def unused_of_safety_plan(self, run_id: str) -> Unused:
        self.asked.append(run_id)
        if self.error is not None:
            raise self.error
        return left_of(run_id, *self.entries)


def run_id(number: int) -> str:
    return f"run-{number:016x}"


def applied(*digests: str | None, status: RolloutStatus = RolloutStatus.SUCCEEDED) -> Rollout:
    """A roll-out that is over, with a plan of that digest for each target."""
    over = value(*[Stage.APPLIED] * len(digests), status=status)
    targets = tuple(
        target.model_copy(update={"run_id": run_id(number), "plan_digest": digest})
        for number, (target, digest) in enumerate(zip(over.targets, digests, strict=True))
    )
    return over.model_copy(update={"targets": targets})


def sha(number: int) -> str:
    return f"sha256:{number:064x}"


def test_a_person_reads_what_was_not_needed_and_the_smaller_plan() -> None:
    first, second = notes(left_of(run_id(1), entry("delete", "aws_x.b"), entry("create", "aws_x.a")))
    assert first == (
        "shop.local: 2 of 3 approved entries were not needed: create aws_x.a, delete aws_x.b; "
        f"`interlock plan show {run_id(1)} --unused` says by what"
    )
    assert second == "shop.local: the smaller plan that would have done: update aws_x.kept"


def test_where_everything_was_needed_nothing_is_said() -> None:
    assert list(notes(left_of(run_id(1)))) == []


def test_of_many_entries_some_are_named() -> None:
    many = [entry("create", f"aws_x.n{number:03}") for number in range(MAX_NAMED + 5)]
    assert "aws_x.n009 and 5 more;" in next(notes(left_of(run_id(1), *many)))


@pytest.mark.parametrize(
    ("kind", "status", "asked"),
    [
        (RunKind.APPLY, RunStatus.APPLIED, True),
        (RunKind.DESTROY, RunStatus.APPLIED, True),
        (RunKind.APPLY, RunStatus.HALTED, False),
        (RunKind.PLAN, RunStatus.PLANNED, False),
        (RunKind.EXEC, RunStatus.SUCCEEDED, False),
    ],
)
def test_only_what_was_deployed_is_asked_about(kind: RunKind, status: RunStatus, asked: bool) -> None:
    api = Api()
    after_runs(api, Output(as_json=False), [make_run(kind=kind, status=status)])  # type: ignore[arg-type]
    assert bool(api.asked) is asked


def test_an_apply_ends_with_it(interlock: Callable[..., Any], fake_api: Any, target_like: Callable[..., Any]) -> None:
    fake_api.known = [target_like()]
    fake_api.unused_of_safety_plan = Api(entry("create", "aws_x.a")).unused_of_safety_plan
    said = interlock("apply", "shop.local", "--json")
    assert said.code == 0
    assert "1 of 2 approved entries were not needed: create aws_x.a" in said.err
    (left,) = json.loads(said.out)["unused"]
    assert left["suggested"]["entries"] == [KEPT.model_dump(mode="json")]


def test_a_watched_rollout_ends_with_it_once_for_each_different_plan(capsys: pytest.CaptureFixture[str]) -> None:
    api = Api(entry("create", "aws_x.a"))
    over = applied(sha(1), sha(2), sha(1), None)
    api.rollout = lambda rollout_id: over  # type: ignore[attr-defined]
    assert Watcher(api, Output(as_json=True), over.id).to_the_end() == 0  # type: ignore[arg-type]
    assert api.asked == [run_id(0), run_id(1), run_id(3)]
    said = capsys.readouterr()
    assert said.err.count("were not needed") == 3
    assert [json.loads(line)["id"] for line in said.out.splitlines()] == [over.id], "one kind of object on stdout"


def test_a_large_rollout_is_asked_about_a_bounded_number_of_times() -> None:
    api = Api()
    after_rollout(api, Output(as_json=False), applied(*map(sha, range(50))))  # type: ignore[arg-type]
    assert len(api.asked) == MAX_ASKED


def test_a_run_without_a_safety_plan_is_passed_over(capsys: pytest.CaptureFixture[str]) -> None:
    api = Api(error=ApiError("none", status=404, code="no_safety_plan"))
    over = applied(sha(1), sha(2))
    assert after_rollout(api, Output(as_json=False), over) == []  # type: ignore[arg-type]
    assert len(api.asked) == 2
    assert capsys.readouterr().err == ""


def test_an_api_that_is_away_is_said_and_changes_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    api = Api(error=Unavailable("the API is away"))
    runs = [make_run(id=run_id(number), status=RunStatus.APPLIED) for number in range(3)]
    assert unused.after_runs(api, Output(as_json=False), runs) == []  # type: ignore[arg-type]
    assert len(api.asked) == 1
    assert "what was approved and not needed is not known: the API is away" in capsys.readouterr().err
