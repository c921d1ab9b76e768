"""One text for each kind."""

from __future__ import annotations

import shlex

import pytest
from typer.main import get_command

from cli.main import app
from scheduler.notifications.events import Event, Kind
from scheduler.notifications.templates import MAX_TITLE, message_of
from tests.unit.scheduler.notifications.support import FULL, NOW, event


@pytest.mark.parametrize(
    ("kind", "title", "happened"),
    [
        (
            Kind.HALT,
            "Halted: shop.eu-west-1 (s3:DeleteBucket on aws_s3_bucket.logs)",
            "Apply run run-0123456789abcdef was halted at s3:DeleteBucket on aws_s3_bucket.logs: not in the approved "
            "safety plan. Phases of rollout-0123456789abcdef that have not begun do not begin.",
        ),
        (
            Kind.DRIFT,
            "Drift: shop.eu-west-1, 1 resource",
            "1 resource of shop.eu-west-1 is not as last applied.",
        ),
        (
            Kind.ROLLBACK,
            "Rollback: shop",
            f"shop is rolled back to sha256:{'a' * 64}: its bake check failed.",
        ),
        (
            Kind.LOST_LEASE,
            "Lease lost: shop.eu-west-1",
            "Apply run run-0123456789abcdef lost the lease on shop.eu-west-1 under epoch 7: its lease expired without "
            "a sign of life. Nothing more was signed for it from then on.",
        ),
        (
            Kind.ORPHANS,
            "Left behind: shop.eu-west-1, 2 resources",
            "Apply run run-0123456789abcdef ended and left 2 resources that no state holds: its lease expired without "
            "a sign of life.",
        ),
        (
            Kind.APPROVAL_WANTED,
            "Approval wanted: shop, 5 plans of phase canary",
            "5 plans of phase canary of rollout-0123456789abcdef wait for a person.",
        ),
        (
            Kind.TEST,
            "Test: notifications of Interlock arrive here",
            "Somebody asked for this test: asked for by ann@desk.",
        ),
    ],
)
def test_it_says_what_happened_to_what(kind: Kind, title: str, happened: str) -> None:
    message = message_of(FULL[kind])
    assert (message.title, message.happened) == (title, happened)


@pytest.mark.parametrize("kind", Kind)
def test_every_command_it_names_is_one(kind: Kind) -> None:
    commands = message_of(FULL[kind]).commands
    assert commands
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "interlock"
        found = get_command(app)
        rest = words[1:]
        while rest and rest[0] in getattr(found, "commands", ()):
            found = found.commands[rest.pop(0)]
        found.make_context("interlock", rest)


@pytest.mark.parametrize("kind", Kind)
def test_an_event_of_which_little_is_known_has_a_text_as_well(kind: Kind) -> None:
    message = message_of(Event(kind=kind, key="k", at=NOW, flock="shop"))
    assert message.happened.endswith(".")
    assert message.todo.endswith(".")
    assert "None" not in message.happened + message.title


@pytest.mark.parametrize(
    ("follows", "todo"),
    [
        ({"next_run_id": "run-fedcba9876543210"}, "run-fedcba9876543210 follows it"),
        ({"rollout_id": "rollout-0123456789abcdef"}, "the roll-out makes a new plan"),
        ({}, "not repeated by itself"),
    ],
)
def test_a_lost_lease_says_whether_there_is_anything_to_do(follows: dict[str, str], todo: str) -> None:
    assert todo in message_of(event(**follows)).todo


def test_a_title_is_short() -> None:
    assert len(message_of(event(Kind.HALT, operation="o" * 300, resource="r" * 300)).title) == MAX_TITLE


@pytest.mark.parametrize(
    ("standing", "title", "wanted"),
    [
        ("PARTIAL", "Rollback partial: shop", "takes no other run until a person decides"),
        ("FAILED", "Rollback failed: shop", "takes no other run until a person decides"),
        ("ROLLED_BACK", "Rolled back: shop", "shop is rolled back to sha256:"),
        ("NOT_NEEDED", "Rolled back: shop", "needed no rollback"),
    ],
)
def test_a_rollback_that_is_over_says_what_came_of_it_and_who_decides(standing: str, title: str, wanted: str) -> None:
    back = "rollback-0123456789abcdef"
    message = message_of(FULL[Kind.ROLLBACK].model_copy(update={"standing": standing, "rollback_id": back}))
    assert message.title == title
    assert wanted in message.happened
    assert message.commands[0] == f"interlock rollback show {back}"
    decides = f"interlock rollback skip {back}" in message.commands
    assert decides is (standing in ("PARTIAL", "FAILED"))


def test_a_target_that_was_never_deployed_is_rolled_back_to_nothing() -> None:
    said = message_of(FULL[Kind.ROLLBACK].model_copy(update={"release_digest": None})).happened
    assert "to nothing: it had never been deployed" in said
