"""Operations as values: what is sent, and how replies are read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.errors import PeerError
from shared.lease import commands
from shared.lease.commands import Granted, Refusal, Refused
from shared.lease.machine import TRANSITIONS

A = "a" * 32


def test_a_call_names_the_four_keys_and_the_channel() -> None:
    call = commands.renew("web.eu", f"1-{A}").call
    assert call.keys[0] == "interlock:1:{web.eu}:lease"
    assert len(call.keys) == 4
    assert call.args == ("web.eu", "interlock:1:events", f"1-{A}")


def test_the_lease_id_holds_epoch_and_acquire_id() -> None:
    command = commands.acquire(
        "web.eu", epoch=9, acquire_id=A, ttl_ms=10, holder="h", run_id="r", node="n", credential_hash=""
    )
    assert command.call.args[2:6] == ("9", A, f"9-{A}", "10")
    reply = [b"granted", f"9-{A}".encode(), b"9", b"1", b"run:repl"]
    assert command.parse(reply) == Granted(lease_id=f"9-{A}", epoch=9, seq=1, incarnation="run:repl")
    assert command.parse([b"refused", b"held", b"8"]) == Refused(reason=Refusal.HELD, last_epoch=8)


def test_every_script_carries_the_one_table_of_transitions() -> None:
    for name in commands.SCRIPTS:
        text = commands.script_text(name, commands.info_prelude())
        for (state, op), after in TRANSITIONS.items():
            assert f'["{state} {op}"] = "{after}"' in text


@pytest.mark.parametrize(
    ("sentence", "build"),
    [
        ("epoch zero", lambda: acquire(epoch=0)),
        ("an epoch that Lua cannot count", lambda: acquire(epoch=2**53)),
        ("an acquire id that is not random", lambda: acquire(acquire_id="1")),
        ("a lease without life", lambda: acquire(ttl_ms=0)),
        ("a holder's name without end", lambda: acquire(holder="x" * 1025)),
        ("a target that is none", lambda: commands.view("web")),
        ("a proxy id with the separator", lambda: commands.attach("web.eu", f"1-{A}", "p/q", A)),
        ("a boot id that is not random", lambda: commands.attach("web.eu", f"1-{A}", "p", "1")),
        ("less than nothing in flight", lambda: commands.acknowledge("web.eu", f"1-{A}", "p", A, -1)),
        ("a negative epoch in the database", lambda: commands.clear("web.eu", "i", -1)),
        ("a reason without end", lambda: commands.revoke("web.eu", f"1-{A}", "x" * 1025)),
    ],
)
def test_refused_before_it_is_sent(sentence: str, build: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        build()


def acquire(**change: object) -> object:
    usual: dict[str, object] = {
        "epoch": 1, "acquire_id": A, "ttl_ms": 1, "holder": "h", "run_id": "r", "node": "n", "credential_hash": "",
    }  # fmt: skip
    return commands.acquire("web.eu", **(usual | change))  # type: ignore[arg-type]  # the table changes one each


@pytest.mark.parametrize(
    "reply", [None, [], [b"surprise"], [b"refused", b"no such reason", b"1"], [b"renewed", b"x", b"i"], b"OK"]
)
def test_an_unknown_reply_is_the_peers_fault(reply: object) -> None:
    with pytest.raises(PeerError, match="unknown format"):
        commands.renew("web.eu", f"1-{A}").parse(reply)


def test_a_view_of_another_version_is_the_peers_fault() -> None:
    with pytest.raises(PeerError, match="unknown format"):
        commands.view("web.eu").parse([b"view", b"i", b"i", -2, [b"state", b"asleep"], []])
