"""What a run may do comes from the scheduler; without its word nothing is known."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from shared.async_api_client import AsyncApiClient
from shared.safety.allowance import Allowance
from signing_proxy.classify import Operation, Protocol
from signing_proxy.permissions import RETRY_MS, ApiAllowances, Permissions
from tests.unit.signing_proxy.helpers import Bench, make_run

CREATE = Operation(service="sqs", operation="CreateQueue", protocol=Protocol.JSON)


async def test_it_is_asked_once_and_kept() -> None:
    bench = Bench()
    run = make_run(bench.clock)
    first, second = await bench.permissions.ensure(run), await bench.permissions.ensure(run)
    assert first is second is run.bounds
    assert bench.allowances.asked == [run.attach.run_id]


async def test_many_who_need_to_know_ask_one_question() -> None:
    bench = Bench()
    run = make_run(bench.clock)
    answers = await asyncio.gather(*(bench.permissions.ensure(run) for _ in range(50)))
    assert len({id(answer) for answer in answers}) == 1
    assert len(bench.allowances.asked) == 1


async def test_without_an_answer_nothing_is_known_and_it_is_asked_again_later() -> None:
    bench = Bench()
    run = make_run(bench.clock)
    bench.allowances.down = True
    assert await asyncio.gather(*(bench.permissions.ensure(run) for _ in range(50))) == [None] * 50
    assert len(bench.allowances.asked) == 1, "the others do not wait for as many time-outs"
    assert "the scheduler is down" in run.bounds_missing
    bench.allowances.down = False
    assert await bench.permissions.ensure(run) is None
    bench.clock.advance(RETRY_MS)
    assert await bench.permissions.ensure(run) is not None


async def test_a_refresh_takes_over_what_is_new() -> None:
    bench = Bench()
    run = make_run(bench.clock)
    bench.allowances.allowance_now = Allowance.reads()
    await bench.permissions.ensure(run)
    bench.allowances.allowance_now = Allowance.unbounded()
    bounds = await bench.permissions.refresh(run)
    assert bounds is not None
    assert bounds.allowance.mode == "unbounded"


async def test_a_refresh_without_an_answer_leaves_nothing_known() -> None:
    bench = Bench()
    run = make_run(bench.clock)
    assert await bench.permissions.ensure(run) is not None
    bench.allowances.down = True
    assert await bench.permissions.refresh(run) is None
    assert run.bounds is None


@pytest.mark.parametrize("failure", [RuntimeError("a bug"), asyncio.CancelledError()])
async def test_a_refresh_that_fails_in_any_way_leaves_nothing_known(
    monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    bench = Bench()
    run = make_run(bench.clock)
    assert await bench.permissions.ensure(run) is not None

    async def fail(run_id: str) -> Allowance:
        raise failure

    monkeypatch.setattr(bench.allowances, "allowance", fail)
    with pytest.raises(type(failure)):
        await bench.permissions.refresh(run)
    assert run.bounds is None
    assert type(failure).__name__ in run.bounds_missing


@pytest.mark.parametrize("failure", [RuntimeError("a bug"), asyncio.CancelledError()])
async def test_a_first_question_that_fails_in_any_way_leaves_nothing_known_and_keeps_nobody_out(
    monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    bench = Bench()
    run = make_run(bench.clock)

    async def fail(run_id: str) -> Allowance:
        raise failure

    with monkeypatch.context() as broken:
        broken.setattr(bench.allowances, "allowance", fail)
        with pytest.raises(type(failure)):
            await bench.permissions.ensure(run)
    assert run.bounds is None
    assert await bench.permissions.ensure(run) is not None, "the next call asks again"


async def test_a_question_without_an_answer_ends_in_time_and_leaves_nothing_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    run = make_run(bench.clock)
    assert await bench.permissions.ensure(run) is not None
    monkeypatch.setattr("signing_proxy.permissions.ASK_LIMIT_S", 0.01)

    async def hang(run_id: str) -> Allowance:
        await asyncio.Event().wait()
        raise AssertionError

    with monkeypatch.context() as silent:
        silent.setattr(bench.allowances, "allowance", hang)
        assert await bench.permissions.refresh(run) is None
        assert (run.bounds, run.bounds_missing) == (None, "it did not answer in time")
        assert await asyncio.gather(*(bench.permissions.ensure(run) for _ in range(10))) == [None] * 10
    bench.clock.advance(RETRY_MS)
    assert await bench.permissions.ensure(run) is not None, "the next call asks again"


@pytest.mark.parametrize("content", [b"", b"{}", b"null", b"[]", b'"entries"', b'{"mode": null}'])
async def test_an_empty_answer_allows_nothing(content: bytes) -> None:
    bench = Bench()
    run = make_run(bench.clock)
    api = AsyncApiClient(
        "http://api.test", "token", transport=httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    )
    assert await Permissions(ApiAllowances(api), bench.clock, bench.metrics).refresh(run) is None
    assert (run.bounds, run.bounds_missing != "") == (None, True)
    await api.close()


async def test_an_answer_that_is_none_counts_as_none() -> None:
    bench = Bench()
    run = make_run(bench.clock)

    def handle(request: httpx.Request) -> httpx.Response:
        assert request.url.path == f"/v1/runs/{run.attach.run_id}/allowance"
        return httpx.Response(200, json={"mode": "everything"})

    api = AsyncApiClient("http://api.test", "token", transport=httpx.MockTransport(handle))
    source = ApiAllowances(api)
    assert await Permissions(source, bench.clock, bench.metrics).ensure(run) is None
    assert "not in the agreed format" in run.bounds_missing
    await api.close()


def test_only_the_first_refused_call_latches() -> None:
    bench = Bench()
    run = make_run(bench.clock)
    told: list[str] = []
    run.on_latched = lambda latch: told.append(latch.operation)
    bench.permissions.latch(run, CREATE, resource={"QueueName": "q"}, why="first")
    bench.permissions.latch(run, CREATE, resource={}, why="second")
    assert run.latch is not None
    assert (run.latch.why, run.latch.resource) == ("first", {"QueueName": "q"})
    assert told == ["CreateQueue"]
    labels = {"service": "sqs"}
    assert bench.metrics.registry.get_sample_value("interlock_proxy_latches_total", labels) == 1
