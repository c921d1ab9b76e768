"""Who consents by name to what cannot be undone."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from scheduler.rollback import consents
from scheduler.rows import find_run
from scheduler.tables import ConsentRow, RollbackRow
from shared.errors import ApiError
from tests.unit.scheduler.rollback.support import QUEUE, TOPIC, begun, release, taking_back
from tests.unit.scheduler.support import TARGET, World


def test_a_consent_counts_for_one_target_of_one_release(world: World) -> None:
    digest = release(world, "one", TARGET, "web.south")
    run = world.submit(release_digest=digest)
    with world.context.database.write() as session:
        consents.give(world.context, session, find_run(session, run.id), [QUEUE, TOPIC], actor=" anna ")
        consents.give(world.context, session, find_run(session, run.id), [QUEUE], actor="anna")
        consents.give(world.context, session, find_run(session, run.id), [QUEUE], actor="bert")
    with world.context.database.read() as session:
        assert consents.consents_of(session, digest, TARGET) == {QUEUE, TOPIC}
        assert consents.consents_of(session, digest, "web.south") == frozenset()
        assert consents.consents_of(session, release(world, "two"), TARGET) == frozenset()
        given = [(row.address, row.approver) for row in session.scalars(select(ConsentRow).order_by(ConsentRow.id))]
    assert given == [(TOPIC, "anna"), (QUEUE, "anna"), (QUEUE, "bert")]


def test_nobody_consents_to_nothing(world: World) -> None:
    run = world.submit()
    with pytest.raises(ApiError), world.context.database.write() as session:
        consents.give(world.context, session, find_run(session, run.id), [QUEUE], actor=" ")


def test_whoever_discards_the_plan_takes_them_back(world: World) -> None:
    run = world.submit()
    with world.context.database.write() as session:
        row = find_run(session, run.id)
        consents.give(world.context, session, row, [QUEUE], actor="anna")
        consents.withdraw(session, row)
        assert consents.consents_of(session, row.release_digest, TARGET) == frozenset()


def test_consent_to_a_change_is_no_consent_to_the_end_of_the_object(world: World) -> None:
    deployment = begun(world, release(world, "one"))
    with world.context.database.write() as session:
        run = find_run(session, deployment.run.id)
        consents.give(world.context, session, run, [QUEUE, TOPIC], actor="anna")
    taking_back(world, deployment)
    with world.context.database.write() as session:
        run = find_run(session, deployment.run.id)
        (back,) = session.scalars(select(RollbackRow))

        def agreed(*planned: str) -> frozenset[str]:
            return consents.to_destroy(session, back.id, planned=planned)

        assert agreed() == frozenset()
        assert agreed(TOPIC) == {TOPIC}
        # Nor is it where it is named at the deployment's own plan, while that is taken back.
        consents.give(world.context, session, run, [QUEUE], actor="bert")
        assert agreed() == frozenset()
        # For the rollback itself it was named for that end.
        consents.give(world.context, session, run, [QUEUE], actor="bert", rollback=back)
        assert agreed() == {QUEUE}
        assert consents.to_destroy(session, "rollback-0", planned=[QUEUE, TOPIC]) == frozenset()


def test_what_a_rollback_took_over_counts_for_no_later_plan(world: World) -> None:
    digest = release(world, "one", TARGET, "web.south")
    deployment, elsewhere = begun(world, digest), begun(world, digest, "web.south")
    with world.context.database.write() as session:
        for one in (deployment, elsewhere):
            consents.give(world.context, session, find_run(session, one.run.id), [QUEUE], actor="anna")
    taking_back(world, deployment)
    with world.context.database.write() as session:
        assert consents.consents_of(session, digest, TARGET) == frozenset()
        assert consents.consents_of(session, digest, "web.south") == {QUEUE}
        # Named once more it counts again.
        consents.give(world.context, session, find_run(session, deployment.run.id), [QUEUE], actor="anna")
        assert consents.consents_of(session, digest, TARGET) == {QUEUE}
