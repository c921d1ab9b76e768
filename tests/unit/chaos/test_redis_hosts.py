"""Whom somebody tells to follow the primary."""

from __future__ import annotations

import pytest

from tests.chaos.redis_hosts import gone_astray

SURE = [{"ip": "one", "flags": "master"}] * 3


def test_a_deposed_primary_and_whoever_follows_it_are_told_the_new_one() -> None:
    assert gone_astray({"one": None, "two": None, "three": "two"}, SURE) == {"two": "one", "three": "one"}


def test_nobody_is_told_what_it_does_already() -> None:
    assert gone_astray({"one": None, "two": "one", "three": "one"}, SURE) == {}


@pytest.mark.parametrize(
    "leader",
    [
        {"ip": "one", "flags": "master,failover_in_progress"},
        {"ip": "one", "flags": "s_down,o_down,master"},
        {"ip": "two", "flags": "master"},
    ],
)
def test_a_server_that_was_just_promoted_is_not_sent_back(leader: dict[str, object]) -> None:
    assert gone_astray({"one": None, "two": None, "three": "one"}, [SURE[0], leader, SURE[0]]) == {}


@pytest.mark.parametrize("following", [{"one": "two", "two": None}, {"two": None}])
def test_nobody_is_sent_to_a_server_that_is_no_primary(following: dict[str, str | None]) -> None:
    assert gone_astray(following, SURE) == {}
