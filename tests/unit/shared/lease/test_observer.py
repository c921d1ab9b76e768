"""The observer, told as what it sees and when it acts."""

from __future__ import annotations

import pytest

from shared.lease.observer import Action, Clear, Expire, Mark, TargetObserver
from shared.lease.timing import LeaseTiming
from shared.lease.view import Attachment, LeaseView

TIMING = LeaseTiming()
W, Q = TIMING.window_ms, TIMING.unknown_ms
TARGET = "web.eu"
LEASE = "5-" + "a" * 32
UNACKNOWLEDGED = Attachment(proxy_id="p", boot_id="b" * 32, incarnation="i1", acknowledged=False, in_flight=0)
IN_FLIGHT = UNACKNOWLEDGED.model_copy(update={"acknowledged": True, "in_flight": 2})
CLEAR = UNACKNOWLEDGED.model_copy(update={"acknowledged": True})
EXPIRE = Expire(incarnation="i1", lease_id=LEASE, seq=3, waited_unknown=False)
EXPIRE_AFTER_Q = Expire(incarnation="i1", lease_id=LEASE, seq=3, waited_unknown=True)
CLEARED = Clear(incarnation="i1", epoch=5, absence="")
MARK = Mark(incarnation="i1")
GONE: dict[str, object] = {"state": None, "epoch": 0, "lease_id": "", "seq": 0, "ttl_ms": 0}
"""A state that is not there."""


def view(*records: Attachment, **fields: object) -> LeaseView:
    usual: dict[str, object] = {
        "target": TARGET,
        "incarnation": "i1",
        "cleared": True,
        "state": "held",
        "lease_id": LEASE,
        "epoch": 5,
        "seq": 3,
        "ttl_ms": TIMING.ttl_ms,
        "attach_count": len(records),
        "attachments": records,
    }
    return LeaseView.model_validate(usual | fields)


def look(it: TargetObserver, seen: LeaseView, at_ms: int, *, db_epoch: int = 5) -> list[Action]:
    return it.on_view(seen, replied_ms=at_ms, now_ms=at_ms, db_epoch=db_epoch)


def observer() -> TargetObserver:
    return TargetObserver(TARGET, TIMING)


def watch(it: TargetObserver, seen: LeaseView, start_ms: int, end_ms: int) -> None:
    """Look from `start_ms` to `end_ms` without a gap; nothing may become due."""
    for at_ms in [*range(start_ms, end_ms, 200), end_ms]:
        assert look(it, seen, at_ms) == [], at_ms


