"""Operations as values: what is sent, and how replies are read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.errors import PeerError
from shared.lease import commands
from shared.lease.commands import Granted, Marked, Refusal, Refused, Renewed
from shared.lease.machine import TRANSITIONS

A = "a" * 32


def test_a_call_names_the_keys_of_the_target_and_the_channel() -> None:
    call = commands.renew("web.eu", f"1-{A}").call
    assert call.keys[0] == "interlock:1:{web.eu}:lease"
    assert call.keys[-1] == "interlock:1:{web.eu}:absence"
    assert call.args == ("web.eu", "interlock:1:events", f"1-{A}")


def test_the_lease_id_is_made_by_the_server() -> None:
    command = commands.acquire(
        "web.eu", epoch=9, acquire_id=A, ttl_ms=10, holder="h", run_id="r", node="n", credential_hash=""
    )
    assert command.call.args[2:5] == ("9", A, "10")
    reply = [b"granted", f"9-{A}".encode(), b"9", b"1", b"run:repl"]
    assert command.parse(reply) == Granted(lease_id=f"9-{A}", epoch=9, seq=1, incarnation="run:repl")
    assert command.parse([b"refused", b"held", b"8"]) == Refused(reason=Refusal.HELD, last_epoch=8)


def test_an_expiry_says_whether_q_was_waited_for() -> None:
    for waited, word in ((False, "0"), (True, "1")):
        assert commands.expire("web.eu", "i", "l", 3, waited_unknown=waited).call.args[2:] == ("i", "l", "3", word)


def test_a_clear_names_the_absence_that_it_ends_and_no_two_marks_are_alike() -> None:
    assert commands.clear("web.eu", "i", 4, "name").call.args[2:] == ("i", "4", "name")
    assert commands.new_nonce() != commands.new_nonce()
    marked = commands.mark("web.eu", "i", "0a1b2c3d").parse([b"marked", b"0a1b2c3d.17"])
    assert marked == Marked(absence="0a1b2c3d.17")


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
        ("a negative epoch in the database", lambda: commands.clear("web.eu", "i", -1, "")),
        ("a mark that is not random", lambda: commands.mark("web.eu", "i", "1")),
        ("a reason without end", lambda: commands.revoke("web.eu", f"1-{A}", "x" * 1025)),
        ("the renewal of no lease", lambda: commands.renew_many([])),
        ("more leases than a call may hold", lambda: commands.renew_many([("web.eu", f"1-{A}")] * 501)),
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
        commands.view("web.eu").parse([b"view", b"i", b"i", -2, [b"state", b"asleep"], [], b""])


def test_a_call_for_many_leases_names_two_keys_of_each_and_the_arguments_of_each() -> None:
    renewals = [Renewed(seq=7, incarnation="run:repl"), Renewed(seq=8, incarnation="run:repl")]
    call = commands.confirm_many([("web.eu", f"1-{A}", renewals[0]), ("web.us", f"2-{A}", renewals[1])]).call
    names = ("interlock:1:{web.eu}:lease", "interlock:1:{web.eu}:state")
    assert (call.script, call.keys[:2], len(call.keys)) == ("confirm_many", names, 4)
    assert call.args[:2] == ("3", "interlock:1:events")
    assert call.args[2:] == (f"1-{A}", "run:repl", "7", f"2-{A}", "run:repl", "8")


def test_the_call_for_many_runs_the_very_text_of_the_single_operation() -> None:
    for name in ("renew", "confirm"):
        single, many = (commands.script_text(script, commands.info_prelude()) for script in (name, f"{name}_many"))
        own = single[single.index(f"-- {name.upper()} lease") :]
        assert own in many
        assert "-- <" not in many


@pytest.mark.parametrize(
    "reply", [[[b"renewed", b"2", b"i"]], [[b"renewed", b"2", b"i"]] * 3, [[b"failed"], [b"failed"]]]
)
def test_not_exactly_one_answer_for_each_lease_is_the_peers_fault(reply: object) -> None:
    with pytest.raises(PeerError, match="unknown format"):
        commands.renew_many([("web.eu", f"1-{A}"), ("web.us", f"1-{A}")]).parse(reply)
