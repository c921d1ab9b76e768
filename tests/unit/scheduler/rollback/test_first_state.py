"""What a target was before a deployment."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, update

from scheduler import runs
from scheduler.tables import BlobRow, FirstStateRow, ReleaseRow, StateVersionRow
from shared.errors import ApiError
from shared.models import Run, RunKind, RunStatus
from shared.release_manifest import LOCK_FILE, digest_of
from shared.rollback.records import FirstArtifact, FirstState
from tests.unit.scheduler.rollback.support import (
    QUEUE,
    TOPIC,
    begun,
    claimed,
    deployed,
    finish,
    lose,
    objects,
    release,
    rollback_run,
    waiting,
    write,
)
from tests.unit.scheduler.support import TARGET, World, metric

LOCK = b"""provider "registry.terraform.io/hashicorp/aws" {
  version     = "6.1.0"
  constraints = "~> 6.0"
  hashes = ["h1:x"]
}
"""


def first_of(world: World, run_id: str) -> FirstState:
    with world.context.database.read() as session:
        return FirstState.model_validate(session.get_one(FirstStateRow, run_id).document)


def refused(world: World, digest: str) -> Run:
    """Nothing of it is executed."""
    run = world.submit(release_digest=digest)
    with pytest.raises(ApiError, match="it is errored"):
        world.claim(run)
    ended = runs.get(world.context, run.id)
    assert (ended.status, ended.epoch) == (RunStatus.ERRORED, None)
    return ended


def test_a_target_that_was_never_deployed_was_nothing(world: World) -> None:
    run = claimed(world, release(world, "one"))
    first = first_of(world, run.run.id)
    assert (first.release_digest, first.state, first.resources, first.epoch) == (None, None, (), 1)
    assert run.rollback is not None
    assert run.rollback.first == first
    assert (run.rollback.rollback_only, run.rollback.undoes) == (False, run.run.id)


def test_all_that_it_was_is_recorded_by_name_and_its_secrets_stay_sealed(world: World) -> None:
    pinned = {"source": "registry.example/shop", "version": "v7", "digest": f"sha256:{'7' * 64}"}
    files = {"main.tf": b"# one\n", LOCK_FILE: LOCK}
    one = world.publish(TARGET, generic=files, artifacts={"image": pinned})
    run = begun(world, one)
    write(world, run, objects(3, QUEUE))
    finish(world, run)
    second = claimed(world, release(world, "two"))
    first = first_of(world, second.run.id)
    assert first.release_digest == one
    assert first.lock_digest == digest_of(LOCK)
    assert first.providers == {"registry.terraform.io/hashicorp/aws": "6.1.0"}
    assert first.artifacts == {"image": FirstArtifact(version="v7", digest=f"sha256:{'7' * 64}")}
    assert first.terraform_version == "1.11.4"
    assert first.state is not None
    assert (first.state.serial, first.state.lineage, first.state.epoch) == (3, "lineage-a", 1)
    assert [(one.address, one.type, one.id) for one in first.resources] == [(QUEUE, "aws_sqs_queue", "id-of-a")]
    assert first.outputs == ("url",)
    assert "secret.example" not in first.model_dump_json()


def test_a_release_without_the_section_and_any_other_kind_of_run_record_nothing(world: World) -> None:
    plain = claimed(world, release(world, "one", rollback=None))
    assert plain.rollback is None
    finish(world, plain)
    plan = claimed(world, release(world, "two"), kind=RunKind.PLAN)
    assert plan.rollback is None
    with world.context.database.read() as session:
        assert session.query(FirstStateRow).count() == 0


def test_the_same_claim_asked_again_has_the_same_order(world: World) -> None:
    run = world.submit(release_digest=release(world, "one"))
    assert world.claim(run, holder="h") == world.claim(run, holder="h")


def test_a_state_that_no_release_is_known_for_leads_nowhere(world: World) -> None:
    exec_run, _ = world.begin(TARGET, RunKind.EXEC)
    write(world, exec_run, objects(1, QUEUE))
    finish(world, exec_run, RunStatus.SUCCEEDED)
    ended = refused(world, release(world, "two"))
    assert "1 resources, and no release is known that made them" in ended.reason
    assert "without `rollback`" in ended.reason
    # A release that cannot be taken back is deployed as before.
    assert claimed(world, release(world, "two", rollback=None)).epoch == 2


def test_a_first_release_that_is_gone_lets_nothing_run(world: World) -> None:
    one = deployed(world, "one", QUEUE, serial=1)
    with world.context.database.write() as session:
        session.execute(delete(ReleaseRow).where(ReleaseRow.digest == one))
    assert f"release {one}, which {TARGET} had before, cannot be read" in refused(world, release(world, "two")).reason


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_file_of_it_that_is_gone_or_changed_does_neither(world: World, damage: str) -> None:
    deployed(world, "one", QUEUE, serial=1)
    digest = digest_of(b"# one\n")
    two = release(world, "two")
    with world.context.database.write() as session:
        mine = BlobRow.digest == digest
        session.execute(
            delete(BlobRow).where(mine) if damage == "gone" else update(BlobRow).where(mine).values(content=b"!")
        )
    assert "lacks main.tf or has it damaged" in refused(world, two).reason


def test_a_stored_state_that_cannot_be_read_does_neither(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    two = release(world, "two")
    with world.context.database.write() as session:
        session.execute(update(StateVersionRow).values(ciphertext=b"\x01" + b"x" * 40))
    assert "cannot be decrypted" in refused(world, two).reason


def test_what_is_refused_holds_nobody_up_and_is_counted(world: World) -> None:
    one = deployed(world, "one", QUEUE, serial=1)
    two = release(world, "two")
    with world.context.database.write() as session:
        session.execute(delete(ReleaseRow).where(ReleaseRow.digest == one))
    hopeless = world.submit(release_digest=two)
    other = world.submit(release_digest=release(world, "three", rollback=None))
    # The hint names the first; its holder gets the second.
    assert world.claim(hopeless).run.id == other.id
    assert metric(world, "settled_runs_total", status="errored") == 1


def test_the_first_state_of_a_second_try_is_that_of_the_first(world: World) -> None:
    one = deployed(world, "one", QUEUE, serial=1)
    cut = begun(world, release(world, "two"))
    write(world, cut, objects(2, QUEUE, TOPIC))
    runs.cancel(world.context, cut.run.id)
    finish(world, cut, RunStatus.CANCELED)
    again = claimed(world, release(world, "two"))
    first = first_of(world, again.run.id)
    # What the first try made did not exist before.
    assert [one.address for one in first.resources] == [QUEUE]
    assert (first.release_digest, first.run_id, first.epoch) == (one, again.run.id, again.epoch)


def test_unless_something_else_was_at_work_since(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    cut = begun(world, release(world, "two"))
    write(world, cut, objects(2, QUEUE, TOPIC))
    runs.cancel(world.context, cut.run.id)
    finish(world, cut, RunStatus.CANCELED)
    command, _ = world.begin(TARGET, RunKind.EXEC, holder="h")
    finish(world, command, RunStatus.SUCCEEDED)
    first = first_of(world, claimed(world, release(world, "two")).run.id)
    assert [one.address for one in first.resources] == [QUEUE, TOPIC]


def test_a_try_that_never_began_left_nothing_to_count_back_from(world: World) -> None:
    deployed(world, "one", QUEUE, serial=1)
    two = release(world, "two")
    finish(world, claimed(world, two), RunStatus.ERRORED)
    assert waiting(world) == []
    with world.context.database.read() as session:
        assert [row.inherits for row in session.query(FirstStateRow)] == [None, None]
    again = claimed(world, two)
    with world.context.database.read() as session:
        assert session.get_one(FirstStateRow, again.run.id).inherits is None


def test_the_release_that_is_deployed_may_be_unreadable_its_worker_says_so(world: World) -> None:
    two = release(world, "two")
    run = world.submit(release_digest=two)
    with world.context.database.write() as session:
        session.execute(update(ReleaseRow).where(ReleaseRow.digest == two).values(manifest=b"{}"))
    assert world.claim(run).rollback is None


def test_a_lost_deployment_is_no_first_try_of_the_next(world: World) -> None:
    lost = begun(world, release(world, "one"))
    lose(world, lost)
    assert rollback_run(world).retry_of == lost.run.id


@pytest.mark.parametrize(
    ("found", "instead"),
    [
        ('"schema_version": 0', '"schema_version": 0, "index_key": NaN'),
        ('"schema_version": 0', '"schema_version": 0, "index_key": Infinity'),
        ('"url":', f'"{"x" * 300}":'),
    ],
    ids=["a key that is no number", "an endless key", "an output's name that is too long"],
)
def test_a_state_that_cannot_be_recorded_ends_the_run_and_not_every_claim_of_its_region(
    world: World, found: str, instead: str
) -> None:
    run = begun(world, release(world, "one", rollback=None))
    write(world, run, objects(1, QUEUE).replace(found.encode(), instead.encode()))
    finish(world, run, RunStatus.APPLIED)
    assert "cannot be recorded" in refused(world, release(world, "two")).reason
