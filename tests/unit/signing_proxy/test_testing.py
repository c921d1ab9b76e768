"""The fakes behave as what they stand for."""

from __future__ import annotations

import pytest

from shared.errors import Unavailable
from shared.models import JournalOutcome
from signing_proxy.testing import FixedCredentials, MemoryJournal


async def test_the_journal_keeps_outcomes_and_can_be_down() -> None:
    journal = MemoryJournal()
    await journal.outcome(JournalOutcome(call_id="a" * 32, outcome="refused", error_code="wrong_key"))
    assert journal.refusals() == ["wrong_key"]
    assert journal.outcome_of("CreateQueue") is None
    journal.down = True
    with pytest.raises(Unavailable):
        await journal.quarantine(target="t", epoch=1, run_id="r", state=b"")


async def test_the_credentials_are_fixed() -> None:
    assert (await FixedCredentials("A", "S").current()).access_key == "A"
