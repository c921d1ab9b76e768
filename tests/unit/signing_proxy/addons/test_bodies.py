"""Objects of S3 are streamed where the signature allows it; every other body is bounded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from mitmproxy import http

from signing_proxy import upload
from signing_proxy.addons.bodies import Bodies
from signing_proxy.addons.refusing import Refuser
from signing_proxy.calls import Call, Check
from signing_proxy.classify import Operation, Protocol
from signing_proxy.connection import Limits
from signing_proxy.denial import Reason
from signing_proxy.registry import Connections
from tests.unit.signing_proxy.helpers import CLOUD, STATE, Bench, make_call, make_flow, make_run

MIB = 1 << 20
HASH = "a" * 64


class Scene:
    def __init__(self, *, room: bool = True) -> None:
        self.bench = Bench()
        self.room = room
        self.held: list[int] = []
        handler = SimpleNamespace(hold_request=self.hold)
        connections = cast(Connections, SimpleNamespace(of=lambda client: handler))
        self.addon = Bodies(connections, Limits(max_body_bytes=8 * MIB), Refuser(self.bench.recorder))

    def hold(self, length: int) -> bool:
        self.held.append(length)
        return self.room

    def head(
        self,
        operation: str,
        length: int,
        payload: str | None = HASH,
        service: str = "s3",
        path: str = "/k",
        **headers: str,
    ) -> tuple[http.HTTPFlow, Call]:
        if payload is not None:
            headers["x_amz_content_sha256"] = payload
        flow = make_flow("PUT", path, None, content_length=str(length), **headers)
        call = make_call(flow, make_run(self.bench.clock))
        call.operation = Operation(service=service, operation=operation, protocol=Protocol.REST_XML, labels={})
        self.addon.requestheaders(flow)
        return flow, call


@pytest.mark.parametrize("operation", ["PutObject", "UploadPart"])
@pytest.mark.parametrize("payload", [HASH, "UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"])
async def test_a_large_object_is_streamed_and_takes_no_memory(operation: str, payload: str) -> None:
    scene = Scene()
    flow, call = scene.head(operation, 100 * MIB, payload)
    assert call.streamed
    assert Check.BOUNDED in call.passed
    assert (scene.held, flow.response, flow.error) == ([], None, None)


@pytest.mark.parametrize(
    ("operation", "length", "payload", "service"),
    [
        ("PutObject", upload.MIN_BYTES - 1, HASH, "s3"),
        ("PutObject", 2 * MIB, None, "s3"),
        ("PutObject", 2 * MIB, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "s3"),
        ("PutBucketPolicy", 2 * MIB, HASH, "s3"),
        ("PutObject", 2 * MIB, HASH, "s3-outposts"),
    ],
)
async def test_every_other_body_is_held(operation: str, length: int, payload: str | None, service: str) -> None:
    scene = Scene()
    _, call = scene.head(operation, length, payload, service)
    assert not call.streamed
    assert Check.BOUNDED in call.passed
    assert scene.held == [length]


@pytest.mark.parametrize(
    ("operation", "path", "streamed"),
    [
        ("PutObject", "/k?x-id=PutObject", True),
        ("UploadPart", "/k?partNumber=1&uploadId=u&x-id=UploadPart", True),
        ("PutObject", "/k?renameObject", False),
        ("PutObject", "/k?rename%4fbject=", False),
        ("PutObject", "/k?partNumber=1", False),
        ("UploadPart", "/k?partNumber=1&uploadId=u&acl", False),
    ],
)
async def test_an_operation_that_s3_could_read_out_of_the_query_is_no_upload(
    operation: str, path: str, streamed: bool
) -> None:
    _, call = Scene().head(operation, 2 * MIB, path=path)
    assert call.streamed is streamed


async def test_a_body_of_unknown_length_is_held_as_it_comes() -> None:
    scene = Scene()
    flow = make_flow("PUT", "/k", None, transfer_encoding="chunked", x_amz_content_sha256=HASH)
    call = make_call(flow, make_run(scene.bench.clock))
    call.operation = Operation(service="s3", operation="PutObject", protocol=Protocol.REST_XML, labels={})
    scene.addon.requestheaders(flow)
    assert (call.streamed, scene.held) == (False, [0])


async def test_a_state_is_held() -> None:
    scene = Scene()
    flow = make_flow("POST", "/v1/state/t", None, content_length=str(2 * MIB))
    call = make_call(flow, make_run(scene.bench.clock), STATE)
    scene.addon.requestheaders(flow)
    assert (call.streamed, scene.held) == (False, [2 * MIB])


@pytest.mark.parametrize(
    ("operation", "length"), [("PutBucketPolicy", 8 * MIB + 1), ("PutObject", upload.MAX_BYTES + 1)]
)
async def test_a_body_over_its_bound_is_refused_and_not_read(operation: str, length: int) -> None:
    scene = Scene()
    flow, call = scene.head(operation, length)
    assert call.denial is not None
    assert call.denial.reason is Reason.TOO_LARGE
    assert flow.error is not None
    assert Check.BOUNDED not in call.passed
    assert scene.held == []
    await scene.bench.tasks.close()


async def test_without_memory_the_client_is_told_to_try_again() -> None:
    scene = Scene(room=False)
    flow, call = scene.head("PutObject", 1000)
    assert call.denial is not None
    assert call.denial.reason is Reason.BUSY
    assert flow.response is not None
    assert flow.response.status_code == 503
    assert b"SlowDown" in (flow.response.content or b"")
    assert Check.BOUNDED not in call.passed
    await scene.bench.tasks.close()


@pytest.mark.parametrize(
    ("operation", "status", "streamed"),
    [("GetObject", 200, True), ("GetObject", 206, True), ("GetObject", 404, False), ("ListObjectsV2", 200, False)],
)
async def test_objects_are_streamed_to_the_client(operation: str, status: int, streamed: bool) -> None:
    scene = Scene()
    flow, call = scene.head(operation, 0)
    call.released = True
    flow.response = http.Response.make(status)
    scene.addon.responseheaders(flow)
    assert bool(flow.response.stream) is streamed


async def test_an_answer_of_our_own_is_left_alone() -> None:
    scene = Scene()
    flow, _ = scene.head("GetObject", 0)
    flow.response = http.Response.make(200)
    scene.addon.responseheaders(flow)
    assert not flow.response.stream


async def test_what_is_refused_already_is_left_alone() -> None:
    scene = Scene()
    flow: Any = make_flow("PUT", "/k", None, content_length="5")
    flow.response = http.Response.make(403)
    call = make_call(flow, make_run(scene.bench.clock), CLOUD)
    scene.addon.requestheaders(flow)
    assert (scene.held, call.passed) == ([], set())
