"""mitmproxy forwards a flow whose addon raised. Here an addon that raises or hangs, in any hook, sends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from signing_proxy.connection import Limits
from tests.integration.proxy_cloud import Cloud, make_server_tls
from tests.integration.proxy_support import ProxyThread, Worker, sqs_call
from tests.integration.proxy_tunnel import Tunnel
from tests.servers import wait_for

BEFORE_SENDING = (
    "client_connected",
    "next_layer",
    "http_connect",
    "http_connected",
    "tls_clienthello",
    "tls_start_client",
    "tls_established_client",
    "requestheaders",
    "request",
    "server_connect",
    "server_connected",
    "tls_start_server",
    "tls_established_server",
)
AFTER_SENDING = ("responseheaders", "response")


class BrokenAddon:
    """An addon that fails in one hook, in one way, from the moment it is told to."""

    name = "broken"

    def __init__(self) -> None:
        self.hook = ""
        self.hangs = False
        self.failed = 0

    def __getattr__(self, name: str) -> Any:
        if name == "hook" or name != self.hook:
            raise AttributeError(name)
        return self._hang if self.hangs else self._raise

    def _raise(self, *_: object) -> None:
        self.failed += 1
        raise RuntimeError("this addon is broken")

    async def _hang(self, *_: object) -> None:
        self.failed += 1
        await asyncio.Event().wait()


class Scene:
    """A cloud over TLS, a proxy with a broken addon, and a worker with a live lease."""

    def __init__(self, cloud: Cloud, proxy: ProxyThread, worker: Worker, addon: BrokenAddon) -> None:
        self.cloud, self.proxy, self.worker, self.addon = cloud, proxy, worker, addon

    def call(self) -> int | None:
        """The status that the client gets; None when its connection is cut."""
        host, headers, body = sqs_call(self.worker)
        try:
            with Tunnel(self.worker.port, host, self.proxy.ca) as tunnel:
                return tunnel.call("POST", "/", headers, body)[0]
        except OSError:
            return None


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Iterator[Scene]:
    directory: Path = tmp_path_factory.mktemp("broken")
    tls, root = make_server_tls(directory)
    addon = BrokenAddon()
    limits = Limits(max_body_bytes=1 << 20, hook_timeout_s=1.0)
    with (
        Cloud(tls=tls) as cloud,
        ProxyThread(
            directory / "home", valkey_url, cloud.url, upstream_ca=root, further_addons=[addon], limits=limits
        ) as proxy,
        Worker(proxy, valkey_url) as worker,
    ):
        yield Scene(cloud, proxy, worker, addon)


@pytest.fixture(autouse=True)
def healthy_before_and_after(scene: Scene) -> Iterator[None]:
    scene.addon.hook = ""
    assert scene.call() == 200
    scene.cloud.arrivals.clear()
    scene.addon.failed = 0
    yield
    scene.addon.hook = ""
    assert scene.call() == 200, "the lease and other connections live on"


@pytest.mark.parametrize("hangs", [False, True], ids=["raises", "hangs"])
@pytest.mark.parametrize("hook", BEFORE_SENDING)
def test_an_addon_that_fails_before_the_request_is_sent_forwards_nothing(scene: Scene, hook: str, hangs: bool) -> None:
    failures = scene.proxy.count("interlock_proxy_hook_failures_total", hook=hook)
    scene.addon.hangs, scene.addon.hook = hangs, hook
    assert scene.call() is None
    assert scene.addon.failed >= 1
    assert scene.cloud.arrivals == []
    wait_for("the count", lambda: scene.proxy.count("interlock_proxy_hook_failures_total", hook=hook) > failures)


@pytest.mark.parametrize("hangs", [False, True], ids=["raises", "hangs"])
@pytest.mark.parametrize("hook", AFTER_SENDING)
def test_an_addon_that_fails_after_the_request_was_sent_forwards_no_answer(
    scene: Scene, hook: str, hangs: bool
) -> None:
    scene.addon.hangs, scene.addon.hook = hangs, hook
    assert scene.call() is None
    assert scene.addon.failed >= 1
    assert len(scene.cloud.arrivals) == 1
    wait_for("an outcome", lambda: scene.proxy.journal.outcome_of("CreateQueue") is not None)
    outcome = scene.proxy.journal.outcome_of("CreateQueue")
    assert outcome is not None
    # By the time of the last hook the journal knows the answer; the client does not.
    assert outcome.outcome == ("unknown" if hook == "responseheaders" else "answered")


def test_a_proxy_that_lacks_one_of_its_addons_forwards_nothing(scene: Scene) -> None:
    addons = scene.proxy.service.core._master.addons
    chain = list(addons.chain)
    try:
        ours = [addon for addon in chain if getattr(addon, "name", "").startswith("interlock-")]
        assert len(ours) == 10
        for missing in ours:
            if missing.name in ("interlock-aws-request-head", "interlock-state"):
                continue  # the first makes early refusals prettier, the second has no part in calls of the cloud
            addons.chain = [addon for addon in chain if addon is not missing]
            assert scene.call() != 200, missing.name
            assert scene.cloud.arrivals == [], missing.name
    finally:
        addons.chain = chain
