"""Putting a process's context together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scheduler.assembly import build_context, close_context
from scheduler.readiness import checks
from scheduler.tokens import role_of
from shared.errors import ConfigurationError, Unavailable
from shared.settings import Settings


def test_api_and_beat_may_start_for_the_first_time_together(tmp_path: Path, valkey_url: str) -> None:
    settings = Settings(home=tmp_path / "home", redis_url=valkey_url)
    with ThreadPoolExecutor(3) as pool:
        contexts = list(pool.map(lambda _: build_context(settings), range(3)))
    try:
        assert len({context.cipher.fingerprint for context in contexts}) == 1
        for context in contexts:
            assert all(checks(context).values())
            assert role_of(context.database, settings.read_token("admin")) == "admin"
    finally:
        for context in contexts:
            close_context(context)


def test_a_redis_that_is_not_there_leaves_nothing_behind(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", redis_url=f"unix://{tmp_path}/no-such-socket")
    with pytest.raises(Unavailable, match="Redis did not answer"):
        build_context(settings)
    assert list((tmp_path / "home").iterdir()) == []


def test_another_installations_key_is_refused(tmp_path: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(home=tmp_path / "home", redis_url=valkey_url)
    close_context(build_context(settings))
    monkeypatch.setenv("INTERLOCK_STATE_KEY", "00" * 32)
    with pytest.raises(ConfigurationError, match="state key"):
        build_context(settings)
