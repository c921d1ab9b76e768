"""A streamed call is decided on by its head, since it leaves with it; any other when it is here as a whole."""

from __future__ import annotations

import pytest
from mitmproxy import http

from signing_proxy.addons.by_head import DecidedByHead
from signing_proxy.denial import Denial, Reason
from tests.unit.signing_proxy.helpers import Bench, make_call, make_flow, make_run


class Counting(DecidedByHead):
    """Counts its decisions."""

    def __init__(self) -> None:
        self.decided = 0

    async def request(self, flow: http.HTTPFlow) -> None:
        self.decided += 1


@pytest.mark.parametrize(("streamed", "refused", "decided"), [(True, False, 1), (False, False, 0), (True, True, 0)])
async def test_the_head_decides_about_a_streamed_call_that_nobody_refused(
    streamed: bool, refused: bool, decided: int
) -> None:
    flow = make_flow()
    call = make_call(flow, make_run(Bench().clock))
    call.streamed = streamed
    call.denial = Denial(reason=Reason.WRONG_KEY, message="an earlier check said no") if refused else None
    check = Counting()
    await check.requestheaders(flow)
    assert check.decided == decided


async def test_a_flow_without_a_call_is_left_to_the_choke_point() -> None:
    check = Counting()
    await check.requestheaders(make_flow())
    assert check.decided == 0
