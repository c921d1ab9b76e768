"""When a target is checked. Pure.

never checked           somewhere within the first period, by the target's name: a fleet that is registered at once
                        is not checked at once
checked                 a period later, give or take a tenth
given way, lost         a minute later, and each time in a row later, up to a period or an hour
deployment failed       soon
due later than that     a clock was set back, or the period became shorter: as if it was never checked
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

JITTER: Final = 0.1
"""How far two checks of a target may be from a period apart, as a part of the period."""
RETRY_S: Final = 60
"""Seconds until a check that could not end is made again."""
MAX_RETRY_S: Final = 3600
SOON_S: Final = 5
"""Seconds from the end of a failed deployment to its check: what takes the deployment up again comes first."""


def first_due(target: str, *, every_s: int, now: datetime) -> datetime:
    """When a target that was never checked is due."""
    return now + timedelta(seconds=every_s * _share(target))


def next_due(target: str, *, every_s: int, now: datetime) -> datetime:
    """When a target that was just checked is due again."""
    stretched = 1 - JITTER + 2 * JITTER * _share(f"{target} {now.isoformat()}")
    return now + timedelta(seconds=every_s * stretched)


def retry_due(*, every_s: int | None, failures: int, now: datetime) -> datetime:
    """When a check is made again that did not come to its end, the `failures`th in a row."""
    longest = min(every_s or MAX_RETRY_S, MAX_RETRY_S)
    return now + timedelta(seconds=min(RETRY_S * 2 ** min(max(failures - 1, 0), 16), longest))


def corrected(due: datetime | None, target: str, *, every_s: int | None, now: datetime) -> datetime | None:
    """When the target is due in truth: of a flock with a schedule never later than its longest period from now on."""
    if every_s is None:
        return due
    if due is None:
        return first_due(target, every_s=every_s, now=now)
    return first_due(target, every_s=every_s, now=now) if due - now > timedelta(seconds=every_s * (1 + JITTER)) else due


def _share(text: str) -> float:
    """A number from 0 up to 1 that follows from a text, evenly spread."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48
