"""Fixtures for all tests: real Valkey servers, and an environment without the user's own settings."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings

from shared.lease import keys
from tests.servers import ValkeyServer

for _name in [name for name in os.environ if name.startswith("INTERLOCK_") and name != "INTERLOCK_REQUIRE_POSTGRES"]:
    # Whoever runs the tests may use Interlock; their settings must decide no test.
    del os.environ[_name]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores it, and so would every program that the tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How fast a shared machine draws examples is no property of the code.
settings.register_profile("interlock", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("interlock")


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """One server for the whole session. Tests share it: use targets of your own, or `redis_server_factory`."""
    server = ValkeyServer()
    try:
        yield server.url
    finally:
        server.close()


@pytest.fixture(autouse=True)
def _forget_durations(request: pytest.FixtureRequest) -> None:
    """Tests share a server, not their lease durations: those of the one before would be refused for ten seconds."""
    if "valkey_url" in request.fixturenames:
        with redis.Redis.from_url(request.getfixturevalue("valkey_url")) as client:
            client.delete(keys.TIMING_KEY)


@pytest.fixture
def redis_server_factory() -> Iterator[Callable[..., ValkeyServer]]:
    """Start servers that end with the test: `factory("--appendonly", "yes", tcp=True)`."""
    with ExitStack() as stack:

        def factory(*options: str, **how: Any) -> ValkeyServer:
            server = ValkeyServer(*options, **how)
            stack.callback(server.close)
            return server

        yield factory
