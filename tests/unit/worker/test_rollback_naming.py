"""What a rollback names of what it could not settle or store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.rollback.records import ResidueKind, RollbackState
from tests.unit.shared.safety.support import change, document
from tests.unit.worker.rollbacks import EMPTY, World
from tests.unit.worker.support import record

LOGS = document(change("aws_s3_bucket_logging.x", "create", change_after={"bucket": "b"}), complete=True)


@pytest.mark.parametrize(
    ("plans", "codes"),
    [
        ((LOGS, EMPTY), {}),
        ((EMPTY,), {"plan": [1, 0]}),
        ((EMPTY,), {"init": [1, 0]}),
    ],
    ids=["it cannot be imported", "it does not plan", "it cannot be prepared"],
)
def test_what_the_configuration_that_was_deployed_did_not_settle_the_first_one_does_not_forget(
    tmp_path: Path, plans: tuple[dict[str, Any], ...], codes: dict[str, list[int]]
) -> None:
    world = World(tmp_path, *plans, rollback_only=True)
    cut = record("s3", "PutBucketLogging", {"Bucket": "b"}, {}).model_copy(update={"run_id": "run-aaaaaaaaaaaaaaaa"})
    world.api.creates = (cut,)
    world.commands.codes.update(codes)
    result = world.carry_out(prepared="init" not in codes)
    assert (result.state, [one.kind for one in result.residue]) == (RollbackState.PARTIAL, [ResidueKind.LEFT])


def test_a_group_that_may_be_open_and_cannot_be_stored_is_told(tmp_path: Path) -> None:
    world = World(tmp_path, document(complete=True, resource_drift=[change("aws_security_group.g", "update")]))
    world.commands.codes["apply"] = [1]
    assert [one.kind for one in world.carry_out().residue] == [ResidueKind.UNKNOWN]