class TestExpire:
    @pytest.mark.parametrize("state", ["held", "releasing", "revoking"])
    @pytest.mark.parametrize(
        ("sentence", "records", "wait_ms"),
        [
            ("nobody attached", (), W),
            ("all acknowledged with nothing in flight", (CLEAR,), W),
            ("one did not acknowledge", (UNACKNOWLEDGED,), W + Q),
            ("one has calls in flight", (IN_FLIGHT,), W + Q),
            ("one of two did not acknowledge", (CLEAR, UNACKNOWLEDGED), W + Q),
        ],
    )
    def test_an_unchanged_lease_expires_after_the_window_and_not_a_tick_before(
        self, state: str, sentence: str, records: tuple[Attachment, ...], wait_ms: int
    ) -> None:
        it = observer()
        seen = view(*records, state=state)
        assert look(it, seen, 1_000) == []
        assert look(it, seen, 1_000 + wait_ms - 1) == [], sentence
        due = EXPIRE if wait_ms == W else EXPIRE_AFTER_Q
        assert look(it, seen, 1_000 + wait_ms) == [due], sentence

    def test_a_vanished_attach_record_is_waited_for_as_if_it_were_there(self) -> None:
        it = observer()
        look(it, view(attach_count=1), 0)
        assert look(it, view(attach_count=1), W + Q - 1) == []
        assert look(it, view(attach_count=1), W + Q) == [EXPIRE_AFTER_Q]

    def test_the_wait_counts_from_after_the_first_reply(self) -> None:
        it = observer()
        it.on_view(view(), replied_ms=700, now_ms=900, db_epoch=5)
        assert it.on_view(view(), replied_ms=699 + W, now_ms=699 + W, db_epoch=5) == []
        assert it.on_view(view(), replied_ms=700 + W, now_ms=700 + W, db_epoch=5) == [EXPIRE]

    @pytest.mark.parametrize(
        ("sentence", "change"),
        [
            ("a renewal", {"seq": 4}),
            ("another lease with the same seq", {"lease_id": "6-" + "c" * 32}),
            ("another incarnation", {"incarnation": "i2"}),
        ],
    )
    def test_the_wait_begins_again_with(self, sentence: str, change: dict[str, object]) -> None:
        it = observer()
        look(it, view(), 0)
        assert look(it, view(**change), W) == [], sentence
        assert look(it, view(**change), 2 * W - 1) == [], sentence
        assert len(look(it, view(**change), 2 * W)) == 1, sentence

    def test_an_expiry_says_that_q_was_waited_for_only_when_it_was(self) -> None:
        """The server demands the acknowledgements otherwise; a look that was clear is no proof when it arrives."""
        it = observer()
        look(it, view(CLEAR), 0)
        assert look(it, view(CLEAR), W + Q - 1) == [EXPIRE]
        assert look(it, view(CLEAR), W + Q) == [EXPIRE_AFTER_Q]

    def test_a_key_that_is_gone_shortens_nothing(self) -> None:
        it = observer()
        look(it, view(pttl_ms=9_000), 0)
        assert look(it, view(pttl_ms=-2), W - 1) == []

    def test_the_beginning_of_a_hand_over_does_not_begin_the_wait_again(self) -> None:
        it = observer()
        look(it, view(), 0)
        assert look(it, view(state="revoking"), W) == [EXPIRE]

    def test_an_observer_that_slept_acts_only_on_what_it_sees_now(self) -> None:
        it = observer()
        look(it, view(), 0)
        assert look(it, view(seq=900), 10 * W) == []

    @pytest.mark.parametrize("state", ["free", "released", "severed", "expired"])
    def test_what_is_over_is_not_expired(self, state: str) -> None:
        it = observer()
        look(it, view(state=state), 0)
        assert look(it, view(state=state), 100 * W) == []

    def test_the_ttl_that_the_lease_recorded_counts(self) -> None:
        it = observer()
        look(it, view(ttl_ms=20_000), 0)
        assert look(it, view(ttl_ms=20_000), 20_400 + 1_799) == []
        assert look(it, view(ttl_ms=20_000), 20_400 + 1_800) == [EXPIRE]

    def test_it_asks_again_until_it_took(self) -> None:
        it = observer()
        look(it, view(), 0)
        assert look(it, view(), W) == look(it, view(), W + 200) == [EXPIRE]


