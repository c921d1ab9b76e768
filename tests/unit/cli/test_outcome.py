"""How a run's end becomes an exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cli.outcome import describe, exit_code_of, worst
from shared import exit_codes
from shared.models import Run


@pytest.mark.parametrize(
    ("sentence", "ended", "code"),
    [
        ("an apply that was applied is 0", {"status": "applied", "exit_code": 0}, exit_codes.OK),
        ("a plan without changes is 0", {"kind": "plan", "status": "planned", "exit_code": 0}, exit_codes.OK),
        ("a plan with changes is 2", {"kind": "plan", "status": "planned", "exit_code": 2}, exit_codes.CHANGES),
        ("a failed plan is 1", {"kind": "plan", "status": "errored", "exit_code": 1}, exit_codes.ERROR),
        ("an apply that failed is 1 whatever Terraform said", {"status": "errored", "exit_code": 9}, exit_codes.ERROR),
        ("a check that found everything in sync is 0", {"kind": "drift", "status": "checked", "exit_code": 0}, 0),
        ("a check that found drift is 2", {"kind": "drift", "status": "checked", "exit_code": 2}, exit_codes.CHANGES),
        ("a check that could not look everywhere is 1", {"kind": "drift", "status": "checked", "exit_code": 1}, 1),
        ("a check without a word is 1", {"kind": "drift", "status": "checked"}, exit_codes.ERROR),
        ("a check that gave way is 130", {"kind": "drift", "status": "canceled"}, exit_codes.CANCELED),
        ("a command that worked is 0", {"kind": "exec", "status": "succeeded", "exit_code": 0}, exit_codes.OK),
        ("a command's exit code is ours", {"kind": "exec", "status": "errored", "exit_code": 42}, 42),
        ("a command ended by signal 9 is 137", {"kind": "exec", "status": "errored", "exit_code": -9}, 137),
        ("a failed command is never 0", {"kind": "exec", "status": "errored", "exit_code": 0}, exit_codes.ERROR),
        ("a code no shell has is 1", {"kind": "exec", "status": "errored", "exit_code": 256}, exit_codes.ERROR),
        ("a command that never started is 1", {"kind": "exec", "status": "errored"}, exit_codes.ERROR),
        ("a lost lease is 75", {"kind": "exec", "status": "lost", "exit_code": 3}, exit_codes.LEASE_LOST),
        ("a canceled run is 130", {"status": "canceled"}, exit_codes.CANCELED),
        ("a run that was halted is 77", {"status": "halted", "exit_code": 77}, exit_codes.REFUSED),
        ("an apply whose plan waits for persons is 77", {"status": "planned", "exit_code": 77}, exit_codes.REFUSED),
        ("a revoked lease is 77", {"status": "lost", "revoke_requested": True}, exit_codes.REFUSED),
        (
            "a revoke explains the error it led to",
            {"kind": "exec", "status": "errored", "exit_code": 3, "revoke_requested": True},
            exit_codes.REFUSED,
        ),
        ("a revoke that came too late changes nothing", {"status": "applied", "revoke_requested": True}, exit_codes.OK),
    ],
)
def test_exit_code(run_like: Callable[..., Run], sentence: str, ended: dict[str, Any], code: int) -> None:
    assert exit_code_of(run_like(**ended)) == code, sentence


@pytest.mark.parametrize(
    ("codes", "expected"), [([], 0), ([0, 0], 0), ([0, 2], 2), ([2, 1], 1), ([1, 75], 75), ([2, 0], 2)]
)
def test_an_error_outweighs_changes_and_changes_outweigh_nothing(codes: list[int], expected: int) -> None:
    assert worst(codes) == expected


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        ({"kind": "plan", "status": "planned", "exit_code": 2}, "has changes; `interlock apply shop.local`"),
        ({"kind": "plan", "status": "planned", "exit_code": 0}, "has no changes"),
        (
            {"kind": "drift", "status": "checked", "exit_code": 2},
            "drift of shop.local (run-0123456789abcdef): drifted; `interlock drift show shop.local`",
        ),
        ({"kind": "drift", "status": "checked", "exit_code": 1}, "not everything could be looked at"),
        ({"status": "applied"}, "apply of shop.local (run-0123456789abcdef) applied"),
        ({"status": "lost", "reason": "node n1 is gone"}, "lost its lease: node n1 is gone"),
        ({"status": "lost", "revoke_requested": True, "reason": "bad"}, "revoked by an operator: bad"),
        ({"status": "canceled"}, "was canceled"),
        ({"status": "halted", "reason": "delete a.b"}, "it would have done what nobody approved: delete a.b"),
        ({"status": "rolled_back", "reason": "no answer"}, "did not hold; its target is as it was before: no answer"),
        ({"kind": "rollback", "status": "rolled_back"}, "ended well; its target is as it was before"),
        ({"status": "planned", "reason": "1 person"}, "waits for an approval; nothing was applied: 1 person"),
        ({"status": "errored", "exit_code": 1, "reason": "init failed"}, "failed with exit code 1: init failed"),
    ],
)
def test_the_sentence_names_run_target_and_reason(
    run_like: Callable[..., Run], ended: dict[str, Any], words: str
) -> None:
    said = describe(run_like(**ended))
    assert words in said
    assert "shop.local" in said
