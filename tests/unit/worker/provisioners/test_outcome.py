"""The outcome is a record."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from shared.models import RunStatus
from worker.provisioners.outcome import Outcome


def test_it_cannot_be_changed_afterwards() -> None:
    outcome = Outcome(status=RunStatus.APPLIED, exit_code=0)
    with pytest.raises(FrozenInstanceError):
        outcome.exit_code = 1  # type: ignore[misc]  # what the test is about
    assert outcome.reason == ""
