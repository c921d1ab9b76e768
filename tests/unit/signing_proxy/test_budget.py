"""The memory for bodies is bounded over all connections, and what was taken is given back."""

from __future__ import annotations

import asyncio

from signing_proxy import budget
from signing_proxy.budget import BufferBudget, HeldBodies


class Client:
    unread = 0


def connection(total: BufferBudget) -> tuple[HeldBodies, Client]:
    client = Client()
    return HeldBodies(total, lambda: client.unread), client


def test_what_one_connection_takes_another_cannot() -> None:
    total = BufferBudget(100)
    first, _ = connection(total)
    second, _ = connection(total)
    assert first.expect_request(60)
    assert not second.expect_request(41)
    assert total.used_bytes == 60
    assert second.expect_request(40)
    first.drop()
    second.drop()
    assert total.used_bytes == 0


def test_what_a_run_takes_is_bounded_by_its_own_budget_and_by_the_proxys() -> None:
    total = BufferBudget(100)
    greedy, modest = BufferBudget(70, within=total), BufferBudget(70, within=total)
    first, _ = connection(greedy)
    second, _ = connection(greedy)
    other, _ = connection(modest)
    assert first.expect_request(70)
    assert not second.expect_request(1)
    assert other.expect_request(30)
    assert not other.expect_request(31), "the run has room, the proxy has none"
    assert (greedy.used_bytes, modest.used_bytes, total.used_bytes) == (70, 30, 100)
    first.drop()
    other.drop()
    assert (greedy.used_bytes, modest.used_bytes, total.used_bytes) == (0, 0, 0)


def test_a_declared_body_counts_once_and_an_undeclared_one_as_it_comes() -> None:
    total = BufferBudget(100)
    bodies, _ = connection(total)
    assert bodies.expect_request(50)
    assert bodies.request_came(50)
    assert total.used_bytes == 50
    assert bodies.expect_request(0)
    assert bodies.request_came(99)
    assert not bodies.request_came(2)


def test_request_and_answer_are_held_together_and_a_streamed_answer_is_not() -> None:
    total = BufferBudget(100)
    bodies, _ = connection(total)
    assert bodies.expect_request(60)
    assert not bodies.expect_answer(41)
    assert bodies.expect_answer(10)
    assert bodies.answer_came(40)
    assert not bodies.answer_came(1)
    assert bodies.expect_request(60)
    bodies.stream_answer()
    assert bodies.answer_came(10_000)
    assert total.used_bytes == 60


async def test_an_answer_counts_until_the_client_has_read_it() -> None:
    total = BufferBudget(100)
    bodies, client = connection(total)
    assert bodies.expect_answer(80)
    client.unread = 80
    bodies.sent_on()
    assert total.used_bytes == 80
    client.unread = 0
    async with asyncio.timeout(60):
        while total.used_bytes:
            await asyncio.sleep(budget.SETTLE_S)


async def test_a_connection_that_is_gone_holds_nothing() -> None:
    total = BufferBudget(100)
    bodies, client = connection(total)
    client.unread = 80
    bodies.sent_on()
    bodies.drop()
    assert total.used_bytes == 0


def test_giving_back_works_over_the_bound_too() -> None:
    total = BufferBudget(100)
    bodies, client = connection(total)
    assert bodies.expect_request(100)
    client.unread = 50
    assert not bodies.expect_answer(1)
    assert bodies.expect_request(10), "less than before is always allowed"
    assert total.used_bytes == 60


def test_what_is_not_to_be_held_counts_nothing() -> None:
    total = BufferBudget(100)
    bodies, _ = connection(total)
    other, _ = connection(total)
    assert other.expect_request(100)
    assert bodies.request_came(10_000), "a handshake or a head, with memory full"
    assert not bodies.expect_request(1)
    assert bodies.request_came(10_000), "a body that was refused"
