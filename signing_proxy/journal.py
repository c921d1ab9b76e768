"""The journal as the proxy sees it, and its way through the scheduler's API."""

from typing import Protocol

from shared.async_api_client import AsyncApiClient
from shared.models import JournalIntent, JournalOutcome


class Journal(Protocol):
    """Where calls are recorded. Each method raises ``shared.errors.InterlockError`` unless the record is durable."""

    async def intent(self, intent: JournalIntent) -> None:
        """Record a call before it is signed."""

    async def outcome(self, outcome: JournalOutcome) -> None:
        """Record what became of a call."""

    async def quarantine(self, *, target: str, epoch: int, run_id: str, state: bytes) -> None:
        """Keep the state that a cut run wanted to write."""


class ApiJournal:
    """The journal behind the scheduler's API."""

    def __init__(self, api: AsyncApiClient) -> None:
        self._api = api

    async def intent(self, intent: JournalIntent) -> None:
        """See Journal."""
        await self._api.journal_intent(intent)

    async def outcome(self, outcome: JournalOutcome) -> None:
        """See Journal."""
        await self._api.journal_outcome(outcome)

    async def quarantine(self, *, target: str, epoch: int, run_id: str, state: bytes) -> None:
        """See Journal."""
        await self._api.quarantine_state(target, epoch=epoch, run=run_id, state=state)
