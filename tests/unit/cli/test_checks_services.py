"""Checks of what this host talks to."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli import checks_services
from cli.up_record import UpLock, UpRecord, write_record
from shared.errors import ApiError, ConfigurationError, Unavailable
from shared.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return load_settings(home=tmp_path, token="t")


class Store:
    """A lease store that says what it is told to."""

    def __init__(self, *, problem: Exception | None = None, views: tuple[Any, ...] = ()) -> None:
        self.problem, self.seen = problem, list(views)
        self.client = self.servers = self
        self.alive: dict[str, Any] = {}
        self.in_use: str | None = None

    def primaries(self) -> list[Any]:
        return [self]

    def nodes(self) -> dict[str, Any]:
        return self.alive

    def agreed(self) -> str | None:
        return self.in_use

    def check_server(self) -> None:
        if self.problem:
            raise self.problem

    def info(self, section: str) -> dict[str, Any]:
        return {"server_name": "valkey", "valkey_version": "9.1", "redis_version": "7.2"}

    def views(self, targets: list[str]) -> list[Any]:
        return self.seen


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def use(made: Store | Exception) -> None:
        @contextmanager
        def lease_store(settings: Settings) -> Iterator[Store]:
            if isinstance(made, Exception):
                raise made
            yield made

        monkeypatch.setattr(checks_services, "lease_store", lease_store)

    return use


def test_a_good_redis_is_named_with_its_version(settings: Settings, store: Callable[..., None]) -> None:
    store(Store())
    found = checks_services.redis(settings)
    assert (found.status, "Valkey 9.1" in found.what) == ("ok", True)


def test_a_redis_that_may_evict_fails_with_what_to_set(settings: Settings, store: Callable[..., None]) -> None:
    store(Store(problem=ConfigurationError("it may evict keys", hint="set maxmemory-policy noeviction")))
    found = checks_services.redis(settings)
    assert (found.status, found.mend) == ("fail", "set maxmemory-policy noeviction")


def test_a_redis_that_is_not_there_fails_only_where_the_user_named_it(
    settings: Settings, store: Callable[..., None], tmp_path: Path
) -> None:
    store(Unavailable("no answer", hint="start it"))
    assert checks_services.redis(settings).status == "warn"
    assert checks_services.redis(load_settings(home=tmp_path, redis_url="redis://cache:1/0")).status == "fail"


def test_two_hosts_with_different_ttls_are_found(
    settings: Settings, store: Callable[..., None], view_like: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks_services, "_targets", lambda settings: ["shop.local"])
    store(Store(views=(view_like(ttl_ms=10_000), view_like(ttl_ms=99, pttl_ms=-2))))
    assert checks_services.lease_ttl(settings).status == "ok"
    store(Store(views=(view_like(ttl_ms=30_000),)))
    found = checks_services.lease_ttl(settings)
    assert (found.status, "30000 ms" in found.what) == ("fail", True)
    store(Unavailable("no answer"))
    assert checks_services.lease_ttl(settings).status == "warn"


def test_hosts_with_other_lease_durations_are_named(settings: Settings, store: Callable[..., None]) -> None:
    made = Store()
    store(made)
    assert checks_services.lease_timing(settings).status == "ok"
    made.alive = {"host-b": {"timing": {**settings.timing.model_dump(), "ttl_ms": 30_000}}}
    found = checks_services.lease_timing(settings)
    assert (found.status, "host-b: ttl_ms is 10000 here and 30000 there" in found.what) == ("fail", True)
    made.alive, made.in_use = {}, settings.timing.model_copy(update={"ttl_ms": 40_000}).model_dump_json()
    found = checks_services.lease_timing(settings)  # a server or a beat, which are no worker hosts
    assert (found.status, "ttl_ms is 10000 here and 40000 there" in found.what) == ("fail", True)
    store(Unavailable("no answer"))
    assert checks_services.lease_timing(settings).status == "warn"


class Client:
    """An API client with one scripted answer."""

    answer: Any = ()

    def __init__(self, url: str, token: str, **options: Any) -> None:
        self.url = url

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def targets(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ((1, 2), "ok", "2 targets"),
        (Unavailable("no answer"), "warn", "none is running"),
        (ApiError("bad token", status=401, code="unauthorized"), "fail", "bad token"),
    ],
)
def test_the_api_must_answer_and_know_our_token(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, answer: Any, status: str, words: str
) -> None:
    monkeypatch.setattr(Client, "answer", answer)
    monkeypatch.setattr(checks_services, "ApiClient", Client)
    found = checks_services.api(settings)
    assert (found.status, words in found.what) == (status, True)


def test_a_missing_token_fails_only_where_a_server_runs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings = load_settings(home=tmp_path, api_url=f"http://127.0.0.1:{server.getsockname()[1]}")
        assert checks_services.api(settings).status == "fail"
    assert checks_services.api(settings).status == "warn"


def test_a_proxy_is_there_when_its_socket_listens(settings: Settings, tmp_path: Path) -> None:
    assert checks_services.proxy(settings).status == "warn"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(settings.proxy_socket))
        assert checks_services.proxy(settings).status == "warn"
        listener.listen()
        assert checks_services.proxy(settings).status == "ok"
    # What a proxy that was killed leaves in the file system.
    assert settings.proxy_socket.exists()
    assert checks_services.proxy(settings).status == "warn"


def test_credentials_are_found_or_missed_before_a_run_needs_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert checks_services.credentials(settings).status == "warn"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "verysecret")
    found = checks_services.credentials(settings)
    assert found.status == "ok"
    assert "EXAMPLEKEY" not in found.what
    assert "verysecret" not in found.what


def test_a_port_in_use_is_named_unless_it_is_our_own(settings: Settings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = settings.model_copy(update={"api_port": server.getsockname()[1]})
        found = checks_services.ports(taken)
        assert (found.status, str(taken.api_port) in found.what) == ("warn", True)
        write_record(tmp_path, record())
        with UpLock(tmp_path):
            assert checks_services.ports(taken).status == "ok"
    assert checks_services.ports(settings.model_copy(update={"api_port": 0})).status == "ok"


def test_up_is_running_starting_or_not_there(settings: Settings, tmp_path: Path) -> None:
    assert "not running" in checks_services.up_state(settings).what
    with UpLock(tmp_path):
        assert checks_services.up_state(settings).status == "warn"
        write_record(tmp_path, record())
        assert "pid 7" in checks_services.up_state(settings).what


def record() -> UpRecord:
    return UpRecord(
        pid=7,
        api_url="http://127.0.0.1:1",
        redis_url="redis://127.0.0.1:2/0",
        embedded_redis=True,
        processes={},
        health_urls={},
        started_at="2026-01-02T03:04:05+00:00",
    )
