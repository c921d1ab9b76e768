"""May this plan be applied? Pure: the plan, the rules and the approvals of its release in, a decision out.

A plan is approved when one approved plan of the same release holds everything in it that a person has to approve, and
enough persons approved that one. So a plan that is the same needs no second approval, a smaller one needs none, and a
plan for another target needs none where it does no more. Parts of several approvals never make up one.

That is what the rules ask for. A phase with approval asks for something else, which no other target's approval meets:
that a person approved this target's plan, all of it.

A flock with a `rollback` section asks for one thing more, whatever its rules say: what cannot be undone is not done
before somebody named it. A consent is given to the address of one target, since the data there is its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from shared.record import Record
from shared.rollback.guarding import keeps_data
from shared.rollback.reversibility import label
from shared.safety.comparison import named, outside
from shared.safety.entries import MAX_ENTRIES, Entry, Operation, Place, SafetyPlan, in_order
from shared.safety.rules import Demand, SafetyRules, demand

_SHOWN = 1000
_DEPOSED = " (deposed)"


class Decision(StrEnum):
    """What may become of a plan."""

    ACCEPTED = "accepted"
    """It may be applied."""
    HELD = "held"
    """Persons have to approve it first."""
    FORBIDDEN = "forbidden"
    """Nobody can approve it."""
    OUTSIDE = "outside"
    """It does more than the plan that was approved for this run."""


class Approval(Record):
    """An approved plan of a release and who approved it."""

    plan: SafetyPlan = Field(description="normalised")
    approvers: tuple[str, ...] = Field(description="each once, the first first")


class Verdict(Record):
    """The decision and what it rests on."""

    decision: Decision = Field(description="what may become of the plan")
    entries: Annotated[tuple[Entry, ...], Field(max_length=MAX_ENTRIES)] = Field(
        default=(), description="held: what is new; forbidden, outside: what is in the way; at most 1000 of them"
    )
    approvers: tuple[str, ...] = Field(default=(), description="who approved it; empty: nobody had to, or has")
    needed: int = Field(default=0, ge=0, description="how many persons it takes")
    unconsented: Annotated[tuple[Entry, ...], Field(max_length=MAX_ENTRIES)] = Field(
        default=(), description="held: what cannot be undone, and nobody has named; at most 1000 of them"
    )
    why: str = Field(default="", max_length=1024, description="in one line, for people")

    def __str__(self) -> str:
        """`held: its phase asks for an approval`."""
        return f"{self.decision}: {self.why}" if self.why else self.decision.value


def judge(
    plan: SafetyPlan,
    place: Place,
    rules: SafetyRules | None,
    approvals: Iterable[Approval],
    *,
    gate: Iterable[Approval] | None = None,
    consents: Collection[str] | None = None,
) -> Verdict:
    """Decide about the plan of one target.

    Args:
        plan: what it does, not normalised.
        place: the target's.
        rules: of its flock; None: it has none.
        approvals: of its release.
        gate: in a phase with approval: those that were given for this target; None: in any other.
        consents: in a flock with a `rollback` section: the addresses that somebody named for this target; None: in any
            other.
    """
    decided = _by_rules(plan, place, rules, approvals)
    if gate is not None and decided.decision is Decision.ACCEPTED:
        decided = _by_gate(plan, place, decided, gate)
    return decided if consents is None else _by_consents(plan, decided, consents)


def _by_gate(plan: SafetyPlan, place: Place, by_rules: Verdict, gate: Iterable[Approval]) -> Verdict:
    whole = plan.normalised(place)
    given = tuple(gate)
    for approval in given:
        if approval.approvers and not outside(whole, approval.plan):
            approvers = tuple(dict.fromkeys((*by_rules.approvers, *approval.approvers)))
            return Verdict(
                decision=Decision.ACCEPTED,
                approvers=approvers,
                needed=max(by_rules.needed, 1),
                why=f"approved by {', '.join(approvers)}"[:1024],
            )
    known = max((approval.plan.entries & whole.entries for approval in given), key=len, default=frozenset())
    fresh = [
        entry
        for entry in plan.entries
        if entry.model_copy(update={"address": place.normalised(entry.address)}) not in known
    ]
    return _held(fresh, 1)


def _by_rules(plan: SafetyPlan, place: Place, rules: SafetyRules | None, approvals: Iterable[Approval]) -> Verdict:
    asked = {entry: demand(rules, entry) for entry in plan.entries}
    forbidden = [entry for entry, wish in asked.items() if wish is Demand.NEVER]
    if forbidden:
        return Verdict(
            decision=Decision.FORBIDDEN,
            entries=_some(forbidden),
            why=f"never allowed, or named by no rule: {named(forbidden)}"[:1024],
        )
    needy = {entry: place.normalised(entry.address) for entry, wish in asked.items() if wish > Demand.NOBODY}
    if not needy:
        return Verdict(decision=Decision.ACCEPTED, why="nobody has to approve it")
    wanted = SafetyPlan(entries=frozenset(entry.model_copy(update={"address": at}) for entry, at in needy.items()))
    persons = int(max(asked[entry] for entry in needy))
    new = wanted.entries
    approvers: tuple[str, ...] = ()
    for approval in sorted(approvals, key=lambda one: -len(one.approvers)):
        missing = frozenset(outside(wanted, approval.plan))
        if not missing and len(approval.approvers) >= persons:
            return Verdict(
                decision=Decision.ACCEPTED,
                approvers=approval.approvers,
                needed=persons,
                why=f"approved by {', '.join(approval.approvers)}"[:1024],
            )
        if len(missing) < len(new):
            new, approvers = missing, () if missing else approval.approvers
    if not new:
        return Verdict(
            decision=Decision.HELD,
            entries=_some(entry for entry in needy if asked[entry] == persons),
            approvers=approvers,
            needed=persons,
            why=f"approved by {', '.join(approvers)}; {persons} persons have to"[:1024],
        )
    return _held([entry for entry, at in needy.items() if entry.model_copy(update={"address": at}) in new], persons)


def unconsented(plan: SafetyPlan, consents: Collection[str]) -> list[Entry]:
    """What a plan does that cannot be undone, or only with data lost, and that nobody has named, in order."""
    named_already, taken_over = frozenset(consents), plan.taken_over
    return [
        entry
        for entry in in_order(plan.entries)
        if entry.address.removesuffix(_DEPOSED) not in named_already
        and label(entry, one_way_only=entry.address in plan.one_way, existing=entry.address in taken_over).needs_consent
    ]


def consentable(plan: SafetyPlan) -> frozenset[str]:
    """The addresses to which a consent means anything: what cannot be undone, and what is made and will hold data.

    The latter holds nothing up. A rollback deletes it without another question where somebody named it before.
    """
    made = {entry.address for entry in plan.entries if entry.operation is Operation.CREATE and keeps_data(entry.type)}
    return frozenset(made | {entry.address.removesuffix(_DEPOSED) for entry in unconsented(plan, ())})


def _by_consents(plan: SafetyPlan, decided: Verdict, consents: Collection[str]) -> Verdict:
    missing = unconsented(plan, consents)
    if not missing or decided.decision not in (Decision.ACCEPTED, Decision.HELD):
        return decided
    # In front: approving the rest alone would not do.
    why = f"consent by name is wanted, since it cannot be undone: {named(missing)}"
    if decided.decision is Decision.HELD:
        why = f"{why}; and {decided.why}"
    return decided.model_copy(
        update={
            "decision": Decision.HELD,
            "entries": _some({*decided.entries, *missing}),
            "needed": max(decided.needed, 1),
            "unconsented": _some(missing),
            "why": why[:1024],
        }
    )


def _held(fresh: Collection[Entry], persons: int) -> Verdict:
    who = "1 person has" if persons == 1 else f"{persons} persons have"
    return Verdict(
        decision=Decision.HELD,
        entries=_some(fresh),
        needed=persons,
        why=f"{who} to approve: {named(fresh) or 'what it does'}"[:1024],
    )


def _some(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple(in_order(entries)[:_SHOWN])
