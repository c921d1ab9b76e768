"""The observer without its window: a lease is expired once three renewals were missed. For `beat`."""

from __future__ import annotations

from typing import Any

from shared.lease.observer import TargetObserver
from shared.lease.view import LeaseView
from tests.chaos.builds import replace

_rule = TargetObserver._expiry


def switch_off() -> None:
    """Switch the window off in this process; three renewals are left of it, so that a healthy run gets to work."""

    def expiry(self: TargetObserver, view: LeaseView, *, now_ms: int, **more: Any) -> Any:
        timing = self._timing.recorded(view.ttl_ms)
        later_ms = now_ms + timing.window_ms + timing.unknown_ms - 3 * timing.renew_ms
        return _rule(self, view, now_ms=later_ms, **more)

    replace(TargetObserver, "_expiry", expiry)
