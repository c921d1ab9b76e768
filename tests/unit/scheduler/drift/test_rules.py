"""A flock's settings about drift, and the hits of its rules."""

from __future__ import annotations

from sqlalchemy import select, update

from scheduler.drift.rules import count_hits, rule_digest, settings_in
from scheduler.tables import DriftHitRow, ReleaseRow
from shared.drift.ignoring import IgnoreRule
from tests.unit.scheduler.drift.support import deploy
from tests.unit.scheduler.support import World


def rule(reason: str = "known") -> IgnoreRule:
    return IgnoreRule.model_validate({"address": "*", "expires": "2999-01-01", "reason": reason})


def test_the_settings_are_those_of_the_release(world: World) -> None:
    digest = deploy(world, every_s=900)
    plain = world.publish("web.north")
    with world.context.database.read() as session:
        settings = settings_in(session, digest)
        assert settings is not None
        assert settings.every_s == 900
        assert settings_in(session, plain) is None
        assert settings_in(session, None) is None
        assert settings_in(session, "sha256:" + "0" * 64) is None


def test_a_damaged_release_says_nothing_and_stops_nothing(world: World) -> None:
    digest = deploy(world, every_s=900)
    with world.context.database.write() as session:
        session.execute(update(ReleaseRow).where(ReleaseRow.digest == digest).values(manifest=b"{}"))
        assert settings_in(session, digest) is None


def test_a_rule_that_is_changed_is_another_one() -> None:
    assert rule_digest(rule()) == rule_digest(rule())
    assert rule_digest(rule()) != rule_digest(rule("since long"))


def test_hits_add_up_for_each_flock_and_rule(world: World) -> None:
    now = world.clock.wall()
    with world.context.database.write() as session:
        count_hits(session, "web", {"b": 2, "a": 1}, run_id="run-1", at=now)
        count_hits(session, "web", {"a": 4}, run_id="run-2", at=now)
        count_hits(session, "shop", {"a": 8}, run_id="run-3", at=now)
        count_hits(session, "shop", {}, run_id="run-4", at=now)
    with world.context.database.read() as session:
        rows = session.scalars(select(DriftHitRow).order_by(DriftHitRow.flock, DriftHitRow.rule))
        assert [(row.flock, row.rule, row.hits, row.last_run_id) for row in rows] == [
            ("shop", "a", 8, "run-3"),
            ("web", "a", 5, "run-2"),
            ("web", "b", 2, "run-1"),
        ]
