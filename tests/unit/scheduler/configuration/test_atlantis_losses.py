"""What is told of an atlantis.yaml."""

from __future__ import annotations

from scheduler.configuration.atlantis_losses import Losses
from scheduler.configuration.nodes import Origin
from scheduler.configuration.report import Kind, Severity

HERE, THERE = Origin("atlantis.yaml", 1), Origin("atlantis.yaml", 2)


def test_the_same_is_told_of_each_place_once() -> None:
    losses = Losses()
    for origin in (HERE, THERE, HERE):
        losses.tell(origin, "is not carried over", "remove it")
    assert [one.origin for one in losses.findings] == [HERE, THERE]


def test_what_is_lost_is_unused_and_what_keeps_a_flock_from_being_made_is_unresolved() -> None:
    losses = Losses()
    losses.tell(HERE, "lost", "")
    losses.tell(HERE, "wrong", "", Severity.ERROR)
    losses.tell(HERE, "twice", "", Severity.ERROR, kind=Kind.CONFLICT)
    assert [(one.severity, one.kind) for one in losses.findings] == [
        (Severity.WARNING, Kind.UNUSED),
        (Severity.ERROR, Kind.UNRESOLVED),
        (Severity.ERROR, Kind.CONFLICT),
    ]
