"""What a person sees: live on a terminal, lines in a pipe, nothing with --json."""

from __future__ import annotations

import io

from rich.console import Console

from deploy.demo.timeline import Event, Timeline, seconds
from deploy.demo.verdict import Verdict


def verdict(**changes: object) -> Verdict:
    values: dict[str, object] = {
        "passed": True,
        "reasons": (),
        "overlaps": 0,
        "still_running": 0,
        "after_cut": 0,
        "unattributed": 0,
        "rejected": 0,
        "converged": True,
        "orphans": (),
        "grant_after_kill_s": 0.42,
        "grant_after_freeze_s": 9.5,
        "in_flight_at_cut": 0,
        "provider": "hashicorp/aws 5.100.0",
        "arrivals": 812,
        "mutating": {},
        **changes,
    }
    return Verdict(**values)  # type: ignore[arg-type]  # one dictionary for all tests


def piped() -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, width=140, markup=False, highlight=False), stream


def event(at_ms: float, text: str) -> Event:
    return Event(at_ms=at_ms, subject="orders.eu", text=text)


def test_in_a_pipe_what_begins_is_a_line_and_events_wait_for_the_end() -> None:
    console, stream = piped()
    with Timeline(console, started_ms=1000, targets=["orders.eu"]) as timeline:
        timeline.act("applying orders.eu")
        timeline.add(event(3500, "epoch 1 granted"))
        (line,) = stream.getvalue().splitlines()
    assert line.endswith("applying orders.eu …")
    timeline.finish(verdict())
    assert "2.50    orders.eu    epoch 1 granted" in stream.getvalue()


def test_the_final_timeline_is_in_the_order_in_which_things_happened() -> None:
    console, stream = piped()
    with Timeline(console, started_ms=0, targets=[]) as timeline:
        timeline.add(event(2000, "seen later"))
        timeline.add(event(1000, "struck before"))
    timeline.finish(verdict())
    final = stream.getvalue().partition("What happened")[2]
    assert final.index("struck before") < final.index("seen later")


def test_the_verdict_shows_every_number_and_the_word() -> None:
    console, stream = piped()
    Timeline(console, started_ms=0, targets=[]).finish(verdict())
    text = stream.getvalue()
    for word in ("overlaps", "after_cut", "0.42", "9.50", "812", "hashicorp/aws 5.100.0", "PASSED"):
        assert word in text


def test_a_failed_verdict_says_why_and_names_orphans() -> None:
    console, stream = piped()
    failed = verdict(passed=False, reasons=("2 overlaps",), orphans=("VPC vpc-1",), grant_after_kill_s=None)
    Timeline(console, started_ms=0, targets=[]).finish(failed)
    text = stream.getvalue()
    assert "not kept: 2 overlaps" in text
    assert "VPC vpc-1" in text
    assert "FAILED" in text


def test_without_a_console_nothing_is_shown_and_events_are_kept() -> None:
    with Timeline(None, started_ms=0, targets=["orders.eu"]) as timeline:
        timeline.act("x")
        timeline.add(event(1, "y"))
        timeline.finish(verdict())
    assert [kept.text for kept in timeline.events] == ["y"]


def test_rows_follow_the_newest_epoch_and_count_calls() -> None:
    timeline = Timeline(None, started_ms=0, targets=["orders.eu"])
    timeline.lease("orders.eu", "held", 2)
    timeline.lease("orders.eu", "severed", 1)
    timeline.lease("somebody.else", "held", 9)
    timeline.call("orders.eu", 1)
    timeline.call("orders.eu", 2)
    timeline.call("orders.eu", 2)
    timeline.call(None, None)
    row = timeline.rows["orders.eu"]
    assert (row.lease, row.epoch, row.calls) == ("held", 2, {1: 1, 2: 2})


def test_on_a_terminal_the_live_table_shows_where_each_target_stands() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, color_system=None, markup=False)
    with Timeline(console, started_ms=0, targets=["orders.eu"]) as timeline:
        timeline.act("applying orders.eu")
        timeline.lease("orders.eu", "held", 1)
        timeline.call("orders.eu", 1)
        timeline.add(event(1000, "epoch 1 granted"))
        console.print(timeline._picture())
    text = stream.getvalue()
    assert "epoch 1 granted" in text
    assert "applying orders.eu" in text
    assert "held" in text
    assert "1: 1" in text


def test_times_are_seconds_since_the_start() -> None:
    assert seconds(2345.6, 1000) == "1.35"
