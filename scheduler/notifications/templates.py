"""One text for each kind of event: what happened, to what, and what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from scheduler.notifications.events import Event, Kind
from scheduler.notifications.redaction import one_line

MAX_TITLE: Final = 150


@dataclass(frozen=True, kw_only=True)
class Message:
    """An event in words."""

    title: str
    """The subject; says by itself what happened to what."""
    happened: str
    """What happened, in a sentence or two."""
    todo: str
    """What to do."""
    commands: tuple[str, ...]
    """The commands that show it, and the one that acts on it."""


def message_of(event: Event) -> Message:
    """The event in words."""
    message = _TEMPLATES[event.kind](event)
    return replace(message, title=one_line(message.title, MAX_TITLE))


def _halt(event: Event) -> Message:
    what = " on ".join(part for part in (event.operation, event.resource) if part)
    who = _run(event) if event.run_id else f"The deployment of {_where(event)}"
    at = f" at {what}" if what else ""
    frozen = f" Phases of {event.rollout_id} that have not begun do not begin." if event.rollout_id else ""
    return Message(
        title=f"Halted: {_where(event)}" + (f" ({what})" if what else ""),
        happened=f"{who} was halted{at}{_because(event)}.{frozen}",
        todo="Find out what differs from the approved plan. If it is wanted, have a new plan approved; if not, undo it "
        "where it was made.",
        commands=(*_look_run(event), *_calls(event), *_look_rollout(event)),
    )


def _drift(event: Event) -> Message:
    count = len(event.items) + event.more
    thing = "resource" if event.target else "target"
    things = f"{count} {thing}{'s' if count != 1 else ''}" if count else f"{thing}s"
    look = f"interlock drift show {event.target}" if event.target else f"interlock drift list --flock {event.flock}"
    # Of one target its resources are listed, of several they themselves are.
    whom = event.target or f"{things} of {event.flock}"
    title = event.target or f"{event.flock}, {things}"
    one = event.target is not None or count == 1
    if event.standing == "in_sync":
        return Message(
            title=f"Drift is over: {title}",
            happened=f"{whom} {'is' if one else 'are'} as last applied again{_because(event)}.",
            todo="Nothing.",
            commands=(look,),
        )
    if event.standing == "not_checked":
        return Message(
            title=f"Not checked for drift: {title}",
            happened=f"Whether {whom} {'has' if one else 'have'} drifted is not known any more{_because(event)}.",
            todo="See why the check does not come to its end; until then nothing says that all is well there.",
            commands=(look, *_look_run(event, logs=True)),
        )
    return Message(
        title=f"Drift: {_where(event)}, {things}",
        happened=f"{things} of {_where(event)} {'is' if count == 1 else 'are'} not as last applied{_because(event)}.",
        todo="Decide whether the change is wanted: then put it into the configuration; else plan and apply what is "
        "configured.",
        commands=(look, *((f"interlock plan {event.target}",) if event.target else ())),
    )


def _rollback(event: Event) -> Message:
    release = f" to {event.release_digest}" if event.release_digest else " to nothing: it had never been deployed"
    phase = f" in phase {event.phase}" if event.phase else ""
    look = (f"interlock rollback show {event.rollback_id}",) if event.rollback_id else ()
    if event.standing in ("PARTIAL", "FAILED"):
        return Message(
            title=f"Rollback {event.standing.lower()}: {_where(event)}",
            happened=f"{_where(event)} could not be rolled back as a whole{phase}{_because(event)}. It takes no other "
            "run until a person decides.",
            todo="Look at what is left, then try again (with consent by name for what was refused), or leave it so.",
            commands=(*look, *_decide_rollback(event), *_calls(event), *_look_rollout(event)),
        )
    if event.standing in ("ROLLED_BACK", "NOT_NEEDED"):
        said = "is rolled back" if event.standing == "ROLLED_BACK" else "needed no rollback: it is as it was"
        return Message(
            title=f"Rolled back: {_where(event)}",
            happened=f"{_where(event)} {said}{release if event.release_digest else ''}{phase}{_because(event)}.",
            todo="Mend the cause before the release is rolled out again.",
            commands=(*look, *_look_rollout(event)),
        )
    return Message(
        title=f"Rollback: {_where(event)}",
        happened=f"{_where(event)} is rolled back{release}{phase}{_because(event)}.",
        todo="Nothing, as long as it succeeds. Mend the cause before the release is rolled out again.",
        commands=(*look, *_look_rollout(event), *_look_run(event)),
    )


def _decide_rollback(event: Event) -> tuple[str, ...]:
    if not event.rollback_id:
        return ()
    return (f"interlock rollback retry {event.rollback_id}", f"interlock rollback skip {event.rollback_id}")


def _lost_lease(event: Event) -> Message:
    if event.next_run_id:
        todo = f"Nothing, unless it goes on happening: {event.next_run_id} follows it and takes over what it left."
    elif event.rollout_id:
        todo = "Nothing, unless it goes on happening: the roll-out makes a new plan, which takes over what it left."
    else:
        todo = "It is not repeated by itself. See how far it came, then start it again if it is still wanted."
    epoch = f" under epoch {event.epoch}" if event.epoch is not None else ""
    return Message(
        title=f"Lease lost: {_where(event)}",
        happened=f"{_run(event)} lost the lease on {_where(event)}{epoch}{_because(event)}. "
        "Nothing more was signed for it from then on.",
        todo=todo,
        commands=(*_look_run(event), *_calls(event), *_look_rollout(event)),
    )


def _orphans(event: Event) -> Message:
    count = len(event.items) + event.more
    things = f"{count} resource{'s' if count != 1 else ''}"
    if event.next_run_id:
        todo = f"Nothing, as long as it succeeds: {event.next_run_id} takes over what was left."
    else:
        todo = "See what was made, then let a run take it over into the state, or delete it."
    look = (f"interlock recover {event.run_id}",) if event.run_id else ()
    return Message(
        title=f"Left behind: {_where(event)}, {things}",
        happened=f"{_run(event)} ended and left {things} that no state holds{_because(event)}.",
        todo=todo,
        commands=(*look, *_calls(event), *_look_rollout(event)),
    )


def _approval_wanted(event: Event) -> Message:
    count = len(event.items) + event.more
    plans = f"{count} plan{'s' if count != 1 else ''}" if count else "A plan"
    phase = f" of phase {event.phase}" if event.phase else ""
    decide = f"interlock rollout approve {event.rollout_id}" + (f" --phase {event.phase}" if event.phase else "")
    return Message(
        title=f"Approval wanted: {_where(event)}, {plans}{phase}",
        happened=f"{plans}{phase} of {event.rollout_id or 'a roll-out'} {'wait' if count > 1 else 'waits'} for a person"
        f"{_because(event)}.",
        todo="Look at each plan, then approve or discard it. None that waits is applied before.",
        commands=(*_look_rollout(event), *_look_run(event, logs=True), *((decide,) if event.rollout_id else ())),
    )


def _test(event: Event) -> Message:
    return Message(
        title="Test: notifications of Interlock arrive here",
        happened=f"Somebody asked for this test{_because(event)}.",
        todo="Nothing.",
        commands=("interlock notify list",),
    )


_TEMPLATES: Final[dict[Kind, Callable[[Event], Message]]] = {
    Kind.HALT: _halt,
    Kind.DRIFT: _drift,
    Kind.ROLLBACK: _rollback,
    Kind.LOST_LEASE: _lost_lease,
    Kind.ORPHANS: _orphans,
    Kind.APPROVAL_WANTED: _approval_wanted,
    Kind.TEST: _test,
}


def _where(event: Event) -> str:
    return event.target or event.flock


def _run(event: Event) -> str:
    return f"{event.run_kind or ''} run {event.run_id or 'without an id'}".strip().capitalize()


def _because(event: Event) -> str:
    return f": {event.reason.rstrip('.')}" if event.reason else ""


def _look_run(event: Event, *, logs: bool = False) -> tuple[str, ...]:
    return (f"interlock run {'logs' if logs else 'show'} {event.run_id}",) if event.run_id else ()


def _calls(event: Event) -> tuple[str, ...]:
    return (f"interlock journal ls --run {event.run_id}",) if event.run_id else ()


def _look_rollout(event: Event) -> tuple[str, ...]:
    return (f"interlock rollout show {event.rollout_id}",) if event.rollout_id else ()
