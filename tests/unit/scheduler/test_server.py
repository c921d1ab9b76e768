"""The API's process; `tests/integration/test_scheduler_api.py` runs it for real."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.server import bind, run_api
from shared.errors import ConfigurationError
from shared.settings import Settings


def test_a_port_in_use_is_one_clear_message_and_changes_nothing(tmp_path: Path) -> None:
    taken = bind("127.0.0.1", 0)
    taken.listen()
    port = taken.getsockname()[1]
    try:
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port} is in use") as refused:
            run_api(Settings(home=tmp_path / "home", api_port=port))
    finally:
        taken.close()
    assert "INTERLOCK_API_PORT" in refused.value.hint
    assert not (tmp_path / "home").exists()


def test_an_address_of_another_host_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot be bound"):
        bind("192.0.2.1", 0)
