"""Which faults a seed stands for."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.chaos.one_universe import plan_from, plan_record
from tests.chaos.schedule import KINDS, PERIOD, Kind, pairs, plan


def kinds_of(seed: int) -> tuple[Kind, ...]:
    return tuple(sorted(fault.kind for fault in plan(seed).faults))


def test_a_seed_always_stands_for_the_same_plan() -> None:
    assert [plan(seed) for seed in range(1, 200)] == [plan(seed) for seed in range(1, 200)]


def test_the_first_seeds_are_every_fault_alone() -> None:
    assert [kinds_of(seed) for seed in range(1, len(KINDS) + 1)] == [(kind,) for kind in KINDS]


def test_one_period_strikes_every_pair_exactly_once() -> None:
    struck = Counter(kinds_of(seed) for seed in range(len(KINDS) + 1, PERIOD + 1))
    assert set(struck.values()) == {1}
    assert set(struck) == {tuple(sorted((left, right))) for left in KINDS for right in KINDS if left != right}


def test_a_thousand_seeds_cover_all_pairs() -> None:
    assert PERIOD <= 1000


def test_any_number_of_pairs_strikes_all_kinds_about_equally_often() -> None:
    for count in (50, 100, 300):
        struck = Counter(kind for pair in pairs()[:count] for kind in pair)
        assert max(struck.values()) - min(struck[kind] for kind in KINDS) <= 2


def test_after_a_period_the_same_pair_comes_at_other_moments() -> None:
    for seed in range(1, PERIOD + 1):
        early, late = plan(seed), plan(seed + PERIOD)
        assert kinds_of(seed) == kinds_of(seed + PERIOD)
        assert early.faults != late.faults


def test_the_second_fault_begins_during_the_first_or_just_after_it() -> None:
    for seed in range(len(KINDS) + 1, PERIOD + 1):
        first, second = plan(seed).faults
        assert first.at_ms <= second.at_ms <= first.at_ms + first.for_ms + 500


def test_a_plan_is_bounded() -> None:
    assert max(plan(seed).ends_ms for seed in range(1, 2 * PERIOD)) < 12_000


def test_a_plan_survives_its_way_to_a_universe() -> None:
    for seed in (1, 36, 500):
        assert plan_from(plan_record(plan(seed))) == plan(seed)


def test_there_is_no_seed_below_one() -> None:
    with pytest.raises(ValueError, match="begin at 1"):
        plan(0)
