"""Following runs to their end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from cli import follow
from cli.follow import Follower, prefixed, stream_log
from cli.outcome import exit_code_of
from cli.output import Output
from shared.errors import Unavailable
from shared.models import Run

RunLike = Callable[..., Run]


def followed(api: Any, runs: Sequence[Run]) -> list[Run]:
    return Follower(api, Output(as_json=False), runs, poll_s=0).to_the_end()


def test_the_whole_log_is_shown_and_each_change_of_status_noted(
    fake_api: Any, run_like: RunLike, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_like()
    fake_api.stages[run.id] = [
        run_like(status="claimed", epoch=4, node="n1"),
        run_like(status="applying", epoch=4, node="n1"),
        run_like(status="applied", epoch=4, node="n1"),
    ]
    fake_api.log[run.id] = "one line\nand another line\n"
    assert [one.status.value for one in followed(fake_api, [run])] == ["applied"]
    said = capsys.readouterr()
    assert said.out == "one line\nand another line\n"
    statuses = [line.split(": ")[1] for line in said.err.splitlines()]
    assert statuses == [
        "pending",
        "claimed (epoch 4, on n1)",
        "applying (epoch 4, on n1)",
        "applied (epoch 4, on n1)",
    ]


def test_the_run_that_takes_over_from_a_lost_one_is_followed_to_its_end(
    fake_api: Any, run_like: RunLike, capsys: pytest.CaptureFixture[str]
) -> None:
    run, second = run_like(), "run-00000000000000ff"
    fake_api.stages[run.id] = [run_like(status="lost", epoch=1)]
    fake_api.stages[second] = [run_like(id=second, status="applied", epoch=2, retry_of=run.id, attempt=2)]
    fake_api.log = {run.id: "first\n", second: "second\n"}
    ended = followed(fake_api, [run])
    assert [one.id for one in ended] == [second]
    said = capsys.readouterr()
    assert said.out == "first\nsecond\n"
    assert f"{second} takes over" in said.err


def test_a_lost_run_that_is_taken_back_is_followed_to_that(
    fake_api: Any, run_like: RunLike, capsys: pytest.CaptureFixture[str]
) -> None:
    run, second = run_like(), "run-00000000000000ff"
    fake_api.stages[run.id] = [run_like(status="lost", epoch=1)]
    fake_api.stages[second] = [run_like(id=second, kind="rollback", status="rolled_back", epoch=2, retry_of=run.id)]
    (ended,) = followed(fake_api, [run])
    assert f"{run.id} lost its lease; {second} takes it back" in capsys.readouterr().err
    # What was asked for did not come about.
    assert exit_code_of(ended) == 1


@pytest.mark.parametrize(
    "changes", [{"kind": "exec"}, {"revoke_requested": True}, {"cancel_requested": True}], ids=lambda c: next(iter(c))
)
def test_no_follow_up_is_waited_for_where_none_comes(fake_api: Any, run_like: RunLike, changes: dict[str, Any]) -> None:
    run = run_like(**changes)
    fake_api.stages[run.id] = [run_like(status="lost", **changes)]
    assert followed(fake_api, [run])[0].status.value == "lost"
    assert not [asked for asked in fake_api.asked if asked[0] == "runs"]


def test_a_lost_run_whose_attempts_are_used_up_ends_as_lost(fake_api: Any, run_like: RunLike) -> None:
    run = run_like()
    fake_api.stages[run.id] = [run_like(status="lost")]
    assert followed(fake_api, [run])[0].status.value == "lost"


def test_lines_of_several_runs_name_their_target(
    fake_api: Any, run_like: RunLike, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [run_like(id=f"run-000000000000000{n}", target=f"shop.r{n}") for n in (1, 2)]
    for run in runs:
        fake_api.stages[run.id] = [run.model_copy(update={"status": "applied"})]
        fake_api.stages[run.id] = [run_like(id=run.id, target=run.target, status="applied")]
        fake_api.log[run.id] = "a long first line\nshort\n"
    followed(fake_api, runs)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"shop.r{n} | {text}" for n in (1, 2) for text in ("a long first line", "short")]


def test_an_interrupt_cancels_the_run_and_waits_for_its_end(
    fake_api: Any, run_like: RunLike, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_like()
    fake_api.stages[run.id] = [run_like(status="applying"), run_like(status="applying"), run_like(status="canceled")]
    interrupts = [KeyboardInterrupt()]

    def sleep(seconds: float) -> None:
        if interrupts:
            raise interrupts.pop()

    monkeypatch.setattr(follow.time, "sleep", sleep)
    assert followed(fake_api, [run])[0].status.value == "canceled"
    assert ("cancel", run.id) in fake_api.asked


def test_a_second_interrupt_stops_waiting(fake_api: Any, run_like: RunLike, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_like()
    fake_api.stages[run.id] = [run_like(status="applying")]

    def sleep(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(follow.time, "sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        followed(fake_api, [run])
    assert fake_api.asked.count(("cancel", run.id)) == 1


def test_an_api_that_is_away_for_a_moment_does_not_end_the_wait(
    fake_api: Any, run_like: RunLike, capsys: pytest.CaptureFixture[str]
) -> None:
    run, answer, failures = run_like(), fake_api.run, [1, 2, 3]
    fake_api.stages[run.id] = [run_like(status="applied")]

    def flaky(run_id: str) -> Run:
        if failures:
            failures.pop()
            raise Unavailable("the API is away")
        return answer(run_id)

    fake_api.run = flaky
    assert followed(fake_api, [run])[0].status.value == "applied"
    assert capsys.readouterr().err.count("the API is away") == 1


def test_an_api_that_stays_away_ends_the_wait(
    fake_api: Any, run_like: RunLike, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(run_id: str) -> Run:
        raise Unavailable("the API is away")

    fake_api.run = away
    monkeypatch.setattr(follow, "MAX_FAILED_POLLS", 3)
    with pytest.raises(Unavailable):
        followed(fake_api, [run_like()])


def test_a_run_that_nobody_takes_is_explained(
    fake_api: Any, run_like: RunLike, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(follow, "PENDING_POLLS", 2)
    run = run_like(region="eu-west-1")
    waiting = [run_like(region="eu-west-1")] * 5
    fake_api.stages[run.id] = [*waiting, run_like(region="eu-west-1", status="applied")]
    followed(fake_api, [run])
    assert capsys.readouterr().err.count("INTERLOCK_REGIONS=eu-west-1") == 1


def test_a_log_is_streamed_until_it_is_complete(fake_api: Any) -> None:
    fake_api.log["r"] = "x" * 20
    assert "".join(stream_log(fake_api, "r", until_complete=True, poll_s=0)) == "x" * 20
    assert "".join(stream_log(fake_api, "r", until_complete=False, poll_s=0)) == "x" * 20


def test_pieces_of_a_line_get_one_prefix() -> None:
    first, at_start = prefixed("a\nb", "p| ", at_line_start=True)
    second, end = prefixed("c\n", "p| ", at_line_start=at_start)
    assert first + second == "p| a\np| bc\n"
    assert end