class TestClear:
    @pytest.mark.parametrize(
        ("sentence", "seen"),
        [
            ("an incarnation that was not cleared", view(state="free", cleared=False)),
            ("a state that is gone", view(**GONE, absence="gone-1")),
            ("both", view(**GONE, absence="gone-1", cleared=False)),
        ],
    )
    def test_an_embargo_ends_after_window_and_q_and_not_a_tick_before(self, sentence: str, seen: LeaseView) -> None:
        it = observer()
        watch(it, seen, 100, 100 + W + Q - 1)
        due = Clear(incarnation="i1", epoch=5, absence=seen.absence)
        assert look(it, seen, 100 + W + Q) == [due], sentence

    def test_what_is_cleared_stays_so(self) -> None:
        it = observer()
        look(it, view(state="free"), 0)
        assert look(it, view(state="free"), 100 * W) == []

    def test_another_incarnation_begins_the_embargo_again(self) -> None:
        it = observer()
        look(it, view(state="free", cleared=False), 0)
        assert look(it, view(state="free", cleared=False, incarnation="i2"), W + Q) == []

    def test_a_state_that_vanishes_meanwhile_begins_the_embargo_again(self) -> None:
        it = observer()
        look(it, view(state="free", cleared=False), 0)
        gone = view(**GONE, cleared=False, absence="gone-1")
        watch(it, gone, W + Q, 2 * (W + Q) - 1)
        assert look(it, gone, 2 * (W + Q)) == [Clear(incarnation="i1", epoch=5, absence="gone-1")]

    def test_an_absence_without_a_name_is_named_first_and_not_waited_for(self) -> None:
        it = observer()
        assert look(it, view(**GONE), 0) == [MARK]
        assert look(it, view(**GONE), 10 * (W + Q)) == [MARK], "until that took"
        named = view(**GONE, absence="gone-1")
        watch(it, named, 10 * (W + Q) + 1, 11 * (W + Q))
        assert look(it, named, 11 * (W + Q) + 1) == [Clear(incarnation="i1", epoch=5, absence="gone-1")]

    def test_another_absence_begins_the_embargo_again_however_alike_they_look(self) -> None:
        it = observer()
        look(it, view(**GONE, absence="gone-1"), 0)
        again = view(**GONE, absence="gone-2")
        watch(it, again, W + Q, 2 * (W + Q) - 1)
        assert look(it, again, 2 * (W + Q)) == [Clear(incarnation="i1", epoch=5, absence="gone-2")]

    def test_a_pause_does_not_matter_while_the_absence_has_the_same_name(self) -> None:
        it = observer()
        named = view(**GONE, absence="gone-1")
        look(it, named, 0)
        assert look(it, named, W + Q) == [Clear(incarnation="i1", epoch=5, absence="gone-1")]

    def test_a_gap_does_not_matter_for_an_incarnation_since_none_comes_back(self) -> None:
        it = observer()
        look(it, view(state="free", cleared=False), 0)
        assert look(it, view(state="free", cleared=False), W + Q) == [CLEARED]

    def test_renewals_go_on_meanwhile_and_do_not_prolong_it(self) -> None:
        it = observer()
        for seq in range(3, 30):
            assert look(it, view(UNACKNOWLEDGED, cleared=False, seq=seq), (seq - 3) * 1_000) == []
        assert look(it, view(UNACKNOWLEDGED, cleared=False, seq=30), W + Q) == [CLEARED]

    def test_the_longer_of_the_recorded_and_the_configured_ttl_counts(self) -> None:
        it = observer()
        seen = view(state="released", cleared=False, ttl_ms=30_000)
        long = TIMING.recorded(30_000).embargo_ms
        look(it, seen, 0)
        assert look(it, seen, long - 1) == []
        assert look(it, seen, long) == [CLEARED]

    def test_the_epoch_is_the_one_that_the_database_has_when_it_ends(self) -> None:
        it = observer()
        look(it, view(state="free", cleared=False), 0, db_epoch=5)
        assert look(it, view(state="free", cleared=False), W + Q, db_epoch=7) == [
            Clear(incarnation="i1", epoch=7, absence="")
        ]


class TestNeverClaimed:
    NEW = view(**GONE, cleared=False, absence="gone-1")

    def test_it_is_named_first_also_when_the_epoch_is_fresh(self) -> None:
        unnamed = self.NEW.model_copy(update={"absence": ""})
        assert observer().on_view(unnamed, replied_ms=0, now_ms=0, db_epoch=0, epoch_is_fresh=True) == [MARK]

    def test_a_target_that_was_never_claimed_is_cleared_at_once_when_the_epoch_was_read_after_the_view(self) -> None:
        actions = observer().on_view(self.NEW, replied_ms=0, now_ms=0, db_epoch=0, epoch_is_fresh=True)
        assert actions == [Clear(incarnation="i1", epoch=0, absence="gone-1")]

    def test_an_epoch_that_may_be_older_than_the_view_counts_at_the_second_look(self) -> None:
        it = observer()
        assert look(it, self.NEW, 0, db_epoch=0) == []
        assert look(it, self.NEW, 1, db_epoch=0) == [Clear(incarnation="i1", epoch=0, absence="gone-1")]

    def test_another_incarnation_is_looked_at_twice_again(self) -> None:
        it = observer()
        look(it, self.NEW, 0, db_epoch=0)
        again = self.NEW.model_copy(update={"incarnation": "i2"})
        assert look(it, again, 1, db_epoch=0) == []
        assert look(it, again, 2, db_epoch=0) == [Clear(incarnation="i2", epoch=0, absence="gone-1")]

    def test_after_a_claim_the_embargo_is_waited_out(self) -> None:
        it = observer()
        look(it, self.NEW, 0, db_epoch=0)
        assert look(it, self.NEW, 1, db_epoch=1) == []

    def test_a_database_that_forgot_does_not_lift_the_embargo_of_a_lease_that_redis_remembers(self) -> None:
        it = observer()
        seen = view(cleared=False)
        look(it, seen, 0, db_epoch=0)
        assert look(it, seen, 1, db_epoch=0) == []
        assert it.on_view(seen, replied_ms=2, now_ms=2, db_epoch=0, epoch_is_fresh=True) == []


def test_another_targets_view_is_a_bug() -> None:
    with pytest.raises(ValueError, match=r"web\.us"):
        look(observer(), view(target="web.us"), 0)
