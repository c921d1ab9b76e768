"""The limit of open files is raised to what the runs need, or it is said that it is too low."""

from __future__ import annotations

import resource

import pytest

from shared.errors import ConfigurationError
from signing_proxy import descriptors


class Limit:
    def __init__(self, soft: int, hard: int) -> None:
        self.now = (soft, hard)
        self.set: list[tuple[int, int]] = []


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Limit:
    limit = Limit(1024, 100_000)

    def set_limit(which: int, values: tuple[int, int]) -> None:
        limit.now = values
        limit.set.append(values)

    monkeypatch.setattr(resource, "getrlimit", lambda which: limit.now)
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    return limit


def test_the_soft_limit_is_raised_to_what_is_needed(limit: Limit) -> None:
    assert descriptors.raise_limit(runs=10, connections_per_run=256) == 256 + 10 * 512
    assert limit.set == [(5376, 100_000)]


def test_it_is_raised_as_far_as_the_hard_limit_lets(limit: Limit) -> None:
    limit.now = (1024, 4096)
    assert descriptors.raise_limit(runs=10, connections_per_run=256) == 4096
    assert descriptors.runs_carried(4096, 256) == 7


@pytest.mark.parametrize("soft", [50_000, resource.RLIM_INFINITY])
def test_what_is_enough_is_left_alone(limit: Limit, soft: int) -> None:
    limit.now = (soft, resource.RLIM_INFINITY)
    assert descriptors.raise_limit(runs=10, connections_per_run=256) >= 5376
    assert limit.set == []


def test_a_limit_that_carries_no_run_is_refused_with_the_numbers(limit: Limit) -> None:
    limit.now = (512, 700)
    with pytest.raises(ConfigurationError, match=r"700 files.*need 768"):
        descriptors.raise_limit(runs=10, connections_per_run=256)


def test_few_files_carry_no_run() -> None:
    assert descriptors.runs_carried(100, 256) == 0
    assert descriptors.runs_carried(768, 256) == 1
