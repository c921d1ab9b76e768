"""The judge: a broken promise must show, and a kept one must not be accused."""

from __future__ import annotations

from shared.judge import Overlap, SignedCall, after_end, overlaps, shown, still_running


def call(
    epoch: int, at_ms: float, *, target: str = "t", mutating: bool = True, took_ms: float | None = 5
) -> SignedCall:
    return SignedCall(
        target=target,
        epoch=epoch,
        mutating=mutating,
        arrived_ms=at_ms,
        answered_ms=None if took_ms is None else at_ms + took_ms,
    )


def test_one_epoch_after_the_other_is_no_overlap() -> None:
    assert overlaps([call(1, 1), call(1, 2), call(2, 3), call(4, 4)]) == []


def test_an_older_epoch_that_mutates_after_a_newer_one_is_an_overlap_that_names_both_calls() -> None:
    first, newer, again, late = call(1, 1), call(2, 2), call(2, 3), call(1, 4)
    assert overlaps([first, newer, again, late]) == [Overlap(older=late, newer=newer)]


def test_every_late_call_is_one_overlap_and_does_not_hide_the_next() -> None:
    found = overlaps([call(1, 1), call(3, 2), call(2, 3), call(3, 4), call(1, 5)])
    assert [(overlap.older.epoch, overlap.newer.epoch) for overlap in found] == [(2, 3), (1, 3)]


def test_reads_neither_are_overlaps_nor_begin_an_epoch() -> None:
    assert overlaps([call(2, 1, mutating=False), call(1, 2), call(2, 3), call(1, 4, mutating=False)]) == []


def test_epochs_of_different_targets_have_nothing_to_do_with_each_other() -> None:
    assert overlaps([call(2, 1, target="t"), call(1, 2, target="u")]) == []


def test_the_order_given_is_believed_and_not_the_instants() -> None:
    assert len(overlaps([call(2, 900), call(1, 100)])) == 1
    assert overlaps([call(1, 900), call(2, 100)]) == []


def test_a_call_unanswered_when_a_newer_epoch_begins_is_still_running() -> None:
    assert still_running([call(1, 1000, took_ms=10), call(2, 2000)]) == []
    assert still_running([call(1, 1000, took_ms=1000), call(2, 2000)]) == []
    late, never = call(1, 1000, took_ms=1001), call(1, 1500, took_ms=None)
    assert still_running([late, never, call(2, 2000)]) == [late, never]


def test_only_a_newer_epoch_of_the_same_target_makes_a_call_still_running() -> None:
    waiting = call(2, 1000, took_ms=None)
    assert still_running([waiting, call(2, 1001), call(1, 1002), call(3, 1003, target="u")]) == []


def test_a_late_call_of_a_middle_epoch_does_not_hide_that_a_newer_one_came_first() -> None:
    old = call(1, 1000, took_ms=600)
    assert still_running([old, call(3, 1500), call(2, 1900)]) == [old]


def test_reads_are_never_still_running() -> None:
    assert still_running([call(1, 1000, mutating=False, took_ms=None), call(2, 2000)]) == []
    assert still_running([call(1, 1000, took_ms=None), call(2, 2000, mutating=False)]) == []


def test_any_call_of_a_lease_after_its_end_counts_also_a_read() -> None:
    before, at, write, read = call(1, 999), call(1, 1000), call(1, 1001), call(1, 1002, mutating=False)
    assert after_end([before, at, write, read, call(2, 1003)], {("t", 1): 1000}) == [write, read]


def test_a_lease_that_never_ended_has_no_call_after_its_end() -> None:
    assert after_end([call(1, 9e9)], {("t", 2): 1, ("u", 1): 1}) == []


def test_nothing_is_shown_until_mutating_calls_of_both_epochs_were_seen() -> None:
    assert shown([], "t", 1) == (False, False)
    assert shown([call(1, 1), call(2, 2, mutating=False), call(2, 3, target="u")], "t", 1) == (True, False)
    assert shown([call(1, 1, mutating=False), call(3, 2)], "t", 1) == (False, True)
    assert shown([call(1, 1), call(3, 2)], "t", 1) == (True, True)
