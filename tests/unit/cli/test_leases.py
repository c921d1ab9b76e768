"""`interlock lease`."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from cli import leases
from cli.leases import changed, row, state_of

Interlock = Callable[..., Any]


@pytest.fixture(autouse=True)
def one_lease(fake_api: Any, view_like: Callable[..., Any]) -> Any:
    view = view_like(attachments=[attachment()], attach_count=1)
    fake_api.views = [view]
    return view


def attachment(**changes: Any) -> dict[str, Any]:
    return {
        "proxy_id": "n1",
        "boot_id": "c" * 32,
        "incarnation": "i:r",
        "acknowledged": False,
        "in_flight": 0,
        **changes,
    }


def test_ls_shows_who_holds_what_since_when_and_for_how_long(interlock: Interlock) -> None:
    said = interlock("lease", "ls")
    for word in ("shop.local", "held", "run-0123456789abcdef", "n1", "2026-01-02 03:04:05", "8.5 s", "1 (0 cut)"):
        assert word in said.out


def test_ls_with_json_is_a_list_of_views(interlock: Interlock, one_lease: Any) -> None:
    assert json.loads(interlock("lease", "ls", "--json").out) == [one_lease.model_dump(mode="json")]


def test_show_names_each_proxy_and_whether_it_may_sign(interlock: Interlock) -> None:
    said = interlock("lease", "show", "shop.local").out
    assert f"boot {'c' * 32}, may sign, 0 calls in flight" in said
    assert "incarnation" in said


def test_revoke_records_the_reason_or_else_who_did_it(interlock: Interlock, fake_api: Any) -> None:
    assert "being revoked" in interlock("lease", "revoke", "shop.local", "--reason", "wrong account").out
    interlock("lease", "revoke", "shop.local")
    reasons = [asked[2] for asked in fake_api.asked if asked[0] == "revoke"]
    assert reasons[0] == "wrong account"
    assert reasons[1].startswith("revoked by ")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("revoking", "is being revoked; `interlock lease show shop.local`"),
        ("severed", "is severed: nothing is signed under epoch 3"),
        ("released", "nobody holds the lease of shop.local (released)"),
        ("free", "nobody holds the lease of shop.local (free)"),
    ],
)
def test_revoke_says_what_it_led_to(view_like: Callable[..., Any], state: str, words: str) -> None:
    assert words in leases.after_revoke(view_like(state=state))


def test_watch_prints_a_line_for_each_change_and_none_for_a_renewal(
    interlock: Interlock, fake_api: Any, view_like: Callable[..., Any]
) -> None:
    looks = [[view_like()], [view_like(seq=8)], [view_like(state="revoking", reason="late")]]
    fake_api.leases = lambda: looks.pop(0)
    said = interlock("lease", "watch", "--count", "3", "--interval", "0.1", "--json")
    assert [json.loads(line)["state"] for line in said.out.splitlines()] == ["held", "revoking"]


def test_watch_in_a_pipe_writes_words(interlock: Interlock) -> None:
    said = interlock("lease", "watch", "--count", "1")
    assert said.out.startswith("target=shop.local state=held epoch=3 run=run-0123456789abcdef")


def test_watch_on_a_terminal_draws_the_table_anew(
    interlock: Interlock, fake_api: Any, view_like: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        leases, "make_console", lambda: Console(file=screen, force_terminal=True, width=160, color_system=None)
    )
    looks = [[view_like()], [view_like(state="severed", pttl_ms=-2)]]
    fake_api.leases = lambda: looks.pop(0)
    assert interlock("lease", "watch", "--count", "2", "--interval", "0.1").code == 0
    assert "held" in screen.getvalue()
    assert "severed" in screen.getvalue()


def test_watch_ends_well_when_interrupted(interlock: Interlock, fake_api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(leases.time, "sleep", interrupt)
    said = interlock("lease", "watch")
    assert (said.code, said.err) == (0, "")


def test_an_embargo_hides_the_state_from_before(view_like: Callable[..., Any]) -> None:
    assert state_of(view_like(cleared=False)) == "embargoed"
    assert state_of(view_like(state=None)) == "embargoed"
    assert state_of(view_like(state="severed")) == "severed"


def test_a_lease_whose_key_is_gone_has_no_time_left(view_like: Callable[..., Any]) -> None:
    assert row(view_like(pttl_ms=-2))[6] is None


def test_a_new_attachment_is_a_change(view_like: Callable[..., Any]) -> None:
    before = view_like()
    after = view_like(attachments=[attachment()], attach_count=1)
    assert changed({"shop.local": before}, [after]) == [after]
    assert changed({"shop.local": before}, [view_like(pttl_ms=1)]) == []
    assert changed({}, [before]) == [before]
