"""TCP ports."""

from __future__ import annotations

import socket

import pytest

from cli.ports import find_free, is_listening, require_free
from shared.errors import ConfigurationError


def test_a_port_in_use_is_refused_and_the_message_names_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert is_listening("127.0.0.1", port)
        with pytest.raises(ConfigurationError, match=rf"port {port} on 127.0.0.1 .*in use") as caught:
            require_free("127.0.0.1", port, setting="INTERLOCK_API_PORT")
    assert "INTERLOCK_API_PORT" in caught.value.hint


def test_a_free_port_is_left_free() -> None:
    port = find_free()
    require_free("127.0.0.1", port, setting="X")
    assert not is_listening("127.0.0.1", port)


def test_an_address_that_is_not_ours_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"port 1234 on 192\.0\.2\.1 cannot be used"):
        require_free("192.0.2.1", 1234, setting="X")
