"""The proxy's rule: until when may calls of this lease be signed?

D for seq s is  t_send + TTL (1 - rho) - delta,  where t_send is the *send* time of the last poll, of the same
incarnation and the same lease, that showed a seq below s. The renewal s happened after that instant, so the lease
cannot have been given to anyone else before D, whatever clocks, pauses and networks do in between. Hence:

- first sight of a lease gives no D (nothing older is known that a renewal came after);
- D is usable only while polls show: held, this very boot attached and not acknowledged in this incarnation, and
  s confirmed in this incarnation (else a deposed primary could keep a gate open for ever);
- a poll that does not show this lease held cuts; a poll without an answer changes nothing, D passes by itself;
- a boot that cut, or passed a D that it had opened, has burned the lease: it never signs for it again.

Per request that is one clock read and one comparison. Nothing here does I/O; time comes in as arguments, all of
the same host's boot clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from shared.lease.machine import State
from shared.lease.timing import LeaseTiming
from shared.lease.view import LeaseView

MAX_HISTORY: Final = 64
"""Polls remembered of one incarnation, one for each seq. Dropping an old one can only lower D."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Open:
    """Calls may be signed before `deadline_ms` on this host's boot clock."""

    deadline_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Shut:
    """No call may be signed now.

    `cut` says whether that is for ever: then connections are to be cut, the lease revoked and acknowledged.
    Without it the gate is not open *yet* (no renewal seen, not confirmed, or to be attached anew in this incarnation).
    """

    reason: str
    cut: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """Whether bytes may leave now, and why (not)."""

    allowed: bool
    reason: str


_ALLOWED: Final = Decision(allowed=True, reason="lease live")

NOT_ATTACHED: Final = "not attached in this incarnation"
"""Reason of a `Shut` after which ATTACH is worth another try."""
DEADLINE_PASSED: Final = "deadline passed"
FIRST_SIGHT: Final = "no renewal seen yet"
NOT_CONFIRMED: Final = "renewal not confirmed yet"
NO_ANSWER: Final = "no answer from Redis yet"


class ProxyGate:
    """The gate of one lease in one boot of one proxy."""

    def __init__(self, lease_id: str, target: str, proxy_id: str, boot_id: str, timing: LeaseTiming) -> None:
        """Start shut."""
        self.lease_id = lease_id
        self.target = target
        self.proxy_id = proxy_id
        self.boot_id = boot_id
        self._timing = timing
        self._burned: str | None = None
        self._not_open: str = NO_ANSWER
        self._usable = False
        self._deadline_ms: int | None = None
        self._incarnation = ""
        self._last_sent_ms: int | None = None
        self._history: dict[int, int] = {}  # seq -> send time of the last poll that showed it

    @property
    def deadline_ms(self) -> int | None:
        """The last D that was opened; None before."""
        return self._deadline_ms

    @property
    def burned(self) -> bool:
        """Whether this boot can never sign for the lease again (as far as noticed; `check` notices D)."""
        return self._burned is not None

    @property
    def reason(self) -> str:
        """Why the gate is not open, or that it is."""
        if self._burned is not None:
            return self._burned
        return _ALLOWED.reason if self._usable else self._not_open

    def on_poll(self, view: LeaseView | None, *, sent_ms: int, now_ms: int) -> Open | Shut:
        """Take the answer to a poll that was sent at `sent_ms`; None when there was no answer."""
        self._notice_deadline(now_ms)
        if self._burned is None and view is not None:
            self._judge(view, sent_ms=sent_ms, now_ms=now_ms)
        if self._burned is not None:
            return Shut(reason=self._burned, cut=True)
        if self._usable and self._deadline_ms is not None:
            return Open(deadline_ms=self._deadline_ms)
        return Shut(reason=self._not_open, cut=False)

    def check(self, now_ms: int) -> Decision:
        """Decide, directly before bytes leave, whether they may."""
        deadline_ms = self._deadline_ms
        if self._usable and deadline_ms is not None and now_ms < deadline_ms:
            return _ALLOWED
        self._notice_deadline(now_ms)
        return Decision(allowed=False, reason=self.reason)

    def shut(self, reason: str) -> None:
        """Shut for ever, for `reason`; a reason given earlier stays."""
        self._usable = False
        if self._burned is None:
            self._burned = reason

    def _notice_deadline(self, now_ms: int) -> None:
        # Also while paused in a new incarnation: a D that was opened and passed burns, wherever it came from.
        if self._deadline_ms is not None and now_ms >= self._deadline_ms:
            self.shut(DEADLINE_PASSED)

    def _judge(self, view: LeaseView, *, sent_ms: int, now_ms: int) -> None:
        ended = self._not_held(view)
        if ended is not None:
            self.shut(ended)
            return
        if self._last_sent_ms is not None and sent_ms <= self._last_sent_ms:
            return  # a reply that was overtaken: it may cut, as above, but proves nothing new
        self._last_sent_ms = sent_ms
        if not self._remember(view, sent_ms):
            self.shut("seq went backwards within one incarnation")
            return
        record = view.attachment(self.proxy_id, self.boot_id)
        if record is not None and record.acknowledged:
            self.shut("this boot has acknowledged the end of the lease")
            return
        if record is None or record.incarnation != view.incarnation:
            self._pause(NOT_ATTACHED)
            return
        self._set_deadline(view, sent_ms=sent_ms, now_ms=now_ms)

    def _not_held(self, view: LeaseView) -> str | None:
        if view.target != self.target:
            return f"an answer for {view.target} instead of {self.target}"
        if view.state is None:
            return "no lease: the state is gone"
        if view.lease_id != self.lease_id:
            return f"lease is {view.lease_id or 'nobody’s'} now"
        if view.state is not State.HELD:
            return f"lease is {view.state}" + (f": {view.reason}" if view.reason else "")
        return None

    def _remember(self, view: LeaseView, sent_ms: int) -> bool:
        if view.incarnation != self._incarnation:
            self._incarnation = view.incarnation
            self._history.clear()
        if self._history and view.seq < max(self._history):
            return False
        self._history[view.seq] = sent_ms
        while len(self._history) > MAX_HISTORY:
            del self._history[min(self._history)]
        return True

    def _set_deadline(self, view: LeaseView, *, sent_ms: int, now_ms: int) -> None:
        confirmed = view.confirmed_seq if view.confirmed_incarnation == view.incarnation else 0
        proofs = [sent for seq, sent in self._history.items() if seq < confirmed]
        if not proofs:
            self._pause(FIRST_SIGHT if len(self._history) == 1 else NOT_CONFIRMED)
            return
        timing = self._timing.recorded(view.ttl_ms)
        deadline_ms = max(proofs) + timing.holder_budget_ms
        if view.pttl_ms != -1:  # -1: somebody removed the expiry; that must not prolong anything
            rest_ms = math.floor(max(view.pttl_ms, 0) * (1 - timing.rho))
            deadline_ms = min(deadline_ms, sent_ms + rest_ms - timing.delta_ms)
        if now_ms < deadline_ms:
            self._deadline_ms = deadline_ms
            self._usable = True
        elif self._deadline_ms is not None:
            self.shut("lease key is gone" if view.pttl_ms == -2 else DEADLINE_PASSED)
        else:
            self._pause("too late when it was seen")

    def _pause(self, reason: str) -> None:
        self._usable = False
        self._not_open = reason
