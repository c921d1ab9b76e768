"""A run's log."""

from __future__ import annotations

import pytest

from scheduler import run_logs, runs
from scheduler.run_logs import append, read
from shared.errors import ApiError
from shared.models import RunStatus
from tests.unit.scheduler.support import TARGET, World


@pytest.fixture
def run_id(world: World) -> str:
    return world.begin()[0].run.id


def test_pieces_are_read_back_in_order_from_any_offset(world: World, run_id: str) -> None:
    append(world.context, run_id, holder="holder-1", offset=0, text="héllo\n")
    append(world.context, run_id, holder="holder-1", offset=7, text="world\n")
    chunk = read(world.context, run_id, offset=0)
    assert (chunk.text, chunk.next_offset, chunk.complete) == ("héllo\nworld\n", 13, False)
    assert read(world.context, run_id, offset=9).text == "rld\n"
    assert read(world.context, run_id, offset=13).text == ""


def test_a_piece_that_comes_twice_or_overlaps_is_kept_once(world: World, run_id: str) -> None:
    for offset, text in ((0, "abc"), (0, "abc"), (2, "cde"), (1, "bc")):
        append(world.context, run_id, holder="holder-1", offset=offset, text=text)
    assert read(world.context, run_id, offset=0).text == "abcde"


def test_only_the_holder_writes(world: World, run_id: str) -> None:
    with pytest.raises(ApiError) as refused:
        append(world.context, run_id, holder="someone", offset=0, text="x")
    assert refused.value.code == "lease_lost"


def test_a_piece_has_a_bound(world: World, run_id: str) -> None:
    with pytest.raises(ApiError) as refused:
        append(world.context, run_id, holder="holder-1", offset=0, text="x" * (run_logs.MAX_PIECE_BYTES + 1))
    assert refused.value.status == 400


def test_a_log_has_a_bound_and_says_so(world: World, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_logs, "MAX_LOG_BYTES", 10)
    for offset in (0, 6, 12):
        append(world.context, run_id, holder="holder-1", offset=offset, text="123456")
    text = read(world.context, run_id, offset=0).text
    assert text.startswith("123456\n[the log is longer")
    assert text.count("[the log") == 1


def test_a_long_log_comes_in_several_answers_and_is_complete_only_at_the_end(
    world: World, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_logs, "MAX_ANSWER_BYTES", 5)
    for piece in range(3):
        append(world.context, run_id, holder="holder-1", offset=piece * 5, text="12345")
    world.store.release(TARGET, world.store.view(TARGET).lease_id)
    runs.finish(
        world.context, run_id, holder="holder-1", epoch=1, exit_code=1, status=RunStatus.ERRORED, reason="failed"
    )
    chunks = [read(world.context, run_id, offset=offset) for offset in (0, 5, 10)]
    assert [(chunk.next_offset, chunk.complete) for chunk in chunks] == [(5, False), (10, False), (15, True)]


def test_what_a_text_column_cannot_hold_is_replaced(world: World, run_id: str) -> None:
    append(world.context, run_id, holder="holder-1", offset=0, text="a\0b")
    assert read(world.context, run_id, offset=0).text == "a␀b"
