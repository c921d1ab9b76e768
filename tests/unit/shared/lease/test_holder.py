"""The holder's own deadline."""

from __future__ import annotations

from shared.lease.holder import HolderDeadline
from shared.lease.timing import LeaseTiming

BUDGET_MS = LeaseTiming().holder_budget_ms


def test_without_a_grant_nothing_may_be_done() -> None:
    holder = HolderDeadline(LeaseTiming())
    assert holder.expired(0)
    holder.on_renewed(0, 1)
    assert not holder.expired(0), "that was no lost lease"


def test_the_deadline_counts_from_the_sending_not_from_the_reply() -> None:
    holder = HolderDeadline(LeaseTiming())
    holder.on_renewed(1_000, 1)
    assert holder.deadline_ms == 1_000 + BUDGET_MS
    assert not holder.expired(1_000 + BUDGET_MS - 1)
    assert holder.expired(1_000 + BUDGET_MS)


def test_each_renewal_moves_it() -> None:
    holder = HolderDeadline(LeaseTiming())
    holder.on_renewed(0, 1)
    holder.on_renewed(2_000, 2)
    assert (holder.deadline_ms, holder.seq) == (2_000 + BUDGET_MS, 2)


def test_an_overtaken_renewal_moves_nothing() -> None:
    holder = HolderDeadline(LeaseTiming())
    holder.on_renewed(2_000, 3)
    holder.on_renewed(4_000, 2)
    holder.on_renewed(4_000, 3)
    assert (holder.deadline_ms, holder.seq) == (2_000 + BUDGET_MS, 3)


def test_a_lease_given_up_is_not_taken_up_again() -> None:
    holder = HolderDeadline(LeaseTiming())
    holder.on_renewed(0, 1)
    assert holder.expired(BUDGET_MS)
    holder.on_renewed(BUDGET_MS, 2)
    assert holder.expired(BUDGET_MS + 1)
    assert holder.expired(0), "for ever"
