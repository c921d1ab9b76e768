"""What the services answer when they refuse."""

from __future__ import annotations

from scheduler.problems import conflict, invalid, lease_lost, not_found


def test_each_refusal_has_its_status_and_code() -> None:
    refusals = [not_found("run", "r"), invalid("no"), conflict("busy", "later"), lease_lost("run-1", "gone")]
    assert [(refusal.status, refusal.code) for refusal in refusals] == [
        (404, "unknown_run"),
        (400, "invalid"),
        (409, "busy"),
        (409, "lease_lost"),
    ]
    assert str(refusals[0]) == "there is no run 'r'"
    assert refusals[3].hint
