"""What every lease store promises, told operation by operation; run on fakeredis and on a real Valkey.

A class that inherits `LeaseContract` gives a fixture `backend` (see tests/lease_world.py).
"""

from __future__ import annotations

import json

import pytest

from shared.errors import PeerError
from shared.lease import commands, keys
from shared.lease.commands import Attached, Cleared, Granted, Marked, Refusal, Refused, Renewed
from shared.lease.machine import State
from shared.lease.store import LeaseStore
from tests.lease_world import Backend, restore, snapshot

T = "web.eu"
A, B = "a" * 32, "b" * 32
BOOT, OTHER_BOOT = "1" * 32, "2" * 32
TTL_MS = 600_000


def clear(store: LeaseStore, epoch: int = 0) -> None:
    assert isinstance(store.clear(T, store.view(T).incarnation, epoch), Cleared)


def acquire(store: LeaseStore, epoch: int, acquire_id: str = A) -> Granted | Refused:
    return store.acquire(
        T, epoch=epoch, acquire_id=acquire_id, ttl_ms=TTL_MS, holder="h", run_id="run-1", node="n1", credential_hash="c"
    )


def grant(store: LeaseStore, epoch: int = 1, acquire_id: str = A) -> Granted:
    granted = acquire(store, epoch, acquire_id)
    assert isinstance(granted, Granted), granted
    return granted


def hold_many(store: LeaseStore, count: int) -> list[tuple[str, str]]:
    """Targets with their held leases."""
    held = []
    for number in range(count):
        target = f"many.t{number}"
        store.clear(target, store.view(target).incarnation, 0)
        granted = store.acquire(target, epoch=1, acquire_id=A, ttl_ms=TTL_MS, holder="h", run_id="run-1", node="n1")
        assert isinstance(granted, Granted), granted
        held.append((target, granted.lease_id))
    return held


def refusal(reply: object) -> Refusal:
    assert isinstance(reply, Refused), reply
    return reply.reason


