"""The observer without the embargo: a new incarnation of Redis is cleared as soon as it was seen. For `beat`."""

from __future__ import annotations

from typing import Any

from shared.lease.observer import TargetObserver
from shared.lease.view import LeaseView
from tests.chaos.builds import replace

_rule = TargetObserver._embargo_is_over


def switch_off() -> None:
    """Switch the embargo off in this process."""

    def is_over(self: TargetObserver, view: LeaseView, *, now_ms: int, **more: Any) -> bool:
        return _rule(self, view, now_ms=now_ms + self._timing.embargo_ms, **more)

    replace(TargetObserver, "_embargo_is_over", is_over)
