"""Events reach the sink, and a lost connection is made anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from shared.lease.keys import EVENTS_CHANNEL
from shared.lease.store import connect_async
from signing_proxy.push import listen
from tests.servers import ValkeyServer


async def test_events_arrive_also_after_a_restart(redis_server_factory: Callable[..., ValkeyServer]) -> None:
    server = redis_server_factory()
    servers, seen = connect_async(server.url), []
    task = asyncio.get_running_loop().create_task(listen(servers.any, seen.append))
    try:
        for text in (b"one", b"two"):
            async with asyncio.timeout(60):
                while text not in seen:
                    with server.client() as publisher:
                        publisher.publish(EVENTS_CHANNEL, text)
                    await asyncio.sleep(0.05)
            if text == b"one":
                await asyncio.to_thread(server.restart)
    finally:
        task.cancel()
        await asyncio.wait([task])
        await servers.close()
