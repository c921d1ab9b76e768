"""From rows to records."""

from __future__ import annotations

import pytest

from scheduler.rows import find_run, find_target, lock_run, lock_target, require_holder, run_record, target_record
from shared.errors import ApiError
from shared.models import RunStatus
from tests.unit.scheduler.support import TARGET, World


def test_a_locked_run_comes_with_its_target(world: World) -> None:
    assignment = world.claim(world.submit())
    with world.context.database.write() as session:
        run, target = lock_run(world.context.database, session, assignment.run.id)
        assert run_record(run) == assignment.run
        assert target_record(target) == assignment.target


def test_what_is_not_there_is_a_404_with_its_name(world: World) -> None:
    with world.context.database.write() as session:
        for look in (
            lambda: find_run(session, "run-x"),
            lambda: find_target(session, "web.x"),
            lambda: lock_target(world.context.database, session, "web.x"),
            lambda: lock_run(world.context.database, session, "run-x"),
        ):
            with pytest.raises(ApiError, match="x'") as missing:
                look()
            assert missing.value.status == 404


def test_only_the_holder_of_an_active_run_passes(world: World) -> None:
    assignment = world.claim(world.submit(TARGET), holder="h")
    with world.context.database.write() as session:
        run = find_run(session, assignment.run.id)
        require_holder(run, "h")
        for holder, status in (("other", RunStatus.CLAIMED), ("h", RunStatus.LOST)):
            run.status = status
            with pytest.raises(ApiError) as refused:
                require_holder(run, holder)
            assert refused.value.code == "lease_lost"
