"""A proxy that can't start says so before it has done anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import ConfigurationError, Unavailable
from shared.settings import Settings
from signing_proxy.main import ProxyService, run_proxy
from signing_proxy.testing import FixedCredentials, MemoryJournal


def test_without_redis_it_does_not_start(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, redis_url=f"unix://{tmp_path}/none")
    with pytest.raises(Unavailable):
        run_proxy(settings)
    assert not settings.proxy_socket.exists()


async def test_without_a_token_it_does_not_start(tmp_path: Path, valkey_url: str) -> None:
    settings = Settings(home=tmp_path, redis_url=valkey_url)
    with pytest.raises(ConfigurationError, match="token"):
        async with ProxyService(settings):
            pass
    assert not settings.proxy_socket.exists()


async def test_two_on_one_socket_do_not_start_and_the_first_lives_on(tmp_path: Path, valkey_url: str) -> None:
    settings = Settings(home=tmp_path, redis_url=valkey_url)
    parts = {"journal": MemoryJournal(), "credentials": FixedCredentials("A", "S")}
    async with ProxyService(settings, **parts):  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="another signing proxy serves"):
            async with ProxyService(settings, **parts):  # type: ignore[arg-type]
                pass
        assert settings.proxy_socket.exists()
    assert not settings.proxy_socket.exists()
