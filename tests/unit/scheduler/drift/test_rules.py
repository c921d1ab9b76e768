"""A flock's settings about drift, and the hits of its rules."""

from __future__ import annotations

from sqlalchemy import select, update

from scheduler.drift.rules import UNUSED_S, count_hits, drop_unused, rule_digest, settings_in
from scheduler.retention import prune_by_settings
from scheduler.tables import DriftHitRow, ReleaseRow
from shared.drift.ignoring import IgnoreRule
from tests.unit.scheduler.drift.support import deploy, later
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


def test_hits_of_a_rule_that_is_gone_are_forgotten_after_a_quarter_and_no_others(world: World) -> None:
    deploy(world, ignore=(rule(), rule("since long")))
    kept, gone = rule_digest(rule()), rule_digest(rule("an older one"))
    with world.context.database.write() as session:
        count_hits(session, "web", {kept: 1, gone: 1}, run_id="run-1", at=world.clock.wall())
        # Another flock's rule of the same words is another one.
        count_hits(session, "shop", {kept: 1}, run_id="run-1", at=world.clock.wall())

    def left() -> list[tuple[str, str]]:
        with world.context.database.read() as session:
            rows = session.scalars(select(DriftHitRow).order_by(DriftHitRow.flock, DriftHitRow.rule))
            return [(row.flock, row.rule) for row in rows]

    later(world, UNUSED_S)
    prune_by_settings(world.context)
    assert len(left()) == 3
    with world.context.database.write() as session:
        count_hits(session, "web", {rule_digest(rule("hit today")): 1}, run_id="run-2", at=world.clock.wall())
    later(world, 1)
    prune_by_settings(world.context)
    assert left() == sorted([("web", kept), ("web", rule_digest(rule("hit today")))])
    assert drop_unused(world.context) == 0


def test_a_rule_of_a_release_that_cannot_be_read_is_not_taken_for_gone(world: World) -> None:
    digest = deploy(world, ignore=(rule(),))
    with world.context.database.write() as session:
        count_hits(session, "web", {rule_digest(rule()): 1}, run_id="run-1", at=world.clock.wall())
        session.execute(update(ReleaseRow).where(ReleaseRow.digest == digest).values(manifest=b"{}"))
    later(world, UNUSED_S + 1)
    assert drop_unused(world.context) == 0
