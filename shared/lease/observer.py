"""The scheduler's rule: when may a lease be expired, when an embargo be lifted?

An observer trusts only what it has seen itself. Redis's expiry of keys proves nothing (its wall clock may jump), and
neither does another observer's word. So:

- EXPIRE, once (incarnation, lease, seq) has been seen unchanged for W, counted from after the first reply that showed
  it; for W + Q unless every boot that ever attached has acknowledged with nothing in flight;
- MARK, when the state is absent and its absence has no name yet;
- CLEAR, once an incarnation, or the absence of that name, has been seen for the whole embargo, W + Q, so that every
  gate that was opened before it has shut and every call then in flight has had its time.

An incarnation, a lease id and the name of an absence never come back once they are gone. So neither a pause of the
observer nor a command that arrives late or twice matters: each names exactly what was observed, and what has to be
true at the instant at which it takes effect is checked by the server, in the script. Several observers may run side
by side for the same reason.

The TTL that counts is the one that the lease recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.lease.machine import TRANSITIONS, Op
from shared.lease.timing import LeaseTiming
from shared.lease.view import LeaseView


@dataclass(frozen=True, kw_only=True, slots=True)
class Expire:
    """Ask the store to expire exactly what was observed."""

    incarnation: str
    lease_id: str
    seq: int
    waited_unknown: bool
    """Whether it was observed for W + Q; without that the server demands that every boot has acknowledged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """Ask the store to name the absence of the state."""

    incarnation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Clear:
    """Ask the store to end the embargo of `incarnation`; epochs below `epoch` are fenced off."""

    incarnation: str
    epoch: int
    absence: str
    """The absence that was waited for; empty when there is a state."""


Action = Expire | Mark | Clear


class TargetObserver:
    """What one observer has seen of one target."""

    def __init__(self, target: str, timing_default: LeaseTiming) -> None:
        """`timing_default` is the installation's timing, for what no record tells."""
        self.target = target
        self._timing = timing_default
        self._lease: tuple[str, str, int] | None = None
        self._lease_since_ms = 0
        self._embargo: tuple[str, bool, str] | None = None
        self._embargo_since_ms = 0

    def on_view(
        self, view: LeaseView, *, replied_ms: int, now_ms: int, db_epoch: int, epoch_is_fresh: bool = False
    ) -> list[Action]:
        """Take one look at the target and return what is due.

        `replied_ms` is read on this process's boot clock after the reply came; `db_epoch` is the target's epoch in the
        database. A target that was never claimed (epoch 0) has nothing to wait for and is cleared at once, but only
        if the epoch was read *after* this incarnation or absence was first seen: an older 0 may hide a lease that was
        granted and lost in between. That holds from the second look at it on, and on the first one when the caller
        says `epoch_is_fresh` (it read the database after this view's reply). Raises ValueError for another target's
        view.
        """
        if view.target != self.target:
            raise ValueError(f"a view of {view.target} for the observer of {self.target}")
        actions: list[Action] = []
        expire = self._expiry(view, replied_ms=replied_ms, now_ms=now_ms)
        if expire is not None:
            actions.append(expire)
        if view.state is None and not view.absence:
            # Nothing is waited for before it has a name that no later absence will have.
            self._embargo = None
            actions.append(Mark(incarnation=view.incarnation))
        elif self._embargo_is_over(
            view, replied_ms=replied_ms, now_ms=now_ms, db_epoch=db_epoch, epoch_is_fresh=epoch_is_fresh
        ):
            actions.append(Clear(incarnation=view.incarnation, epoch=db_epoch, absence=view.absence))
        return actions

    def _expiry(self, view: LeaseView, *, replied_ms: int, now_ms: int) -> Expire | None:
        if view.state is None or (view.state, Op.EXPIRE) not in TRANSITIONS:
            self._lease = None
            return None
        seen = (view.incarnation, view.lease_id, view.seq)
        if seen != self._lease:
            self._lease, self._lease_since_ms = seen, replied_ms
        timing = self._timing.recorded(view.ttl_ms)
        seen_ms = now_ms - self._lease_since_ms
        waited_unknown = seen_ms >= timing.window_ms + timing.unknown_ms
        if waited_unknown or (view.all_clear and seen_ms >= timing.window_ms):
            return Expire(
                incarnation=view.incarnation, lease_id=view.lease_id, seq=view.seq, waited_unknown=waited_unknown
            )
        return None

    def _embargo_is_over(
        self, view: LeaseView, *, replied_ms: int, now_ms: int, db_epoch: int, epoch_is_fresh: bool
    ) -> bool:
        if not view.embargoed:
            self._embargo = None
            return False
        seen = (view.incarnation, view.cleared, view.absence)
        first_look = seen != self._embargo
        if first_look:
            self._embargo, self._embargo_since_ms = seen, replied_ms
        if db_epoch == 0 and view.epoch == 0 and (epoch_is_fresh or not first_look):
            return True
        # What an absent or outdated record cannot tell: the longer TTL of the two may have been granted.
        timing = self._timing.recorded(max(view.ttl_ms, self._timing.ttl_ms))
        return now_ms - self._embargo_since_ms >= timing.embargo_ms
