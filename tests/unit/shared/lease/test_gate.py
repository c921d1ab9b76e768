"""The proxy's gate, told as what a proxy sees: poll after poll, and whether a call may leave."""

from __future__ import annotations

import pytest

from shared.lease.gate import (
    DEADLINE_PASSED,
    FIRST_SIGHT,
    MAX_HISTORY,
    NOT_ATTACHED,
    NOT_CONFIRMED,
    Open,
    ProxyGate,
    Shut,
)
from shared.lease.timing import LeaseTiming
from shared.lease.view import Attachment, LeaseView

TIMING = LeaseTiming()
BUDGET_MS = TIMING.holder_budget_ms
TARGET = "web.eu"
LEASE = "5-" + "a" * 32
BOOT = "b" * 32
MINE = Attachment(proxy_id="p", boot_id=BOOT, incarnation="i1", acknowledged=False, in_flight=0)


def view(seq: int, *, incarnation: str = "i1", confirmed: int | None = None, **fields: object) -> LeaseView:
    """A healthy view: held, attached, everything confirmed, the key full of life."""
    healthy: dict[str, object] = {
        "target": TARGET,
        "incarnation": incarnation,
        "cleared": True,
        "state": "held",
        "lease_id": LEASE,
        "seq": seq,
        "confirmed_incarnation": incarnation,
        "confirmed_seq": seq if confirmed is None else confirmed,
        "ttl_ms": TIMING.ttl_ms,
        "pttl_ms": 100_000,
        "attachments": (MINE.model_copy(update={"incarnation": incarnation}),),
    }
    return LeaseView.model_validate(healthy | fields)


def gate() -> ProxyGate:
    return ProxyGate(LEASE, TARGET, "p", BOOT, TIMING)


def poll(it: ProxyGate, seen: LeaseView | None, at_ms: int) -> Open | Shut:
    """One poll, answered within the same millisecond."""
    return it.on_poll(seen, sent_ms=at_ms, now_ms=at_ms)


def opened(at_ms: int = 0) -> ProxyGate:
    """A gate opened by seq 2, seen 500 ms after seq 1."""
    it = gate()
    poll(it, view(1), at_ms)
    assert poll(it, view(2), at_ms + 500) == Open(deadline_ms=at_ms + BUDGET_MS)
    return it


class TestOpening:
    def test_a_new_gate_is_shut(self) -> None:
        assert not gate().check(0).allowed

    def test_first_sight_gives_no_deadline(self) -> None:
        it = gate()
        assert poll(it, view(7), 0) == Shut(reason=FIRST_SIGHT, cut=False)
        assert poll(it, view(7), 500) == Shut(reason=FIRST_SIGHT, cut=False)
        assert it.check(500).reason == FIRST_SIGHT

    def test_a_renewal_opens_until_the_budget_after_the_last_older_poll_was_sent(self) -> None:
        it = gate()
        poll(it, view(1), 0)
        poll(it, view(1), 500)
        assert poll(it, view(2), 1_000) == Open(deadline_ms=500 + BUDGET_MS)
        assert it.check(1_000).allowed

    def test_the_deadline_counts_from_the_sending_even_when_replies_are_slow(self) -> None:
        it = gate()
        it.on_poll(view(1), sent_ms=0, now_ms=3_000)
        assert it.on_poll(view(2), sent_ms=3_000, now_ms=6_000) == Open(deadline_ms=BUDGET_MS)

    def test_an_unconfirmed_renewal_does_not_open(self) -> None:
        it = gate()
        poll(it, view(1), 0)
        assert poll(it, view(2, confirmed=1), 500) == Shut(reason=NOT_CONFIRMED, cut=False)
        assert poll(it, view(2, confirmed=2), 1_000) == Open(deadline_ms=BUDGET_MS)

    def test_a_confirmation_of_an_older_renewal_gives_only_that_ones_deadline(self) -> None:
        it = opened()
        poll(it, view(2), 1_000)
        assert poll(it, view(3, confirmed=2), 1_500) == Open(deadline_ms=BUDGET_MS)
        assert poll(it, view(3, confirmed=3), 2_000) == Open(deadline_ms=1_000 + BUDGET_MS)

    def test_a_confirmation_of_another_incarnation_does_not_count(self) -> None:
        it = gate()
        poll(it, view(1), 0)
        assert poll(it, view(2, confirmed_incarnation="i0"), 500) == Shut(reason=NOT_CONFIRMED, cut=False)

    def test_each_confirmed_renewal_moves_the_deadline(self) -> None:
        it = opened()
        for seq in range(3, 20):
            assert poll(it, view(seq), (seq - 1) * 500) == Open(deadline_ms=(seq - 2) * 500 + BUDGET_MS)

    def test_what_was_seen_too_late_does_not_open_and_burns_nothing(self) -> None:
        it = gate()
        poll(it, view(1), 0)
        late = it.on_poll(view(2), sent_ms=BUDGET_MS - 1, now_ms=BUDGET_MS)
        assert isinstance(late, Shut)
        assert not late.cut
        assert poll(it, view(3), BUDGET_MS + 500) == Open(deadline_ms=BUDGET_MS - 1 + BUDGET_MS)

    def test_the_ttl_that_the_lease_recorded_counts(self) -> None:
        it = gate()
        poll(it, view(1, ttl_ms=5_000), 0)
        assert poll(it, view(2, ttl_ms=5_000), 500) == Open(deadline_ms=3_950)


