"""The life of a lease: what the table allows, and that nothing else happens."""

from __future__ import annotations

from itertools import product

import pytest

from shared.errors import IllegalTransition
from shared.lease.machine import TRANSITIONS, Op, State, next_state

ILLEGAL = [pair for pair in product(State, Op) if pair not in TRANSITIONS]


@pytest.mark.parametrize(
    ("sentence", "state", "op", "after"),
    [
        ("a free lease is granted", "free", "acquire", "held"),
        ("a held lease is renewed and stays held", "held", "renew", "held"),
        ("a held lease is confirmed and stays held", "held", "confirm", "held"),
        ("a proxy attaches to a held lease", "held", "attach", "held"),
        ("the holder gives a held lease back", "held", "release", "releasing"),
        ("a held lease is revoked", "held", "revoke", "revoking"),
        ("a release is over once all have acknowledged", "releasing", "complete", "released"),
        ("a revocation is over once all have acknowledged", "revoking", "complete", "severed"),
        ("a silent holder's lease expires", "held", "expire", "expired"),
        ("a release that nobody acknowledges expires", "releasing", "expire", "expired"),
        ("a revocation that nobody acknowledges expires", "revoking", "expire", "expired"),
        ("after a release the next epoch is granted", "released", "acquire", "held"),
        ("after a cut the next epoch is granted", "severed", "acquire", "held"),
        ("after an expiry the next epoch is granted", "expired", "acquire", "held"),
        ("a release repeated changes nothing", "releasing", "release", "releasing"),
        ("a release of what is revoked changes nothing", "revoking", "release", "revoking"),
        ("a revocation of what is being released changes nothing", "releasing", "revoke", "releasing"),
        ("a late acknowledgement changes nothing", "expired", "acknowledge", "expired"),
    ],
)
def test_the_table_reads_as(sentence: str, state: str, op: str, after: str) -> None:
    assert next_state(State(state), Op(op)) is State(after), sentence


@pytest.mark.parametrize(("state", "op"), ILLEGAL, ids=lambda value: str(value))
def test_every_other_step_raises(state: State, op: Op) -> None:
    before = dict(TRANSITIONS)
    with pytest.raises(IllegalTransition, match=f"a lease that is {state} cannot {op}"):
        next_state(state, op)
    assert dict(TRANSITIONS) == before


@pytest.mark.parametrize("op", [Op.RENEW, Op.CONFIRM, Op.ATTACH])
def test_what_lets_a_proxy_sign_is_possible_only_while_held(op: Op) -> None:
    assert [state for state in State if (state, op) in TRANSITIONS] == [State.HELD]


def test_a_grant_follows_only_a_state_in_which_the_last_holder_cannot_act() -> None:
    grantable = {state for state in State if (state, Op.ACQUIRE) in TRANSITIONS}
    assert grantable == {State.FREE, State.RELEASED, State.SEVERED, State.EXPIRED}
    assert grantable == {state for state in State if state.grantable}


def test_only_an_end_that_redis_answered_counts_as_an_end() -> None:
    assert {state for state in State if state.ended} == {State.RELEASED, State.SEVERED, State.EXPIRED}


def test_nothing_leads_back_to_held_but_a_grant() -> None:
    back = {op for (state, op), after in TRANSITIONS.items() if after is State.HELD and state is not State.HELD}
    assert back == {Op.ACQUIRE}


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[State.FREE, Op.RENEW] = State.HELD  # type: ignore[index]
