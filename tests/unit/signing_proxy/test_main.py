"""A proxy that can't start says so before it has done anything."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from shared.errors import ConfigurationError, Unavailable
from shared.settings import Settings
from signing_proxy import main
from signing_proxy.kernel_gate import NoKernelGate
from signing_proxy.main import ProxyService, run_proxy
from signing_proxy.testing import FixedAllowance, FixedCredentials, MemoryJournal


def test_without_redis_it_does_not_start(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, redis_url=f"unix://{tmp_path}/none")
    with pytest.raises(Unavailable):
        run_proxy(settings)
    assert not settings.proxy_socket.exists()


def test_without_a_required_gate_in_the_kernel_it_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "open_kernel_gate", lambda clock: NoKernelGate("Operation not permitted"))
    settings = Settings(home=tmp_path / "home", kernel_gate="required")
    with pytest.raises(ConfigurationError, match="INTERLOCK_KERNEL_GATE=required: Operation not permitted"):
        run_proxy(settings)
    assert not settings.home.exists()


async def test_without_a_gate_in_the_kernel_it_says_so_wherever_one_looks(
    tmp_path: Path, valkey_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(home=tmp_path, redis_url=valkey_url, http_port=0)
    service = ProxyService(
        settings,
        journal=MemoryJournal(),
        credentials=FixedCredentials("A", "S"),
        allowances=FixedAllowance(),
        kernel_gate=NoKernelGate("Operation not permitted"),
        files=700,
    )
    with caplog.at_level("INFO"):
        async with service:
            assert service.status is not None
            async with httpx.AsyncClient(trust_env=False) as client:
                status = (await client.get(f"http://127.0.0.1:{service.status.port}/status")).json()
    assert status["kernel_gate"] == {"active": False, "why": "Operation not permitted"}
    assert service.metrics.registry.get_sample_value("interlock_proxy_kernel_gate") == 0
    assert "kernel_gate=false" in caplog.text
    assert 'no_kernel_gate why="Operation not permitted"' in caplog.text
    assert "few_files" in caplog.text, "700 files carry no run"


async def test_without_a_token_it_does_not_start(tmp_path: Path, valkey_url: str) -> None:
    settings = Settings(home=tmp_path, redis_url=valkey_url)
    with pytest.raises(ConfigurationError, match="token"):
        async with ProxyService(settings):
            pass
    assert not settings.proxy_socket.exists()


async def test_two_on_one_socket_do_not_start_and_the_first_lives_on(tmp_path: Path, valkey_url: str) -> None:
    settings = Settings(home=tmp_path, redis_url=valkey_url)
    parts = {"journal": MemoryJournal(), "credentials": FixedCredentials("A", "S"), "allowances": FixedAllowance()}
    async with ProxyService(settings, **parts):  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="another signing proxy serves"):
            async with ProxyService(settings, **parts):  # type: ignore[arg-type]
                pass
        assert settings.proxy_socket.exists()
    assert not settings.proxy_socket.exists()
