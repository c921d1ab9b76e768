"""The worker's rule: until when may it go on?

The worker keeps the same deadline for itself as the proxies do. Safety does not need it (only proxies sign); it lets
a run end cleanly, with one SIGINT and its state collected, instead of running into refusals.
"""

from __future__ import annotations

from shared.lease.timing import LeaseTiming


class HolderDeadline:
    """The deadline of one lease at its holder; all times are of the holder's boot clock."""

    def __init__(self, timing: LeaseTiming) -> None:
        """Start without a lease."""
        self._timing = timing
        self._deadline_ms: int | None = None
        self._seq = 0
        self._expired = False

    @property
    def deadline_ms(self) -> int | None:
        """Until when the holder may go on; None before the grant."""
        return self._deadline_ms

    @property
    def seq(self) -> int:
        """Seq of the last proof of life; 0 before the grant."""
        return self._seq

    def on_renewed(self, sent_ms: int, seq: int) -> None:
        """Take a grant or renewal that was *sent* at `sent_ms`.

        Ignored when it is older than one already taken, or when the deadline was seen to have passed: a lease that
        was given up is not taken up again.
        """
        if self._expired or seq <= self._seq:
            return
        self._seq = seq
        self._deadline_ms = sent_ms + self._timing.holder_budget_ms

    def expired(self, now_ms: int) -> bool:
        """Return whether the holder must stop; once true, true for ever. Without a grant it is true as well."""
        if self._deadline_ms is None:
            return True
        if now_ms >= self._deadline_ms:
            self._expired = True
        return self._expired
