"""A connection that was dropped goes to whom the Sentinels name now."""

from __future__ import annotations

from typing import Any

import pytest
from kombu.transport.redis import SentinelChannel

from shared import celery_config
from shared.broker_connection import AskingConnection, AskingSSLConnection
from shared.settings import Settings


class Pool:
    """Names another primary each time it is asked."""

    is_master = True
    check_connection = False

    def __init__(self) -> None:
        self.asked = 0

    def get_master_address(self) -> tuple[str, int]:
        self.asked += 1
        return f"10.0.0.{self.asked}", 6379


@pytest.mark.parametrize("kind", [AskingConnection, AskingSSLConnection])
def test_a_command_on_a_dropped_connection_asks_the_sentinels(
    kind: type[AskingConnection], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool()
    connection = kind(connection_pool=pool)
    sent_to = []

    class Socket:
        def sendall(self, _data: bytes) -> None:
            sent_to.append(connection.host)

        def shutdown(self, _how: int) -> None:
            pass

        def close(self) -> None:
            pass

    def connect_check_health(*_: Any, **__: Any) -> None:
        connection._sock = Socket()

    monkeypatch.setattr(connection, "connect_check_health", connect_check_health)
    connection.send_packed_command([b"UNWATCH"], check_health=False)
    connection._sock = None
    connection.send_packed_command([b"UNWATCH"], check_health=False)
    assert sent_to == ["10.0.0.1", "10.0.0.2"]
    connection._sock = None


def test_every_app_behind_sentinels_uses_it() -> None:
    celery_config.celery_settings(Settings(redis_url="redis+sentinel://127.0.0.1:1/interlock/0"))
    assert SentinelChannel.connection_class is AskingConnection
    assert SentinelChannel.connection_class_ssl is AskingSSLConnection
