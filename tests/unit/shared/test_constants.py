"""Names that more than one part must agree on; a change here is a change of a contract."""

from __future__ import annotations

from shared import constants


def test_the_agreed_names() -> None:
    assert constants.STATE_HOST == "interlock.internal"
    assert constants.TASK_RUN == "interlock.run"
    assert constants.ROLES == ("admin", "worker", "proxy")


def test_the_agreed_bounds() -> None:
    assert constants.MAX_PLAN_BYTES == 67_108_864
    assert constants.MAX_CONTROL_BYTES == 65_536
