"""Looks at one target's lease and journal, and notes when it saw what. An API that is away is looked at again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import ApiError, Unavailable
from shared.judge import SignedCall
from shared.lease.machine import State

if TYPE_CHECKING:
    from shared.api_client import ApiClient
    from shared.clock import Clock
    from shared.lease.view import LeaseView
    from shared.models import JournalRecord

# As many as the API lists at once.
MAX_CALLS = 10_000
# The API says so while it has no Redis or no database.
SERVER_ERROR = 500


class Watcher:
    """What was seen of one target since its epoch `epoch`."""

    def __init__(self, client: ApiClient, clock: Clock, *, target: str, epoch: int, ttl_ms: int) -> None:
        """
        Args:
            client: of the API.
            clock: gives the instants.
            target: what is watched.
            epoch: the epoch that is struck.
            ttl_ms: its lease's time to live.
        """
        self._client = client
        self._clock = clock
        self._target = target
        self._epoch = epoch
        self._ttl_ms = ttl_ms
        self._embargoed_since_ms: int | None = None
        self._incarnations: set[str] = set()
        self._first_seen_ms: dict[str, float] = {}
        self.calls: tuple[SignedCall, ...] = ()
        """Signed calls in the journal's order, as of the last `read_journal`."""
        self.complete = True
        """Whether the last `read_journal` reached back to the first of them."""
        self.unknown = 0
        """Mutating calls of the struck epoch without a known outcome, as of then."""
        self.alive = False
        """Whether the last look showed the struck lease held."""
        self.ended_ms: float | None = None
        """When the struck lease was first seen to have ended."""
        self.granted_ms: float | None = None
        """When a newer epoch was first seen held."""
        self.first_call_ms: float | None = None
        """When a newer epoch's first mutating call was first seen."""

    @property
    def recovered(self) -> bool:
        """Whether the lease ended, another was granted, and its holder has called."""
        return None not in (self.ended_ms, self.granted_ms, self.first_call_ms)

    @property
    def failed_over(self) -> bool:
        """Whether Redis was seen as more than one incarnation."""
        return len(self._incarnations) > 1

    def look(self) -> bool:
        """Look once. False when the API did not answer, or answered that it can't know (no Redis)."""
        try:
            view = self._client.lease(self._target)
            now_ms = self._clock.boot_ms()
            self._incarnations.add(view.incarnation)
            if self.ended_ms is None and self._has_ended(view, now_ms):
                # What this listing does not show was recorded after the end had been seen: the instant is between.
                self.read_journal()
                self.ended_ms = self._clock.boot_ms()
            if self.granted_ms is None and view.state is State.HELD and view.cleared and view.lease_epoch > self._epoch:
                self.granted_ms = self._clock.boot_ms()
            if self.granted_ms is not None and self.first_call_ms is None:
                self.read_journal()
        except Unavailable:
            return False
        except ApiError as error:
            if error.status < SERVER_ERROR:
                raise
            return False
        return True

    def read_journal(self) -> None:
        """Read the journal anew. Raises Unavailable."""
        records = self._client.journal(target=self._target, limit=MAX_CALLS)
        now_ms = self._clock.boot_ms()
        ours = [record for record in reversed(records) if record.epoch >= self._epoch]
        # Newest first: the listing reaches back far enough if it shows something older, or everything.
        self.complete = len(records) < MAX_CALLS or len(ours) < len(records)
        for record in ours:
            self._first_seen_ms.setdefault(record.call_id, now_ms)
        self.calls = tuple(self._signed(record) for record in ours if record.outcome != "refused")
        struck = [record for record in ours if record.epoch == self._epoch and record.access == "write"]
        self.unknown = sum(record.outcome in (None, "unknown") for record in struck)
        if self.first_call_ms is None and any(call.mutating and call.epoch > self._epoch for call in self.calls):
            self.first_call_ms = now_ms

    def answered(self) -> int:
        """How many mutating calls of the struck epoch are known to have been answered."""
        return sum(call.mutating and call.epoch == self._epoch for call in self.calls) - self.unknown

    def _signed(self, record: JournalRecord) -> SignedCall:
        return SignedCall(
            target=record.target,
            epoch=record.epoch,
            mutating=record.access == "write",
            arrived_ms=self._first_seen_ms[record.call_id],
            answered_ms=None,
            what=f"{record.service} {record.operation or record.method}",
        )

    def _has_ended(self, view: LeaseView, now_ms: int) -> bool:
        """Whether no proxy may sign for the struck lease any more, as far as one look can tell.

        Not when it is being revoked or released: proxies have yet to say that they have cut. In a new incarnation a
        lease may live on; where it doesn't, its last deadline is behind us after a whole TTL.
        """
        held = view.lease_epoch == self._epoch and view.state is State.HELD
        self.alive = held and view.pttl_ms >= 0
        if self.alive:
            self._embargoed_since_ms = None
            return False
        if view.embargoed:
            if self._embargoed_since_ms is None:
                self._embargoed_since_ms = now_ms
            return now_ms - self._embargoed_since_ms >= self._ttl_ms
        if view.lease_epoch != self._epoch:
            # FREE: it was cleared after an embargo, which only a new incarnation brings.
            return view.lease_epoch > self._epoch or view.state is State.FREE
        return held or view.state in (State.RELEASED, State.SEVERED, State.EXPIRED)
