"""The real key comes from botocore's chain, is kept for a while, and its absence is said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from shared.clock import ManualClock
from shared.errors import ConfigurationError
from signing_proxy.credentials import KEEP_MS, BotocoreCredentials


class Session:
    def __init__(self, *keys: str | None) -> None:
        self.keys = list(keys)
        self.asked = 0

    def get_credentials(self) -> Any:
        self.asked += 1
        key = self.keys[min(self.asked, len(self.keys)) - 1]
        frozen = SimpleNamespace(access_key=key, secret_key="s", token="")
        return SimpleNamespace(get_frozen_credentials=lambda: frozen) if key else None


async def test_a_key_is_kept_and_then_asked_for_again() -> None:
    clock, session = ManualClock(), Session("A", "B")
    source = BotocoreCredentials(clock, session)
    assert (await source.current()).access_key == "A"
    clock.advance(KEEP_MS - 1)
    assert (await source.current()).access_key == "A"
    clock.advance(1)
    found = await source.current()
    assert (found.access_key, found.token, session.asked) == ("B", None, 2)


async def test_no_key_is_an_error_with_a_hint() -> None:
    with pytest.raises(ConfigurationError, match="no AWS credentials") as error:
        await BotocoreCredentials(ManualClock(), Session(None)).current()
    assert "environment" in error.value.hint


async def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    found = await BotocoreCredentials(ManualClock()).current()
    assert (found.access_key, found.secret_key, found.token) == ("AKIAENV", "secret", "token")
