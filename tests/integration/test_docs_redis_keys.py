"""docs/redis-keys.md is executed: every example in it, against a real Valkey, and its output compared."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from shared.lease import keys
from shared.lease.commands import Attached, Granted
from shared.lease.machine import State
from shared.lease.store import LeaseStore
from tests.servers import ValkeyServer

DOC = Path(__file__).resolve().parents[2] / "docs" / "redis-keys.md"
TARGET = "web.eu-west-1"
PLACEHOLDERS = {
    "<ms>": r"[1-9]\d{0,6}",
    "<unix ms>": r"1\d{12}",
    "<incarnation>": r"[0-9a-f]{40}:[0-9a-f]{40}",
    "<lease id>": r"3-0123456789abcdef0123456789abcdef-[0-9a-f]{8}\.\d{16,17}",
}


def examples() -> list[tuple[str, str]]:
    """Return (command, expected output) of every fenced redis-cli block."""
    found = []
    for block in re.findall(r"^```redis-cli\n(.*?)^```", DOC.read_text(), re.DOTALL | re.MULTILINE):
        for piece in re.split(r"^> ", block, flags=re.MULTILINE)[1:]:
            command, _, output = piece.partition("\n")
            found.append((command, output.rstrip("\n")))
    return found


@pytest.fixture
def client(redis_server_factory: Callable[..., ValkeyServer]) -> redis.Redis:
    """A server in the situation that the page describes."""
    client = redis_server_factory().client()
    store = LeaseStore(client)
    store.clear(TARGET, store.view(TARGET).incarnation, 0)
    granted = store.acquire(
        TARGET,
        epoch=3,
        acquire_id="0123456789abcdef0123456789abcdef",
        ttl_ms=600_000,
        holder="exec-7c1f",
        run_id="run-00000000000000a1",
        node="worker-a",
    )
    assert isinstance(granted, Granted)
    store.renew(TARGET, granted.lease_id)
    assert isinstance(store.attach(TARGET, granted.lease_id, "worker-a", "1" * 32), Attached)
    store.beat("worker-a", {"runs": ["run-00000000000000a1"]}, 600_000)
    return client


def shown(reply: object, indent: str = "") -> str:
    """Format a reply as redis-cli does."""
    if reply is None:
        return "(nil)"
    if isinstance(reply, int):
        return f"(integer) {reply}"
    if isinstance(reply, str):
        escaped = reply.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    assert isinstance(reply, list)
    if not reply:
        return "(empty array)"
    lines = []
    for number, item in enumerate(reply, start=1):
        head = f"{number}) "
        lines.append(head + shown(item, indent + " " * len(head)))
    return f"\n{indent}".join(lines)


def raw(client: redis.Redis, command: str) -> object:
    """Send a command and return the reply as it came, without redis-py's own shaping."""
    connection = client.connection_pool.get_connection()
    try:
        connection.send_command(*shlex.split(command))
        return connection.read_response()
    finally:
        client.connection_pool.release(connection)


def test_every_example_prints_what_the_page_says(client: redis.Redis) -> None:
    checked = 0
    for command, expected in examples():
        pattern = re.escape(expected)
        for name, value in PLACEHOLDERS.items():
            pattern = pattern.replace(re.escape(name), value)
        reply = raw(client, command)
        if isinstance(reply, dict):  # RESP3 sends a map where redis-cli, in RESP2, shows pairs
            reply = [part for pair in reply.items() for part in pair]
        printed = shown(reply)
        assert re.fullmatch(pattern, printed), f"> {command}\n{printed}\ninstead of\n{expected}"
        checked += 1
    assert checked >= 10
    client.close()


def test_the_page_names_every_field_of_the_state_and_every_state(client: redis.Redis) -> None:
    page = DOC.read_text()
    for name in client.hkeys(keys.target_keys(TARGET).state):
        assert f"`{name}`" in page, name
    for state in State:
        assert f"| `{state}` |" in page, state
    client.close()


def test_the_page_names_every_key_of_the_server(client: redis.Redis) -> None:
    page = DOC.read_text()
    LeaseStore(client).durable(TARGET, 1)
    for key in client.keys("*"):
        general = key.replace(TARGET, "<target>").replace("worker-a", "<node>")
        assert f"`{general}`" in page, key
    assert f"`{keys.EVENTS_CHANNEL}`" in page
    client.close()
