"""Which releases are let go."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from scheduler import releases, retention, runs, safety_plans
from scheduler.drift.queueing import check_now
from scheduler.retention import prune, prune_by_settings
from scheduler.rollout import service
from scheduler.tables import BlobRow, ReleaseRow
from shared.errors import ApiError
from shared.models import RunKind, RunStatus
from shared.release_manifest import digest_of
from tests.unit.scheduler.rollback import support as deploying
from tests.unit.scheduler.rollout.support import phase, publish
from tests.unit.scheduler.support import TARGET, World
from tests.unit.shared.safety.support import entry, plan


def release(world: World, word: str, target: str = TARGET) -> str:
    return world.publish(target, rendered={"a.json": word.encode()})


def stored(world: World) -> set[str]:
    with world.context.database.read() as session:
        return set(session.scalars(select(ReleaseRow.digest)))


def files(world: World) -> set[str]:
    with world.context.database.read() as session:
        return set(session.scalars(select(BlobRow.digest)))


def test_the_newest_of_each_flock_stay_and_files_go_with_the_last_release_that_has_them(world: World) -> None:
    old, middle, new = (release(world, word) for word in ("1", "2", "3"))
    other = release(world, "1", "orders.north")
    first = stored(world) - {old, middle, new, other}
    found = prune(world.context, keep=2)
    assert [one.digest for one in found.releases] == [old]
    assert (found.files, found.more) == (0, False)
    assert stored(world) == {middle, new, other} | first
    assert digest_of(b"1") in files(world), "the other flock's release has it too"
    found = prune(world.context, keep=1)
    assert ([one.digest for one in found.releases], found.files, found.size) == ([middle], 1, 1)
    assert digest_of(b"2") not in files(world)
    with pytest.raises(ApiError, match="there is no release"):
        releases.release(world.context, middle)


def test_a_dry_run_deletes_nothing(world: World) -> None:
    old, _ = release(world, "1"), release(world, "2")
    before = stored(world), files(world)
    found = prune(world.context, keep=1, dry_run=True)
    assert ([one.digest for one in found.releases], found.files, found.dry_run) == ([old], 1, True)
    assert (stored(world), files(world)) == before


def test_only_the_flock_that_is_named_loses_any(world: World) -> None:
    release(world, "1")
    release(world, "2")
    release(world, "1", "orders.north")
    release(world, "2", "orders.north")
    assert {one.flock for one in prune(world.context, keep=1, flock="orders").releases} == {"orders"}


def test_what_a_target_deploys_stays(world: World) -> None:
    old, _ = release(world, "1"), release(world, "2")
    releases.register(world.context, "web", release_digest=old)
    prune(world.context, keep=1)
    assert old in stored(world)


def test_what_a_run_needs_stays_until_it_is_over(world: World) -> None:
    old, _ = release(world, "1"), release(world, "2")
    run = world.submit(release_digest=old)
    prune(world.context, keep=1)
    assert old in stored(world)
    runs.cancel(world.context, run.id)
    prune(world.context, keep=1)
    assert old not in stored(world)


def test_what_a_drift_check_looks_at_stays_until_it_is_over(world: World) -> None:
    old = release(world, "1")
    releases.register(world.context, "web", release_digest=old)
    (check,) = check_now(world.context, [TARGET], actor="anna")
    releases.register(world.context, "web", release_digest=release(world, "2"))
    prune(world.context, keep=1)
    assert old in stored(world)
    runs.cancel(world.context, check.id)
    prune(world.context, keep=1)
    assert old not in stored(world)


def test_what_the_last_two_applies_deployed_stays(world: World) -> None:
    """The one before the last is where a rollback leads."""
    made = [release(world, word) for word in ("1", "2", "3", "4")]
    for digest in made[:3]:
        assignment = world.claim(world.submit(release_digest=digest))
        lease = world.acquire(assignment)
        world.store.release(TARGET, lease)
        world.finish(assignment)
    prune(world.context, keep=1)
    assert stored(world) & set(made) == set(made[1:])


def ended(world: World, release_digest: str, kind: RunKind, status: RunStatus) -> str:
    """A run that was at work and is over."""
    assignment = world.claim(world.submit(TARGET, kind, release_digest=release_digest))
    world.store.release(TARGET, world.acquire(assignment))
    world.finish(assignment, status, reason="it is so")
    return assignment.run.id


@pytest.mark.parametrize("status", [RunStatus.PLANNED, RunStatus.ERRORED, RunStatus.APPLIED])
@pytest.mark.parametrize("kind", [RunKind.APPLY, RunKind.DESTROY])
def test_what_the_newest_apply_or_destroy_had_stays_however_it_ended(
    world: World, kind: RunKind, status: RunStatus
) -> None:
    old, newer, _ = (release(world, word) for word in ("1", "2", "3"))
    ended(world, old, RunKind.APPLY, RunStatus.ERRORED)
    ended(world, newer, kind, status)
    if status is not RunStatus.APPLIED:
        ended(world, release(world, "4"), RunKind.PLAN, RunStatus.ERRORED)
    prune(world.context, keep=1)
    assert newer in stored(world)
    assert (old in stored(world)) == (kind is RunKind.DESTROY), "the newest of each kind"


def test_what_the_last_two_plans_were_made_of_stays_and_an_older_one_is_shown_as_it_was_judged(world: World) -> None:
    made = [release(world, word) for word in ("1", "2", "3", "4")]
    shown = {}
    for digest in made[:3]:
        assignment = world.claim(world.submit(TARGET, RunKind.PLAN, release_digest=digest))
        lease = world.acquire(assignment)
        deed = plan(entry("create", "aws_sqs_queue.a"))
        shown[digest] = safety_plans.deliver(world.context, assignment.run.id, holder=assignment.holder, plan=deed)
        world.store.release(TARGET, lease)
        world.finish(assignment, RunStatus.PLANNED)
    prune(world.context, keep=1)
    assert stored(world) & set(made) == set(made[1:])
    for one in shown.values():
        assert safety_plans.get(world.context, one.run_id) == one


def test_a_run_that_ends_while_its_release_is_looked_for_does_not_lose_it() -> None:
    """What a run becomes is read after what it was."""
    read: list[str] = []

    class Looked:
        def scalars(self, query: object) -> list[str]:
            read.append(str(query))
            return []

    retention._referred(Looked())  # type: ignore[arg-type]  # all that is asked of it
    assert "FROM targets" in read[-1]
    assert "runs.status IN" in read[0]


def test_what_a_roll_out_took_stays(world: World) -> None:
    digest = publish(world, phase("one"), targets={"one": ["web.r1"]})
    value = service.start(world.context, digest, actor="anna")
    service.cancel(world.context, value.id, actor="anna")
    release(world, "1")
    prune(world.context, keep=1)
    assert digest in stored(world)


def test_one_request_has_a_bound_and_says_that_there_is_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "MAX_RELEASES", 2)
    made = [release(world, str(number)) for number in range(5)]
    found = prune(world.context, keep=1)
    assert ([one.digest for one in found.releases], found.more) == (made[:2], True)
    assert prune(world.context, keep=1).more is False
    assert stored(world) & set(made) == {made[-1]}


def test_nothing_goes_by_itself_unless_the_settings_say_so(world: World) -> None:
    release(world, "1")
    release(world, "2")
    before = stored(world)
    prune_by_settings(world.context)
    assert stored(world) == before
    object.__setattr__(world.context, "settings", world.context.settings.model_copy(update={"keep_releases": 1}))
    prune_by_settings(world.context)
    assert len(stored(world)) == len(before) - 1


def test_a_file_that_no_release_has_goes(world: World) -> None:
    with world.context.database.write() as session:
        session.add(BlobRow(digest=digest_of(b"left"), content=b"left", size=4))
    assert prune(world.context, keep=1).files == 1
    with world.context.database.read() as session:
        assert session.scalar(select(func.count()).where(BlobRow.digest == digest_of(b"left"))) == 0


def test_where_the_last_deployments_would_go_back_to_stays(world: World) -> None:
    first = deploying.deployed(world, "first", deploying.QUEUE, serial=1)
    for number in range(2, 5):
        # None of them holds; where they all go back to is older than the applies that are kept.
        run = deploying.begun(world, deploying.release(world, str(number)))
        deploying.taking_back(world, run)
        deploying.says(world, run)
        deploying.finish(world, run, RunStatus.ROLLED_BACK)
    newest = [deploying.release(world, f"published {number}") for number in range(2)]
    gone = {one.digest for one in prune(world.context, keep=1).releases}
    assert first not in gone
    assert newest[0] in gone


def test_what_a_rollback_that_is_not_over_takes_back_stays(world: World) -> None:
    run = deploying.begun(world, deploying.release(world, "two"))
    deploying.lose(world, run)
    runs.cancel(world.context, deploying.rollback_run(world).id)
    for number in range(3):
        deploying.release(world, f"published {number}")
    assert run.run.release_digest not in {one.digest for one in prune(world.context, keep=1).releases}
