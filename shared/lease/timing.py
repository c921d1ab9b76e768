"""The durations of the lease protocol and what follows from them.

All are milliseconds. rho bounds the error between the rates of two hosts' boot clocks.
"""

from __future__ import annotations

import math
from typing import Self

from pydantic import Field, model_validator

from shared.record import Record


class LeaseTiming(Record):
    """One consistent set of durations; every process of an installation must use the same."""

    ttl_ms: int = Field(default=10_000, gt=0, le=3_600_000, description="life of a lease after a renewal")
    renew_ms: int = Field(default=2_000, gt=0, description="time between two renewals by the holder")
    poll_ms: int = Field(default=500, gt=0, description="time between two looks of a proxy at its leases")
    delta_ms: int = Field(
        default=1_000, gt=0, description="time a proxy keeps free before the end, for bytes already given to the kernel"
    )
    rho: float = Field(default=0.01, ge=0, lt=0.1, description="largest rate error between two hosts' boot clocks")
    grace_ms: int = Field(default=1_800, ge=0, description="G: what an observer adds to the TTL before it expires")
    unknown_ms: int = Field(
        default=15_000, ge=0, description="Q: time allowed for calls whose outcome was unknown when they were cut"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.ttl_ms < 3 * self.renew_ms:
            raise ValueError(
                f"ttl_ms ({self.ttl_ms}) must be at least three times renew_ms ({self.renew_ms}), "
                "or one lost renewal ends a healthy run"
            )
        if self.delta_ms >= self.ttl_ms:
            raise ValueError(f"delta_ms ({self.delta_ms}) must be smaller than ttl_ms ({self.ttl_ms})")
        if self.poll_ms >= self.renew_ms:
            raise ValueError(
                f"poll_ms ({self.poll_ms}) must be smaller than renew_ms ({self.renew_ms}), "
                "or a proxy misses renewals and its deadline passes"
            )
        if self.holder_budget_ms <= self.renew_ms + 2 * self.poll_ms:
            raise ValueError(
                f"ttl_ms ({self.ttl_ms}) leaves only {self.holder_budget_ms} ms after delta_ms and rho; "
                f"it must leave more than renew_ms + 2 poll_ms ({self.renew_ms + 2 * self.poll_ms})"
            )
        return self

    @property
    def holder_budget_ms(self) -> int:
        """How long after its sending a proof of life may be acted upon: floor(TTL (1 - rho)) - delta."""
        return math.floor(self.ttl_ms * (1 - self.rho)) - self.delta_ms

    @property
    def window_ms(self) -> int:
        """W: how long an observer must have seen a lease unchanged: ceil(TTL (1 + 2 rho)) + G."""
        return math.ceil(self.ttl_ms * (1 + 2 * self.rho)) + self.grace_ms

    @property
    def embargo_ms(self) -> int:
        """How long a new incarnation of the server must have been seen before it grants: W + Q."""
        return self.window_ms + self.unknown_ms

    def recorded(self, ttl_ms: int) -> LeaseTiming:
        """Return the same durations with the TTL that a lease recorded; that one counts for this lease.

        The result is not validated again: a record of another installation's TTL must still be waited for.
        """
        return self.model_copy(update={"ttl_ms": ttl_ms})
