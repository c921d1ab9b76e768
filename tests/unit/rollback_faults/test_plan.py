"""Which cases there are, and which a sample holds."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.rollback_faults.plan import EVERY, Case, Mode, all_cases, case_of, sample


def test_every_call_is_struck_in_every_mode() -> None:
    cases = all_cases(38)
    assert len(cases) == len(set(cases)) == 38 * 3
    assert {case.nth for case in cases} == set(range(1, 39))


def test_a_sample_is_the_same_for_the_same_seed_and_holds_each_mode() -> None:
    cases = all_cases(38)
    picked = sample(cases, 7, seed=3)
    assert picked == sample(cases, 7, seed=3) != sample(cases, 7, seed=4)
    assert len(set(picked)) == 7
    assert set(Counter(case.mode for case in picked).values()) == {2, 3}


def test_a_sample_of_more_than_there_are_is_all_of_them() -> None:
    cases = all_cases(2)
    assert sorted(map(str, sample(cases, 100, seed=1))) == sorted(map(str, cases))


@pytest.mark.parametrize("mode", list(Mode))
def test_a_case_is_found_by_its_name(mode: Mode) -> None:
    assert case_of(f"{mode}-12") == Case(mode=mode, nth=12)


@pytest.mark.parametrize("name", ["fail", "fail-", "explode-3", ""])
def test_what_names_no_case_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        case_of(name)


def test_only_a_failing_call_leaves_the_worker_alive() -> None:
    assert [mode for mode in EVERY if not mode.kills] == [Mode.FAIL]
