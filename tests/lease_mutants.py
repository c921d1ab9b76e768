"""The lease protocol with one rule taken out at a time: `LeaseWorld` must notice each.

A mutant is a small change of a script's text or of a pure rule's source, made in memory. A change that no longer fits
the source is an error, so a mutant cannot silently become harmless.

Not here, because no short random search finds them: EXPIRE without incarnation, ACK without lease or boot, D across
incarnations, a lease id or the name of an absence that comes back. tests/lease_contract.py and the gate's unit tests
ask for each of those directly, and the model (tests/model) refutes all but the last.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, Final

import pytest

from shared.lease import commands
from shared.lease.gate import ProxyGate
from shared.lease.observer import TargetObserver
from shared.lease.timing import LeaseTiming
from tests.lease_world import TIMING, LeaseWorld


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """One change."""

    name: str
    """What is different."""
    scripts: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Script -> (text, what stands there instead)."""
    method: Callable[..., Any] | None = None
    """A rule whose source is changed,"""
    change: tuple[str, str] = ("", "")
    """and how."""
    world: dict[str, Any] = field(default_factory=dict)
    """Other attributes of the world."""
    theme: str
    """Which examples can show it; without this it takes ten times as many."""

    def apply(self, monkeypatch: pytest.MonkeyPatch) -> type[LeaseWorld]:
        """Change the code until the test is over and return the world that runs it."""
        if self.scripts:
            original = commands._lua
            changed = {name: _replaced(original(name), *changes) for name, changes in self.scripts.items()}
            monkeypatch.setattr(commands, "_lua", lambda name: changed.get(name) or original(name))
        if self.method is not None:
            assert isinstance(self.method, FunctionType)
            owner = ProxyGate if self.method.__qualname__.startswith("ProxyGate") else TargetObserver
            source = _replaced(textwrap.dedent(inspect.getsource(self.method)), self.change)
            made: dict[str, Any] = {}
            exec(compile(source, self.name, "exec"), self.method.__globals__, made)
            monkeypatch.setattr(owner, self.method.__name__, made[self.method.__name__])
        return type("Mutated", (LeaseWorld,), {"themes": (self.theme,), **self.world})


def _replaced(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        if text.count(old) != 1:
            raise AssertionError(f"{old!r} stands {text.count(old)} times in the source; the mutant must be adapted")
        text = text.replace(old, new)
    return text


class _NoWindow(LeaseTiming):
    @property
    def window_ms(self) -> int:
        return 0

    @property
    def embargo_ms(self) -> int:
        return TIMING.embargo_ms


MUTANTS: Final = (
    # The observer
    Mutant(name="no window", theme="silence", world={"observer_timing": _NoWindow()}),
    Mutant(
        name="no Q in EXPIRE",
        theme="silence",
        method=TargetObserver._expiry,
        change=("waited_unknown = seen_ms >= timing.window_ms + timing.unknown_ms", "waited_unknown = True"),
    ),
    Mutant(
        name="a renewal does not begin the window again",
        theme="silence",
        method=TargetObserver._expiry,
        change=("if seen != self._lease:", "if self._lease is None or seen[:2] != self._lease[:2]:"),
    ),
    Mutant(
        name="no embargo",
        theme="embargoes",
        method=TargetObserver._embargo_is_over,
        change=("return now_ms - self._embargo_since_ms >= timing.embargo_ms", "return True"),
    ),
    Mutant(
        name="no Q in the embargo",
        theme="embargoes",
        method=TargetObserver._embargo_is_over,
        change=(">= timing.embargo_ms", ">= timing.window_ms"),
    ),
    Mutant(
        name="EXPIRE after W believes the look of an observer that was stopped",
        theme="stopped",
        world={"how": ("slow attach",)},
        scripts={"expire": (("if ARGV[6] ~= '1' and not all_clear() then return refuse('not_clear') end", ""),)},
    ),
    # Redis
    Mutant(
        name="epoch >= instead of >",
        theme="restarts",
        scripts={"acquire": (("if epoch <= tonumber", "if epoch < tonumber"),)},
    ),
    Mutant(
        name="absence of the key as licence",
        theme="losses",
        scripts={
            "acquire": (
                ("if not after('acquire') then", "if not after('acquire') and redis.call('EXISTS', LEASE) == 1 then"),
                ("enter(after('acquire'))", "enter('held')"),
            )
        },
    ),
    Mutant(
        name="a new incarnation grants at once",
        theme="hand-over",
        scripts={
            "acquire": (("if not hash.state or redis.call('GET', CLEARED) ~= here then", "if not hash.state then"),)
        },
    ),
    Mutant(
        name="ATTACH outside held",
        theme="hand-over",
        scripts={"attach": (("if not after('attach') then return refuse(hash.state) end", ""),)},
    ),
    Mutant(
        name="not all acknowledged",
        theme="proxies",
        scripts={
            "common": (("for i = 2, #flat, 2 do\n    if string", "for i = 2, math.min(#flat, 2), 2 do\n    if string"),)
        },
    ),
    Mutant(
        name="calls in flight do not count",
        theme="proxies",
        scripts={
            "common": (("if string.sub(flat[i], 1, 4) ~= '1 0 ' then", "if string.sub(flat[i], 1, 1) ~= '1' then"),)
        },
    ),
    Mutant(
        name="records that vanished are not missed",
        theme="losses",
        scripts={"common": (("if #flat / 2 ~= tonumber(hash.attachments) then return false end", ""),)},
    ),
    Mutant(
        name="no floor in CLEAR",
        theme="restarts",
        scripts={
            "clear": (("tonumber(hash.last_epoch or '0'), epoch - 1, 0)", "tonumber(hash.last_epoch or '0'), 0)"),)
        },
    ),
    Mutant(
        name="CLEAR does not name the absence",
        theme="deletions",
        scripts={"clear": (("if ARGV[5] ~= absence then return refuse('other_absence') end", ""),)},
    ),
    Mutant(
        name="CONFIRM of what WAIT did not see",
        theme="failover",
        world={"waits_for_replicas": False},
    ),
    # The gate
    Mutant(
        name="D on first sight",
        theme="silence",
        method=ProxyGate._set_deadline,
        change=("if seq < confirmed]", "if seq <= confirmed]"),
    ),
    Mutant(
        name="D from reply time",
        theme="slow network",
        method=ProxyGate.on_poll,
        change=("self._judge(view, sent_ms=sent_ms,", "self._judge(view, sent_ms=now_ms,"),
    ),
    Mutant(
        name="D without CONFIRM",
        theme="failover",
        method=ProxyGate._set_deadline,
        change=("view.confirmed_seq if view.confirmed_incarnation == view.incarnation else 0", "view.seq"),
    ),
    Mutant(
        name="no D",
        theme="silence",
        method=ProxyGate.check,
        change=("deadline_ms is not None and now_ms < deadline_ms:", "deadline_ms is not None:"),
    ),
    Mutant(
        name="no ATTACH",
        theme="network",
        method=ProxyGate._judge,
        change=("if record is None or record.incarnation != view.incarnation:", "if False:"),
    ),
    Mutant(
        name="a cut boot signs again",
        theme="cuts",
        method=ProxyGate.shut,
        change=("if self._burned is None:\n        self._burned = reason", "self._not_open = reason"),
    ),
)
