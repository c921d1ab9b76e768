"""When to try again, and when not any more. Pure.

    it was taken                                    delivered
    the destination says that it wants no more      dead at once (410 Gone)
    anything else                                   again after a growing pause, at least what Retry-After asks for
    the last attempt failed, or it is too old       dead: kept and listed, sent again only when somebody asks

A test is tried once: whoever asked for it is looking.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.notifications import NotificationKind, NotificationState

#: Pauses after the first, second, … failed attempt, in seconds: ten attempts within two days.
PAUSES_S: Final = (5, 30, 120, 600, 1_800, 7_200, 21_600, 43_200, 86_400)
#: Each pause is stretched by up to this share, so that what failed together does not come back together.
JITTER: Final = 0.2
#: The longest wait that a destination may ask for.
MAX_RETRY_AFTER_S: Final = 86_400
#: Whatever was not delivered by then is dead, also where no beat knows its destination any more.
MAX_AGE_S: Final = 4 * 86_400


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """How one attempt went."""

    delivered: bool
    """Whether the destination took it."""
    note: str = ""
    """What went wrong, or what else there is to know; holds no secret."""
    gone: bool = False
    """The destination wants no more of these."""
    retry_after_s: int | None = None
    """How long it asked us to wait."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What follows from an attempt."""

    state: NotificationState
    """DELIVERED, DEAD, or QUEUED: again."""
    pause_s: float = 0.0
    """For QUEUED: how long to wait."""


def judge(attempt: Attempt, *, kind: NotificationKind, attempts: int, jitter: float) -> Verdict:
    """What follows from attempt number `attempts` (1: the first). `jitter` is a random number from 0 to 1."""
    if attempt.delivered:
        return Verdict(state=NotificationState.DELIVERED)
    if attempt.gone or attempts > len(PAUSES_S) or kind is NotificationKind.TEST:
        return Verdict(state=NotificationState.DEAD)
    pause_s = PAUSES_S[attempts - 1] * (1 + JITTER * jitter)
    asked_s = min(attempt.retry_after_s or 0, MAX_RETRY_AFTER_S)
    return Verdict(state=NotificationState.QUEUED, pause_s=max(pause_s, asked_s))
