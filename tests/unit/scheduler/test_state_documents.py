"""What may follow what."""

from __future__ import annotations

import hashlib

import pytest

from scheduler.state_documents import StateIdentity, parse_state, refusal_to_follow
from shared.errors import ApiError
from tests.unit.scheduler.support import state


def identity(body: bytes) -> StateIdentity:
    return parse_state(body).identity


def test_serial_lineage_and_digest_are_read() -> None:
    document = parse_state(state(7))
    assert (document.serial, document.lineage) == (7, "lineage-a")
    assert document.digest == hashlib.sha256(state(7)).hexdigest()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b'{"serial": "1", "lineage": "a"}',
        b'{"serial": true, "lineage": "a"}',
        b'{"serial": -1, "lineage": "a"}',
        b'{"serial": 1}',
        b'{"serial": 1, "lineage": ""}',
        b'{"serial": 1, "lineage": "' + b"x" * 129 + b'"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_state_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        parse_state(body)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("current", "new", "code"),
    [
        (None, state(0), None),
        (state(3), state(4), None),
        (state(3), state(3), None),
        (state(3), state(3, note="other"), "serial_not_greater"),
        (state(3), state(2), "serial_not_greater"),
        (state(3), state(4, lineage="lineage-b"), "lineage_differs"),
    ],
)
def test_a_state_continues_another_or_not(current: bytes | None, new: bytes, code: str | None) -> None:
    refusal = refusal_to_follow(identity(current) if current else None, identity(new))
    assert (refusal.code if refusal else None) == code
