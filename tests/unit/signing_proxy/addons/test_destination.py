"""CONNECT, SNI and Host name one allowed host."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from signing_proxy.addons.destination import Destination
from signing_proxy.addons.refusing import Refuser
from signing_proxy.calls import Check
from signing_proxy.denial import Reason
from signing_proxy.destination import DestinationPolicy
from signing_proxy.registry import Connections
from tests.unit.signing_proxy.helpers import CLOUD, Bench, make_call, make_flow, make_run


class Scene:
    def __init__(self) -> None:
        self.bench = Bench()
        self.handler: Any = SimpleNamespace(connect_host=None, sni_matches=False, run=make_run(self.bench.clock))
        policy = DestinationPolicy(
            allowed_hosts=("*.amazonaws.com",), overrides={}, state_host="s.internal", api_url="http://127.0.0.1:1"
        )
        connections = cast(Connections, SimpleNamespace(of=lambda client: self.handler))
        self.addon = Destination(connections, policy, Refuser(self.bench.recorder))

    def tunnel(self, sni: str | None = CLOUD.host) -> None:
        flow = make_flow("CONNECT")
        make_call(flow, self.handler.run, None)
        self.addon.http_connect(flow)
        hello: Any = SimpleNamespace(
            context=SimpleNamespace(client=flow.client_conn), client_hello=SimpleNamespace(sni=sni)
        )
        self.addon.tls_clienthello(hello)


async def test_one_host_everywhere_passes() -> None:
    scene = Scene()
    scene.tunnel("SQS.eu-west-1.amazonaws.com")
    flow = make_flow(host=CLOUD.host + ":443")
    call = make_call(flow, scene.handler.run, None)
    scene.addon.requestheaders(flow)
    assert call.upstream == CLOUD
    assert Check.DESTINATION in call.passed


@pytest.mark.parametrize("sni", ["iam.amazonaws.com", "", None])
async def test_another_or_no_sni_does_not(sni: str | None) -> None:
    scene = Scene()
    scene.tunnel(sni)
    flow = make_flow()
    call = make_call(flow, scene.handler.run, None)
    scene.addon.requestheaders(flow)
    assert call.denial is not None
    assert call.denial.reason is Reason.SNI_MISMATCH
    await scene.bench.tasks.close()


@pytest.mark.parametrize("hosts", [["iam.amazonaws.com"], [], [CLOUD.host, CLOUD.host], [CLOUD.host + ":80"]])
async def test_another_no_or_two_host_headers_do_not(hosts: list[str]) -> None:
    scene = Scene()
    scene.tunnel()
    flow = make_flow()
    flow.request.headers.set_all("host", hosts)
    call = make_call(flow, scene.handler.run, None)
    scene.addon.requestheaders(flow)
    assert call.denial is not None
    assert call.denial.reason is Reason.HOST_MISMATCH
    await scene.bench.tasks.close()


async def test_a_request_outside_a_tunnel_does_not() -> None:
    scene = Scene()
    flow = make_flow()
    call = make_call(flow, scene.handler.run, None)
    scene.addon.requestheaders(flow)
    assert call.denial is not None
    await scene.bench.tasks.close()


async def test_a_tunnel_that_was_refused_for_its_caller_is_left_alone() -> None:
    scene = Scene()
    flow = make_flow("CONNECT")
    scene.addon.http_connect(flow)
    assert scene.handler.connect_host is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x-a", b"b\rx-amz-target: AmazonSQS.DeleteQueue"),
        (b"x-a", b"b\r\n folded"),
        (b"x-a", b"b\0c"),
        (b"x-a\x7f", b"b"),
    ],
)
async def test_a_head_that_others_could_read_differently_is_refused(name: bytes, value: bytes) -> None:
    scene = Scene()
    scene.tunnel()
    flow = make_flow()
    flow.request.headers.fields = (*flow.request.headers.fields, (name, value))
    call = make_call(flow, scene.handler.run, None)
    scene.addon.requestheaders(flow)
    assert call.denial is not None
    assert call.denial.reason is Reason.MALFORMED_HEAD
    await scene.bench.tasks.close()