class TestDeadline:
    def test_up_to_the_deadline_calls_leave_and_from_it_on_none(self) -> None:
        it = opened()
        assert it.check(BUDGET_MS - 1).allowed
        assert it.check(BUDGET_MS).reason == DEADLINE_PASSED

    def test_a_passed_deadline_burns_the_lease_whatever_polls_say_later(self) -> None:
        it = opened()
        assert not it.check(BUDGET_MS).allowed
        assert poll(it, view(3), BUDGET_MS + 1) == Shut(reason=DEADLINE_PASSED, cut=True)
        assert not it.check(0).allowed, "not even if the clock went back"

    def test_a_proxy_that_was_stopped_past_its_deadline_finds_out_at_the_next_poll(self) -> None:
        it = opened()
        assert poll(it, view(3), BUDGET_MS + 60_000) == Shut(reason=DEADLINE_PASSED, cut=True)

    def test_a_silent_redis_neither_prolongs_nor_cuts(self) -> None:
        it = opened()
        assert poll(it, None, 5_000) == Open(deadline_ms=BUDGET_MS)
        assert it.check(BUDGET_MS - 1).allowed
        assert poll(it, None, BUDGET_MS) == Shut(reason=DEADLINE_PASSED, cut=True)

    def test_seeing_the_same_seq_again_does_not_prolong(self) -> None:
        it = opened()
        assert poll(it, view(2), 8_000) == Open(deadline_ms=BUDGET_MS)

    def test_a_short_key_life_lowers_the_deadline(self) -> None:
        it = gate()
        poll(it, view(1), 0)
        assert poll(it, view(2, pttl_ms=3_000), 500) == Open(deadline_ms=500 + 2_970 - 1_000)

    def test_a_long_key_life_never_raises_it(self) -> None:
        it = gate()
        poll(it, view(1), 0)
        assert poll(it, view(2, pttl_ms=3_600_000), 500) == Open(deadline_ms=BUDGET_MS)
        assert poll(it, view(2, pttl_ms=-1), 1_000) == Open(deadline_ms=BUDGET_MS)

    def test_a_vanished_key_cuts(self) -> None:
        it = opened()
        assert poll(it, view(2, pttl_ms=-2), 1_000) == Shut(reason="lease key is gone", cut=True)

    def test_before_it_opened_a_vanished_key_only_keeps_it_shut(self) -> None:
        it = gate()
        poll(it, view(1), 0)
        answer = poll(it, view(2, pttl_ms=-2), 500)
        assert isinstance(answer, Shut)
        assert not answer.cut


class TestCut:
    @pytest.mark.parametrize(
        ("sentence", "change", "reason"),
        [
            ("the lease is being released", {"state": "releasing"}, "lease is releasing"),
            ("it is being revoked", {"state": "revoking", "reason": "operator"}, "lease is revoking: operator"),
            ("it was severed", {"state": "severed"}, "lease is severed"),
            ("it has expired", {"state": "expired"}, "lease is expired"),
            ("another holds the target", {"lease_id": "6-" + "c" * 32}, "lease is 6-" + "c" * 32 + " now"),
            ("nobody holds it", {"lease_id": "", "state": "free"}, "lease is nobody’s now"),
            ("the state is gone", {"state": None, "lease_id": ""}, "no lease: the state is gone"),
            ("the answer is for another target", {"target": "web.us"}, "an answer for web.us instead of web.eu"),
        ],
    )
    def test_a_poll_that_does_not_show_this_lease_held_cuts(
        self, sentence: str, change: dict[str, object], reason: str
    ) -> None:
        it = opened()
        assert poll(it, view(2, **change), 1_000) == Shut(reason=reason, cut=True), sentence
        assert not it.check(1_000).allowed

    def test_the_same_epoch_with_another_acquire_id_is_another_lease(self) -> None:
        answer = poll(opened(), view(2, lease_id="5-" + "f" * 32), 1_000)
        assert isinstance(answer, Shut)
        assert answer.cut

    def test_an_acknowledgement_of_this_boot_cuts(self) -> None:
        acknowledged = MINE.model_copy(update={"acknowledged": True})
        answer = poll(opened(), view(3, attachments=(acknowledged,)), 1_000)
        assert answer == Shut(reason="this boot has acknowledged the end of the lease", cut=True)

    def test_after_a_cut_a_healthy_poll_opens_nothing(self) -> None:
        it = opened()
        it.shut("worker died")
        assert poll(it, view(3), 1_000) == Shut(reason="worker died", cut=True)
        assert poll(it, view(4), 1_500) == Shut(reason="worker died", cut=True)
        assert it.check(1_500).reason == "worker died"
        assert it.burned

    def test_the_first_reason_stays(self) -> None:
        it = opened()
        it.shut("worker died")
        it.shut("again")
        assert it.reason == "worker died"

    def test_a_seq_that_goes_back_within_one_incarnation_cuts(self) -> None:
        it = opened()
        answer = poll(it, view(1), 1_000)
        assert answer == Shut(reason="seq went backwards within one incarnation", cut=True)

    def test_an_overtaken_reply_can_cut_but_not_prolong(self) -> None:
        it = opened()
        it.on_poll(view(2), sent_ms=2_000, now_ms=2_000)
        assert it.on_poll(view(3), sent_ms=1_500, now_ms=2_100) == Open(deadline_ms=BUDGET_MS)
        assert it.on_poll(view(1), sent_ms=1_600, now_ms=2_200) == Open(deadline_ms=BUDGET_MS), "old, not backwards"
        answer = it.on_poll(view(2, state="revoking"), sent_ms=1_700, now_ms=2_300)
        assert isinstance(answer, Shut)
        assert answer.cut


