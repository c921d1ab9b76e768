"""A run counts what is in flight, for as long as that may matter."""

from __future__ import annotations

from shared.clock import ManualClock
from signing_proxy.calls import Call
from tests.unit.signing_proxy.helpers import CLOUD, TIMING, make_run


class Connection:
    def __init__(self, heard: list[str] | None = None) -> None:
        self.severed: list[str] = []
        self.heard = [] if heard is None else heard

    def hang_up(self) -> None:
        self.heard.append("hang up")

    def sever(self, why: str) -> None:
        self.heard.append("sever")
        self.severed.append(why)


def test_only_sent_mutating_calls_are_in_flight() -> None:
    run = make_run(ManualClock())
    waiting, sent = Call(run=run, upstream=CLOUD), Call(run=run, upstream=CLOUD, sent=True)
    run.calls = {waiting.call_id: waiting, sent.call_id: sent}
    assert run.in_flight(0) == 1


def test_an_unknown_outcome_counts_until_q_has_passed() -> None:
    run = make_run(ManualClock())
    call = Call(run=run, upstream=CLOUD, sent=True)
    run.calls[call.call_id] = call
    run.settle(call, unknown=True, now_ms=1000)
    assert run.mutating_in_flight == 0
    assert run.in_flight(1000 + TIMING.unknown_ms - 1) == 1
    assert run.in_flight(1000 + TIMING.unknown_ms) == 0


def test_a_known_outcome_counts_no_longer() -> None:
    run = make_run(ManualClock())
    call = Call(run=run, upstream=CLOUD, sent=True)
    run.calls[call.call_id] = call
    run.settle(call, unknown=False, now_ms=0)
    assert run.in_flight(0) == 0


def test_every_connection_is_severed() -> None:
    run = make_run(ManualClock())
    connections = [Connection(), Connection()]
    run.handlers = set(connections)
    assert run.sever_all("cut") == 2
    assert [connection.severed for connection in connections] == [["cut"], ["cut"]]


def test_every_connection_is_hung_up_before_the_first_is_unwound() -> None:
    run, order = make_run(ManualClock()), list[str]()
    run.handlers = {Connection(order), Connection(order)}
    run.sever_all("cut")
    assert order == ["hang up", "hang up", "sever", "sever"]
