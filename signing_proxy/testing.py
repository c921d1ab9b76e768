"""Fakes of what the proxy depends on; they ship with it, for its own tests and for yours."""

import asyncio

from shared.errors import Unavailable
from shared.models import JournalIntent, JournalOutcome
from shared.safety.allowance import Allowance
from signing_proxy.signers.aws import AwsCredentials


class MemoryJournal:
    """A journal in memory. Set ``down`` to make it unreachable."""

    def __init__(self) -> None:
        self.intents: list[JournalIntent] = []
        self.outcomes: dict[str, JournalOutcome] = {}
        self.quarantined: list[tuple[str, int, str, bytes]] = []
        self.down = False

    async def intent(self, intent: JournalIntent) -> None:
        """See Journal."""
        await self._reach()
        self.intents.append(intent)

    async def outcome(self, outcome: JournalOutcome) -> None:
        """See Journal."""
        await self._reach()
        self.outcomes[outcome.call_id] = outcome

    async def quarantine(self, *, target: str, epoch: int, run_id: str, state: bytes) -> None:
        """See Journal."""
        await self._reach()
        self.quarantined.append((target, epoch, run_id, state))

    def outcome_of(self, operation: str) -> JournalOutcome | None:
        """The outcome of the last call of this operation; None while it has none."""
        for intent in reversed(self.intents):
            if intent.operation == operation:
                return self.outcomes.get(intent.call_id)
        return None

    def refusals(self) -> list[str]:
        """The reasons of all refusals, in order."""
        return [outcome.error_code or "" for outcome in self.outcomes.values() if outcome.outcome == "refused"]

    async def _reach(self) -> None:
        await asyncio.sleep(0)
        if self.down:
            raise Unavailable("the journal is down", hint="This is a test.")


class FixedAllowance:
    """Always the same allowance, for every run; set ``allowance_now`` to change it, ``down`` to make it unreachable."""

    def __init__(self, allowance: Allowance | None = None) -> None:
        self.allowance_now = allowance or Allowance.unbounded()
        self.asked: list[str] = []
        self.down = False

    async def allowance(self, run_id: str) -> Allowance:
        """See AllowanceSource."""
        self.asked.append(run_id)
        await asyncio.sleep(0)
        if self.down:
            raise Unavailable("the scheduler is down", hint="This is a test.")
        return self.allowance_now


class FixedCredentials:
    """Always the same key."""

    def __init__(self, access_key: str, secret_key: str, token: str | None = None) -> None:
        self._credentials = AwsCredentials(access_key=access_key, secret_key=secret_key, token=token)

    async def current(self) -> AwsCredentials:
        """See CredentialSource."""
        return self._credentials