class TestAttachment:
    @pytest.mark.parametrize(
        ("sentence", "records"),
        [
            ("there is no record", ()),
            ("only an earlier boot is attached", (MINE.model_copy(update={"boot_id": "0" * 32}),)),
            ("only another proxy is attached", (MINE.model_copy(update={"proxy_id": "q"}),)),
            ("the record is of an earlier incarnation", (MINE.model_copy(update={"incarnation": "i0"}),)),
        ],
    )
    def test_without_a_record_of_this_boot_in_this_incarnation_nothing_leaves(
        self, sentence: str, records: tuple[Attachment, ...]
    ) -> None:
        it = gate()
        poll(it, view(1, attachments=records), 0)
        assert poll(it, view(2, attachments=records), 500) == Shut(reason=NOT_ATTACHED, cut=False), sentence
        assert not it.check(500).allowed

    def test_another_boots_acknowledgement_is_not_ours(self) -> None:
        other = MINE.model_copy(update={"boot_id": "0" * 32, "acknowledged": True})
        it = gate()
        poll(it, view(1, attachments=(other, MINE)), 0)
        assert isinstance(poll(it, view(2, attachments=(other, MINE)), 500), Open)


class TestNewIncarnation:
    def test_an_old_deadline_is_not_usable_in_a_new_incarnation(self) -> None:
        it = opened()
        assert poll(it, view(3, incarnation="i2"), 1_000) == Shut(reason=FIRST_SIGHT, cut=False)
        assert not it.check(1_000).allowed

    def test_polls_of_the_old_incarnation_prove_nothing_in_the_new_one(self) -> None:
        it = opened()
        poll(it, view(2, incarnation="i2"), 1_000)
        assert poll(it, view(3, incarnation="i2"), 1_500) == Open(deadline_ms=1_000 + BUDGET_MS)

    def test_it_opens_again_only_after_attaching_anew(self) -> None:
        it = opened()
        assert poll(it, view(2, incarnation="i2", attachments=(MINE,)), 1_000) == Shut(reason=NOT_ATTACHED, cut=False)
        assert poll(it, view(3, incarnation="i2", attachments=(MINE,)), 1_500) == Shut(reason=NOT_ATTACHED, cut=False)
        assert isinstance(poll(it, view(4, incarnation="i2"), 2_000), Open)

    def test_the_old_deadline_still_burns_when_it_passes_meanwhile(self) -> None:
        it = opened()
        poll(it, view(2, incarnation="i2", attachments=()), 1_000)
        assert poll(it, view(3, incarnation="i2"), BUDGET_MS) == Shut(reason=DEADLINE_PASSED, cut=True)

    def test_a_seq_may_be_lower_there_since_writes_were_lost(self) -> None:
        it = opened()
        assert poll(it, view(1, incarnation="i2"), 1_000) == Shut(reason=FIRST_SIGHT, cut=False)


def test_without_confirmations_the_memory_stays_bounded_and_the_deadline_safe() -> None:
    it = gate()
    for seq in range(1, 4 * MAX_HISTORY):
        poll(it, view(seq, confirmed=0), seq)
    last = 4 * MAX_HISTORY
    assert len(it._history) <= MAX_HISTORY
    assert poll(it, view(last, confirmed=last), last) == Open(deadline_ms=last - 1 + BUDGET_MS)
