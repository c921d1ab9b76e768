"""What a client connection may send to the outside: what it has a permit for, while the lease is live."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any, cast

import pytest
from mitmproxy import http
from mitmproxy.connection import Server
from mitmproxy.options import Options
from mitmproxy.proxy import events, layers

from shared.clock import ManualClock
from signing_proxy.budget import BufferBudget, HeldBodies
from signing_proxy.calls import Call, Check
from signing_proxy.connection import GatedConnectionHandler, Limits
from signing_proxy.denial import Reason
from signing_proxy.runs import AttachedRun
from signing_proxy.sockets import GateClosed
from signing_proxy.upload import Upload
from tests.unit.signing_proxy.helpers import CLOUD, make_call, make_flow, make_run


class Writer:
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default


class Observer:
    def __init__(self) -> None:
        self.given_up: list[tuple[Call, str]] = []
        self.reasons: list[Reason] = []

    def abandoned(self, call: Call, why: str, reason: Reason = Reason.SEVERED) -> None:
        if not call.settled:
            self.given_up.append((call, why))
            self.reasons.append(reason)
        call.settled = True

    def hook_failed(self, run: AttachedRun, hook: str, why: str) -> None:
        raise AssertionError(why)

    def refused_bytes(self, run: AttachedRun, why: str) -> None:
        raise AssertionError(why)


class Scene:
    """A handler without a network, a complete call, and the server connection that it would use."""

    def __init__(self) -> None:
        self.clock = ManualClock(1000)
        self.observer = Observer()
        self.budget = BufferBudget(4000)
        self.handler = GatedConnectionHandler(
            cast(Any, None),
            cast(Any, None),
            cast(Any, Writer()),
            Options(),
            run=make_run(self.clock),
            clock=self.clock,
            limits=Limits(max_body_bytes=1000),
            observer=self.observer,
            budget=self.budget,
        )
        self.flow = make_flow()
        self.call = make_call(self.flow, self.handler.run)
        self.call.passed = set(Check)
        self.server = Server(address=(CLOUD.host, CLOUD.port), tls=True)

    def released(self) -> Scene:
        self.handler.release(self.flow)
        assert self.handler.objection(self.server) is None
        return self


async def test_without_a_permit_nothing_leaves() -> None:
    scene = Scene()
    with pytest.raises(GateClosed, match="no call is permitted"):
        scene.handler.guard(scene.server)


async def test_a_complete_call_gets_a_permit_and_the_handshake_is_no_part_of_it() -> None:
    scene = Scene().released()
    scene.handler.guard(scene.server)
    assert not scene.call.sent
    scene.server.timestamp_tls_setup = 1.0
    scene.handler.guard(scene.server)
    assert scene.call.sent


async def test_a_permit_ends_with_the_deadline_without_anybody_cutting() -> None:
    scene = Scene().released()
    deadline_ms = scene.handler.run.gate.deadline_ms
    assert deadline_ms is not None
    scene.clock.advance(deadline_ms - scene.clock.boot_ms() - 1)
    scene.handler.guard(scene.server)
    scene.clock.advance(1)
    with pytest.raises(GateClosed, match="deadline passed"):
        scene.handler.guard(scene.server)


async def test_a_permit_is_for_one_address() -> None:
    scene = Scene().released()
    for other in (
        Server(address=("other", CLOUD.port), tls=True),
        Server(address=(CLOUD.host, 80), tls=True),
        Server(address=(CLOUD.host, CLOUD.port), tls=False),
        Server(address=None),
    ):
        with pytest.raises(GateClosed, match="another address"):
            scene.handler.guard(other)


async def test_a_permit_ends_with_the_answer_and_with_a_cut() -> None:
    scene = Scene().released()
    scene.handler.withdraw("answered")
    assert scene.handler.objection(scene.server) is not None
    scene = Scene().released()
    scene.handler.sever("cut")
    assert scene.handler.objection(scene.server) is not None
    assert scene.observer.given_up == [(scene.call, "cut")]


@pytest.mark.parametrize("missing", [check for check in Check if check is not Check.STATE])
async def test_a_call_that_misses_a_check_is_killed(missing: Check) -> None:
    scene = Scene()
    scene.call.passed.discard(missing)
    scene.handler.release(scene.flow)
    assert scene.flow.error is not None
    assert scene.handler.objection(scene.server) is not None


async def test_a_call_that_something_has_pointed_elsewhere_is_killed() -> None:
    scene = Scene()
    scene.flow.request.data.host = "elsewhere"
    scene.handler.release(scene.flow)
    assert scene.flow.error is not None


async def test_a_call_on_a_severed_connection_is_given_up() -> None:
    scene = Scene()
    scene.handler.sever("cut")
    scene.handler.release(scene.flow)
    assert scene.flow.error is not None
    assert scene.observer.given_up == [(scene.call, "severed before it was sent")]


async def test_a_flow_that_was_answered_locally_gets_no_permit() -> None:
    scene = Scene()
    scene.flow.response = http.Response.make(403)
    scene.handler.release(scene.flow)
    assert scene.flow.error is None
    assert scene.handler.objection(scene.server) is not None


def test_bodies_get_room_for_their_framing() -> None:
    limits = Limits(max_body_bytes=1000)
    assert limits.max_wire_bytes > 2 * limits.max_body_bytes


# --- streamed bodies


def streamed_scene(payload_hash: str = "UNSIGNED-PAYLOAD") -> Scene:
    """A call whose head has passed every check, with a body of ten bytes to come."""
    scene = Scene()
    scene.flow = make_flow("PUT", "/k", None, content_length="10")
    scene.call = make_call(scene.flow, scene.handler.run)
    scene.call.passed = set(Check)
    scene.call.streamed = True
    scene.call.payload_hash = payload_hash
    return scene


def stream_of(scene: Scene) -> Upload:
    assert isinstance(scene.flow.request.stream, Upload)
    return scene.flow.request.stream


async def test_a_streamed_call_leaves_with_its_head_and_counts_as_sent_with_its_last_byte() -> None:
    scene = streamed_scene()
    scene.handler._after_hook("requestheaders", scene.flow)
    upload = stream_of(scene)
    assert upload(b"0123456789") == b"012345678"
    scene.handler.guard(scene.server)  # in TLS's handshake
    scene.server.timestamp_tls_setup = 1.0
    scene.handler.guard(scene.server)
    assert not scene.call.sent
    assert upload(b"") == b"9"
    scene.handler.guard(scene.server)
    assert scene.call.sent
    scene.handler._after_hook("request", scene.flow)
    assert scene.handler.objection(scene.server) is None, "the end of the body does not take the permit away"


@pytest.mark.parametrize("missing", [Check.VERIFIED, Check.JOURNALED, Check.SIGNED, Check.LEASE, Check.BOUNDED])
async def test_a_streamed_call_that_misses_a_check_is_killed_at_its_head(missing: Check) -> None:
    scene = streamed_scene()
    scene.call.passed.discard(missing)
    scene.handler._after_hook("requestheaders", scene.flow)
    assert scene.flow.error is not None
    assert not scene.flow.request.stream
    assert scene.handler.objection(scene.server) is not None


async def test_a_streamed_call_that_was_refused_is_not_streamed() -> None:
    scene = streamed_scene()
    scene.flow.response = http.Response.make(403)
    scene.handler._after_hook("requestheaders", scene.flow)
    assert not scene.flow.request.stream
    assert scene.handler.objection(scene.server) is not None


@pytest.mark.parametrize("when", ["in the middle", "before the last byte"])
async def test_a_deadline_ends_a_streamed_body(when: str) -> None:
    scene = streamed_scene()
    scene.handler._after_hook("requestheaders", scene.flow)
    upload = stream_of(scene)
    upload(b"01234" if when == "in the middle" else b"0123456789")
    deadline_ms = scene.handler.run.gate.deadline_ms
    assert deadline_ms is not None
    scene.clock.advance(deadline_ms - scene.clock.boot_ms())
    assert upload(b"56789" if when == "in the middle" else b"") == b""
    assert scene.handler.severed
    assert scene.observer.given_up[0][0] is scene.call
    assert "deadline passed" in scene.observer.given_up[0][1]
    assert not scene.call.sent


async def test_a_hash_that_was_signed_is_checked_before_the_last_byte() -> None:
    scene = streamed_scene(hashlib.sha256(b"something else").hexdigest())
    scene.handler._after_hook("requestheaders", scene.flow)
    upload = stream_of(scene)
    assert upload(b"0123456789") + upload(b"") == b"012345678"
    assert scene.handler.severed
    assert scene.observer.reasons == [Reason.PAYLOAD_MISMATCH]


async def test_after_an_early_answer_the_rest_of_the_body_goes_nowhere() -> None:
    scene = streamed_scene()
    scene.handler._after_hook("requestheaders", scene.flow)
    upload = stream_of(scene)
    upload(b"01234")
    scene.handler._after_hook("response", scene.flow)
    assert upload(b"56789") + upload(b"") == b""
    with pytest.raises(GateClosed):
        scene.handler.guard(scene.server)


async def test_no_body_is_taken_before_it_is_decided_what_becomes_of_it() -> None:
    scene = streamed_scene()
    hook = scene.handler.hook_task(layers.http.HttpRequestHeadersHook(scene.flow))
    hook.close()  # only what happens before its task runs
    data = events.DataReceived(scene.handler.client, b"01234")
    waiting = asyncio.ensure_future(scene.handler._admit(data))
    await asyncio.sleep(0)
    assert not waiting.done()
    scene.handler._after_hook("requestheaders", scene.flow)
    await asyncio.sleep(0)
    assert not waiting.done(), "decided, but its head is not on its way yet"
    scene.server.timestamp_tls_setup = 1.0
    scene.handler.guard(scene.server)
    assert await waiting is None


async def test_a_body_does_not_wait_for_a_call_that_is_over() -> None:
    scene = streamed_scene()
    scene.handler.hook_task(layers.http.HttpRequestHeadersHook(scene.flow)).close()
    waiting = asyncio.ensure_future(scene.handler._admit(events.DataReceived(scene.handler.client, b"01234")))
    await asyncio.sleep(0)
    scene.handler.sever("cut")
    assert await waiting == "severed"


async def test_what_is_held_is_bounded_for_all_connections_together() -> None:
    scene = Scene()
    assert scene.handler.hold_request(4000)
    assert not scene.handler.hold_request(4001)
    other = Scene()
    other.handler._bodies = HeldBodies(scene.budget, lambda: 0)
    assert not other.handler.hold_request(1)
    scene.handler.finished()
    assert other.handler.hold_request(1)
