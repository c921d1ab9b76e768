"""Listens to Redis's lease events: it makes revokes fast and is never needed for safety."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import redis.asyncio
from redis.exceptions import RedisError

from shared.lease.keys import EVENTS_CHANNEL
from shared.log import log_event

logger = logging.getLogger(__name__)

READ_S = 1.0
RECONNECT_S = 0.5


async def listen(pick: Callable[[], Awaitable[redis.asyncio.Redis]], sink: Callable[[bytes], None]) -> None:
    """Subscribe and hand every event to ``sink``, for ever; after each error at the server that ``pick`` gives then."""
    while True:
        try:
            client = await pick()
            async with client.pubsub(ignore_subscribe_messages=True) as pubsub:
                await pubsub.subscribe(EVENTS_CHANNEL)
                while True:
                    message = await pubsub.get_message(timeout=READ_S)
                    if message is not None and isinstance(message.get("data"), bytes):
                        sink(message["data"])
        except (RedisError, OSError) as error:
            log_event(logger, "push_lost", level=logging.WARNING, error=repr(error))
            await asyncio.sleep(RECONNECT_S)