class LeaseContract:
    """The tests."""

    @pytest.fixture
    def backend(self) -> Backend:
        raise NotImplementedError

    @pytest.fixture
    def store(self, backend: Backend) -> LeaseStore:
        """A store on which the target is cleared and free."""
        store = backend.store()
        clear(store)
        return store

    # ACQUIRE

    def test_a_new_server_is_embargoed_and_grants_nothing(self, backend: Backend) -> None:
        store = backend.store()
        assert store.view(T).embargoed
        assert refusal(acquire(store, 1)) is Refusal.EMBARGOED
        assert store.view(T).state is None, "and nothing was written"

    def test_a_free_target_is_granted_and_the_view_tells_who_holds_what(self, store: LeaseStore) -> None:
        granted = grant(store, 3)
        seen = store.view(T)
        assert granted.lease_id.startswith(f"3-{A}-")
        assert (granted.epoch, granted.seq, granted.incarnation) == (3, 1, seen.incarnation)
        assert (seen.state, seen.lease_id, seen.epoch, seen.seq) == (State.HELD, granted.lease_id, 3, 1)
        assert (seen.holder, seen.run_id, seen.node, seen.credential_hash) == ("h", "run-1", "n1", "c")
        assert seen.ttl_ms == TTL_MS
        assert 0 < seen.pttl_ms <= TTL_MS
        assert (seen.confirmed_incarnation, seen.confirmed_seq) == ("", 0)
        assert seen.since_ms > 0

    def test_a_repeated_acquire_gets_the_same_grant(self, store: LeaseStore) -> None:
        first = grant(store)
        assert grant(store) == first

    def test_a_repeated_acquire_gets_the_same_grant_also_after_a_failover(
        self, store: LeaseStore, backend: Backend
    ) -> None:
        first = grant(store)
        backend.fail_over()
        assert grant(store).lease_id == first.lease_id

    def test_a_repeated_acquire_of_a_lease_that_is_over_is_refused(self, store: LeaseStore) -> None:
        store.release(T, grant(store).lease_id)
        assert refusal(acquire(store, 1)) is Refusal.ENDED

    def test_a_held_lease_is_not_granted_to_a_younger_epoch(self, store: LeaseStore) -> None:
        grant(store)
        assert refusal(acquire(store, 2, B)) is Refusal.HELD

    @pytest.mark.parametrize("epoch", [1, 2])
    def test_an_epoch_not_above_the_last_is_refused_and_told_the_last(self, store: LeaseStore, epoch: int) -> None:
        store.release(T, grant(store, 2).lease_id)
        assert acquire(store, epoch, B) == Refused(reason=Refusal.STALE_EPOCH, last_epoch=2)

    def test_the_absence_of_the_key_is_no_licence(self, store: LeaseStore, backend: Backend) -> None:
        grant(store)
        backend.client.delete(keys.target_keys(T).lease)
        assert refusal(acquire(store, 2, B)) is Refusal.HELD

    def test_the_absence_of_the_state_is_an_embargo(self, store: LeaseStore, backend: Backend) -> None:
        grant(store)
        backend.client.delete(keys.target_keys(T).state)
        assert refusal(acquire(store, 2, B)) is Refusal.EMBARGOED

    @pytest.mark.parametrize("end", ["releasing", "revoking"])
    def test_a_hand_over_that_is_not_over_grants_nothing(self, store: LeaseStore, end: str) -> None:
        lease_id = grant(store).lease_id
        store.attach(T, lease_id, "p", BOOT)
        assert (store.release(T, lease_id) if end == "releasing" else store.revoke(T, lease_id, "x")) == State(end)
        assert refusal(acquire(store, 2, B)) is Refusal.HELD

    def test_a_new_grant_forgets_the_attach_records_of_the_old(self, store: LeaseStore) -> None:
        first = grant(store)
        store.attach(T, first.lease_id, "p", BOOT)
        store.release(T, first.lease_id)
        store.acknowledge(T, first.lease_id, "p", BOOT, 0)
        grant(store, 2, B)
        seen = store.view(T)
        assert (seen.attachments, seen.attach_count) == ((), 0)

    # RENEW and CONFIRM

    def test_a_renewal_counts_and_prolongs(self, store: LeaseStore, backend: Backend) -> None:
        granted = grant(store)
        backend.client.pexpire(keys.target_keys(T).lease, 100_000)
        assert store.renew(T, granted.lease_id) == Renewed(seq=2, incarnation=granted.incarnation)
        assert store.view(T).pttl_ms > 100_000

    def test_a_renewal_never_makes_the_key_again(self, store: LeaseStore, backend: Backend) -> None:
        lease_id = grant(store).lease_id
        backend.client.delete(keys.target_keys(T).lease)
        assert refusal(store.renew(T, lease_id)) is Refusal.KEY_GONE
        assert (store.view(T).pttl_ms, store.view(T).seq) == (-2, 1)

    def test_only_the_exact_lease_is_renewed(self, store: LeaseStore) -> None:
        lease_id = grant(store).lease_id
        assert refusal(store.renew(T, lease_id.replace(A, B))) is Refusal.OTHER_LEASE
        assert refusal(store.renew("web.us", lease_id)) is Refusal.OTHER_LEASE

    def test_after_a_revocation_nothing_is_renewed_confirmed_or_attached(self, store: LeaseStore) -> None:
        granted = grant(store)
        store.attach(T, granted.lease_id, "p", BOOT)
        store.revoke(T, granted.lease_id, "x")
        before = store.view(T)
        assert refusal(store.renew(T, granted.lease_id)) is Refusal.REVOKING
        assert not store.confirm(T, granted.lease_id, granted.incarnation, 1)
        assert refusal(store.attach(T, granted.lease_id, "q", BOOT)) is Refusal.REVOKING
        after = store.view(T)
        assert after.model_copy(update={"pttl_ms": before.pttl_ms}) == before

    def test_holders_go_on_renewing_in_an_embargo(self, store: LeaseStore, backend: Backend) -> None:
        lease_id = grant(store).lease_id
        backend.fail_over()
        assert store.view(T).embargoed
        assert isinstance(store.renew(T, lease_id), Renewed)

    def test_a_confirmation_is_of_this_incarnation_and_of_a_known_seq(self, store: LeaseStore) -> None:
        granted = grant(store)
        assert not store.confirm(T, granted.lease_id, "run:repl", 1)
        assert not store.confirm(T, granted.lease_id, granted.incarnation, 2)
        assert not store.confirm(T, granted.lease_id.replace(A, B), granted.incarnation, 1)
        assert store.view(T).confirmed_seq == 0
        assert store.confirm(T, granted.lease_id, granted.incarnation, 1)
        seen = store.view(T)
        assert (seen.confirmed_incarnation, seen.confirmed_seq) == (granted.incarnation, 1)

    def test_a_late_confirmation_does_not_take_back_a_newer_one(self, store: LeaseStore) -> None:
        granted = grant(store)
        store.renew(T, granted.lease_id)
        assert store.confirm(T, granted.lease_id, granted.incarnation, 2)
        assert store.confirm(T, granted.lease_id, granted.incarnation, 1)
        assert store.view(T).confirmed_seq == 2

    # Many leases in one call

    def test_many_leases_are_renewed_made_durable_and_confirmed_in_one_go(self, store: LeaseStore) -> None:
        held = hold_many(store, 3)
        renewals = store.renew_many(held, 1000)
        assert [reply.seq for reply in renewals if isinstance(reply, Renewed)] == [2, 2, 2]
        assert [(view.seq, view.confirmed_seq) for view in store.views([target for target, _ in held])] == [(2, 2)] * 3
        assert store.renew_many([], 1000) == []

    def test_of_many_each_lease_gets_the_answer_that_it_would_get_alone(
        self, store: LeaseStore, backend: Backend
    ) -> None:
        held = hold_many(store, 5)
        store.revoke(*held[1], "x")
        backend.client.delete(keys.target_keys(held[2][0]).lease)
        other = (held[3][0], f"1-{B}")
        replies = store.renew_many([held[0], held[1], held[2], other, ("web.none", f"1-{A}"), held[4]], 1000)
        alone = [store.renew(*lease) for lease in (held[1], held[2], other, ("web.none", f"1-{A}"))]
        assert replies[1:5] == alone
        assert [refusal(reply) for reply in alone] == [
            Refusal.SEVERED, Refusal.KEY_GONE, Refusal.OTHER_LEASE, Refusal.OTHER_LEASE,
        ]  # fmt: skip
        assert [isinstance(replies[at], Renewed) for at in (0, 5)] == [True, True]

    def test_one_lease_with_broken_keys_costs_no_other_its_renewal(self, store: LeaseStore, backend: Backend) -> None:
        held = hold_many(store, 3)
        state = keys.target_keys(held[0][0]).state
        backend.client.delete(state)
        backend.client.set(state, "no hash")
        broken, *whole = store.renew_many(held, 1000)
        assert isinstance(broken, PeerError)
        assert all(isinstance(reply, Renewed) for reply in whole)
        assert store.view(held[2][0]).confirmed_seq == 2

    def test_many_renewals_after_a_failover_are_of_the_new_incarnation(
        self, store: LeaseStore, backend: Backend
    ) -> None:
        held = hold_many(store, 2)
        backend.fail_over()
        replies = store.renew_many(held, 1000)
        here = store.view(T).incarnation
        assert [reply.incarnation for reply in replies if isinstance(reply, Renewed)] == [here, here]
        assert store.view(held[0][0]).confirmed_incarnation == here

    def test_more_leases_than_one_call_may_hold_are_all_renewed(self, store: LeaseStore) -> None:
        held = hold_many(store, 3)
        many = held * 200
        assert len(many) > commands.MAX_MANY
        assert all(isinstance(reply, Renewed) for reply in store.renew_many(many, 1000))
        assert store.view(held[0][0]).confirmed_seq == 201

    # ATTACH and ACKNOWLEDGE

    def test_a_boot_attaches_once_and_anew_in_every_incarnation(self, store: LeaseStore, backend: Backend) -> None:
        granted = grant(store)
        for _ in range(2):
            assert store.attach(T, granted.lease_id, "p", BOOT) == Attached(seq=1, incarnation=granted.incarnation)
        backend.fail_over()
        store.attach(T, granted.lease_id, "p", BOOT)
        seen = store.view(T)
        assert [record.incarnation for record in seen.attachments] == [seen.incarnation]
        assert seen.attach_count == 1

    def test_only_the_exact_lease_is_attached_to(self, store: LeaseStore) -> None:
        lease_id = grant(store).lease_id
        assert refusal(store.attach(T, lease_id.replace(A, B), "p", BOOT)) is Refusal.OTHER_LEASE
        assert store.view(T).attachments == ()

    def test_a_boot_that_acknowledged_does_not_attach_again(self, store: LeaseStore) -> None:
        lease_id = grant(store).lease_id
        store.attach(T, lease_id, "p", BOOT)
        assert store.acknowledge(T, lease_id, "p", BOOT, 0) is State.HELD
        assert refusal(store.attach(T, lease_id, "p", BOOT)) is Refusal.ACKNOWLEDGED

    def test_the_number_of_boots_is_bounded(self, store: LeaseStore) -> None:
        lease_id = grant(store).lease_id
        for number in range(64):
            assert isinstance(store.attach(T, lease_id, "p", f"{number:032x}"), Attached)
        assert refusal(store.attach(T, lease_id, "p", "f" * 32)) is Refusal.TOO_MANY

    @pytest.mark.parametrize(
        ("sentence", "acquire_id", "proxy_id", "boot_id", "reason"),
        [
            ("of another lease", B, "p", BOOT, Refusal.OTHER_LEASE),
            ("of another boot", A, "p", OTHER_BOOT, Refusal.NOT_ATTACHED),
            ("of another proxy", A, "q", BOOT, Refusal.NOT_ATTACHED),
        ],
    )
    def test_an_acknowledgement_counts_for_its_exact_record_only(
        self, store: LeaseStore, sentence: str, acquire_id: str, proxy_id: str, boot_id: str, reason: Refusal
    ) -> None:
        lease_id = grant(store).lease_id
        store.attach(T, lease_id, "p", BOOT)
        store.release(T, lease_id)
        named = lease_id.replace(A, acquire_id)
        assert refusal(store.acknowledge(T, named, proxy_id, boot_id, 0)) is reason, sentence
        assert store.view(T).state is State.RELEASING

    def test_a_late_acknowledgement_of_an_old_lease_does_not_count_for_the_new(self, store: LeaseStore) -> None:
        first = grant(store)
        store.attach(T, first.lease_id, "p", BOOT)
        store.release(T, first.lease_id)
        store.acknowledge(T, first.lease_id, "p", BOOT, 0)
        second = grant(store, 2, B)
        store.attach(T, second.lease_id, "p", BOOT)
        store.release(T, second.lease_id)
        assert refusal(store.acknowledge(T, first.lease_id, "p", BOOT, 0)) is Refusal.OTHER_LEASE
        assert store.view(T).state is State.RELEASING

    @pytest.mark.parametrize(("end", "ended"), [("release", State.RELEASED), ("revoke", State.SEVERED)])
    def test_a_hand_over_is_over_when_every_boot_acknowledged_with_nothing_in_flight(
        self, store: LeaseStore, end: str, ended: State
    ) -> None:
        lease_id = grant(store).lease_id
        store.attach(T, lease_id, "p", BOOT)
        store.attach(T, lease_id, "p", OTHER_BOOT)
        begun = store.release(T, lease_id) if end == "release" else store.revoke(T, lease_id, "x")
        assert store.acknowledge(T, lease_id, "p", BOOT, 0) == begun, "one of two"
        assert store.acknowledge(T, lease_id, "p", OTHER_BOOT, 2) == begun, "calls in flight"
        assert store.acknowledge(T, lease_id, "p", OTHER_BOOT, 0) is ended
        assert store.view(T).pttl_ms == -2
        grant(store, 2, B)

    def test_a_late_repetition_does_not_raise_the_count(self, store: LeaseStore) -> None:
        lease_id = grant(store).lease_id
        store.attach(T, lease_id, "p", BOOT)
        store.acknowledge(T, lease_id, "p", BOOT, 1)
        store.acknowledge(T, lease_id, "p", BOOT, 3)
        assert store.view(T).attachments[0].in_flight == 1

    def test_a_vanished_record_is_not_an_acknowledgement(self, store: LeaseStore, backend: Backend) -> None:
        lease_id = grant(store).lease_id
        store.attach(T, lease_id, "p", BOOT)
        backend.client.delete(keys.target_keys(T).attach)
        assert store.release(T, lease_id) is State.RELEASING
        assert not store.view(T).all_clear

    # RELEASE, REVOKE, EXPIRE

    def test_without_any_attach_record_a_hand_over_is_over_at_once(self, store: LeaseStore) -> None:
        assert store.release(T, grant(store).lease_id) is State.RELEASED
        assert store.revoke(T, grant(store, 2, B).lease_id, "x") is State.SEVERED

    def test_a_repeated_release_tells_the_state(self, store: LeaseStore) -> None:
        lease_id = grant(store).lease_id
        store.attach(T, lease_id, "p", BOOT)
        assert [store.release(T, lease_id) for _ in range(2)] == [State.RELEASING] * 2
        assert store.revoke(T, lease_id, "too late") is State.RELEASING
        assert store.view(T).reason == ""

    def test_the_reason_of_a_revocation_is_kept(self, store: LeaseStore) -> None:
        lease_id = grant(store).lease_id
        store.attach(T, lease_id, "p", BOOT)
        store.revoke(T, lease_id, 'operator: "stop"')
        assert store.view(T).reason == 'operator: "stop"'

    def test_an_expiry_is_of_exactly_what_was_observed(self, store: LeaseStore) -> None:
        granted = grant(store)
        here = granted.incarnation
        assert refusal(store.expire(T, "run:repl", granted.lease_id, 1)) is Refusal.OTHER_INCARNATION
        assert refusal(store.expire(T, here, f"1-{B}-", 1)) is Refusal.OTHER_LEASE
        store.renew(T, granted.lease_id)
        assert refusal(store.expire(T, here, granted.lease_id, 1)) is Refusal.RENEWED
        assert store.view(T).state is State.HELD
        assert store.expire(T, here, granted.lease_id, 2) is State.EXPIRED
        assert refusal(store.expire(T, here, granted.lease_id, 2)) is Refusal.EXPIRED
        assert refusal(store.release(T, granted.lease_id)) is Refusal.EXPIRED
        grant(store, 2, B)

    @pytest.mark.parametrize(
        ("sentence", "in_flight"), [("it has not acknowledged", None), ("it has calls in flight", 2)]
    )
    def test_before_q_the_server_itself_demands_that_every_boot_is_clear(
        self, store: LeaseStore, sentence: str, in_flight: int | None
    ) -> None:
        """What the observer was shown may be old: a boot may have attached, opened its gate and been cut since."""
        granted = grant(store)
        store.attach(T, granted.lease_id, "p", BOOT)
        if in_flight is not None:
            store.acknowledge(T, granted.lease_id, "p", BOOT, in_flight)
        assert refusal(store.expire(T, granted.incarnation, granted.lease_id, 1)) is Refusal.NOT_CLEAR, sentence
        assert store.view(T).state is State.HELD
        assert store.expire(T, granted.incarnation, granted.lease_id, 1, waited_unknown=True) is State.EXPIRED

    def test_a_boot_that_acknowledged_with_nothing_in_flight_is_not_waited_for(self, store: LeaseStore) -> None:
        granted = grant(store)
        store.attach(T, granted.lease_id, "p", BOOT)
        store.acknowledge(T, granted.lease_id, "p", BOOT, 0)
        assert store.expire(T, granted.incarnation, granted.lease_id, 1) is State.EXPIRED

    # MARK and CLEAR

    def test_an_absence_keeps_its_name_and_the_view_shows_it(self, backend: Backend) -> None:
        store = backend.store()
        here = store.view(T).incarnation
        assert store.view(T).absence == ""
        first = store.mark(T, here)
        assert isinstance(first, Marked)
        assert first.absence
        assert store.mark(T, here) == first, "also for a second observer"
        assert store.view(T).absence == first.absence

    def test_a_state_that_is_there_has_no_absence(self, store: LeaseStore) -> None:
        here = store.view(T).incarnation
        assert store.mark(T, here) == Marked(absence="")
        assert store.view(T).absence == ""

    def test_only_the_incarnation_that_was_seen_is_marked(self, backend: Backend) -> None:
        store = backend.store()
        old = store.view(T).incarnation
        backend.fail_over()
        assert refusal(store.mark(T, old)) is Refusal.OTHER_INCARNATION
        assert store.view(T).absence == ""

    def test_a_clear_ends_the_absence_that_it_names_and_no_later_one(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However late or often it arrives, and although the command that named the absence arrives again as well."""
        monkeypatch.setattr(commands, "new_nonce", lambda: "0a1b2c3d")  # each MARK is the first one, delivered again
        store = backend.store()
        here = store.view(T).incarnation
        assert refusal(store.clear(T, here, 1, absence="")) is Refusal.OTHER_ABSENCE, "without a name"
        first = store.mark(T, here)
        assert isinstance(first, Marked)
        assert isinstance(store.clear(T, here, 1, absence=first.absence), Cleared)
        assert refusal(store.clear(T, here, 1, absence=first.absence)) is Refusal.OTHER_ABSENCE, "used up"
        grant(store)
        backend.client.delete(keys.target_keys(T).state)
        assert refusal(store.clear(T, here, 1, absence=first.absence)) is Refusal.OTHER_ABSENCE
        assert store.mark(T, here) != first
        assert refusal(store.clear(T, here, 1, absence=first.absence)) is Refusal.OTHER_ABSENCE
        assert store.view(T).embargoed

    def test_a_clear_that_saw_a_state_does_not_end_an_absence(self, store: LeaseStore, backend: Backend) -> None:
        grant(store)
        backend.fail_over()
        here = store.view(T).incarnation
        backend.client.delete(keys.target_keys(T).state)
        assert refusal(store.clear(T, here, 1, absence="")) is Refusal.OTHER_ABSENCE
        assert store.view(T).state is None

    def test_after_a_deletion_the_same_acquire_makes_another_lease(self, store: LeaseStore, backend: Backend) -> None:
        """So that nothing that was meant for the first can reach the second, and nobody takes one for the other."""
        first = grant(store)
        store.renew(T, first.lease_id)
        backend.client.delete(keys.target_keys(T).state)
        clear(store, 1)
        second = grant(store)
        assert second.lease_id != first.lease_id
        for lease_id in (first.lease_id, second.lease_id):
            assert lease_id.startswith(f"1-{A}-")
        store.renew(T, second.lease_id)
        late = store.expire(T, first.incarnation, first.lease_id, 2, waited_unknown=True)
        assert refusal(late) is Refusal.OTHER_LEASE

    @pytest.mark.parametrize("empty", [True, False])
    def test_a_restarted_server_grants_nothing_until_cleared(
        self, store: LeaseStore, backend: Backend, empty: bool
    ) -> None:
        store.release(T, grant(store).lease_id)
        backend.restart(empty=empty)
        assert refusal(acquire(store, 2, B)) is Refusal.EMBARGOED
        clear(store, 2)
        grant(store, 2, B)

    def test_an_empty_server_is_not_won_by_a_late_acquire_of_an_old_epoch(
        self, store: LeaseStore, backend: Backend
    ) -> None:
        grant(store, 4)
        backend.restart(empty=True)
        assert store.clear(T, store.view(T).incarnation, 5) == Cleared(last_epoch=4)
        assert acquire(store, 4, B) == Refused(reason=Refusal.STALE_EPOCH, last_epoch=4)
        grant(store, 5, B)

    def test_the_floor_never_falls(self, store: LeaseStore) -> None:
        grant(store, 7)
        assert store.clear(T, store.view(T).incarnation, 3) == Cleared(last_epoch=7)

    def test_only_the_incarnation_that_was_observed_is_cleared(self, store: LeaseStore, backend: Backend) -> None:
        old = store.view(T).incarnation
        backend.fail_over()
        assert refusal(store.clear(T, old, 0)) is Refusal.OTHER_INCARNATION
        assert store.view(T).embargoed

    def test_a_lease_below_the_databases_epoch_is_revoked(self, store: LeaseStore, backend: Backend) -> None:
        lease_id = grant(store, 1).lease_id
        store.attach(T, lease_id, "p", BOOT)
        backend.fail_over()
        clear(store, 2)
        seen = store.view(T)
        assert (seen.state, seen.reason) == (State.REVOKING, "fenced off by epoch 2")

    def test_the_lease_of_the_databases_epoch_survives(self, store: LeaseStore, backend: Backend) -> None:
        grant(store, 2)
        backend.fail_over()
        clear(store, 2)
        assert store.view(T).state is State.HELD

    def test_a_failover_that_lost_the_grant_leaves_no_trace_of_it(self, store: LeaseStore, backend: Backend) -> None:
        replica = snapshot(backend)
        granted = grant(store)
        restore(backend, replica)
        backend.fail_over()
        assert not store.confirm(T, granted.lease_id, granted.incarnation, 1)
        assert refusal(store.renew(T, granted.lease_id)) is Refusal.OTHER_LEASE

    # Looking

    def test_many_targets_are_seen_in_one_go(self, store: LeaseStore) -> None:
        grant(store)
        assert [view.state for view in store.views([T, "web.us"])] == [State.HELD, None]
        assert store.views([]) == []

    def test_a_look_changes_nothing(self, store: LeaseStore, backend: Backend) -> None:
        grant(store)
        before = snapshot(backend)
        store.view(T)
        assert snapshot(backend) == before

    def test_every_change_of_state_is_published_and_nothing_else(self, store: LeaseStore, backend: Backend) -> None:
        with backend.client.pubsub(ignore_subscribe_messages=True) as events:
            events.subscribe(keys.EVENTS_CHANNEL)
            events.get_message(timeout=5)
            lease_id = grant(store).lease_id
            store.renew(T, lease_id)
            store.attach(T, lease_id, "p", BOOT)
            store.revoke(T, lease_id, "x")
            store.revoke(T, lease_id, "x")
            store.acknowledge(T, lease_id, "p", BOOT, 0)
            seen: list[dict[str, object]] = []
            while len(seen) < 3:
                message = events.get_message(timeout=30)
                assert message is not None, "an event is missing"
                seen.append(json.loads(message["data"]))
            assert events.get_message(timeout=0.05) is None
        assert seen == [
            {"target": T, "lease_id": lease_id, "state": state, "epoch": 1} for state in ("held", "revoking", "severed")
        ]

    def test_nodes_that_beat_are_alive(self, store: LeaseStore) -> None:
        store.beat("n1", {"runs": ["run-1"]}, 600_000)
        store.beat("n2", {}, 1)
        alive = store.nodes()
        assert alive["n1"] == {"runs": ["run-1"]}
        assert set(alive) <= {"n1", "n2"}
