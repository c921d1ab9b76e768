"""Plan files between two runs."""

from __future__ import annotations

import hashlib
from typing import Any, cast

import pytest

from shared.api_client import ApiClient
from shared.errors import PeerError
from shared.models import Assignment, RunKind, SavedPlan
from tests.unit.worker.support import HOLDER, RUN, assignment
from worker import saved_plans

PLAN = b"a plan"
DIGEST = f"sha256:{hashlib.sha256(PLAN).hexdigest()}"
PLANNER = "run-" + "1" * 16


class Api:
    """Keeps one plan."""

    def __init__(self, content: bytes = PLAN, digest: str = DIGEST) -> None:
        self.content, self.digest = content, digest
        self.asked: list[tuple[Any, ...]] = []

    def plan_to_apply(self, run_id: str, *, holder: str) -> bytes:
        self.asked.append((run_id, holder))
        return self.content

    def store_plan(self, run_id: str, *, holder: str, content: bytes, changes: bool) -> SavedPlan:
        self.asked.append((run_id, holder, content, changes))
        return SavedPlan(run_id=run_id, digest=self.digest)


def client(api: Api) -> ApiClient:
    return cast("ApiClient", api)


def apply_of(digest: str) -> Assignment:
    return assignment().model_copy(update={"plan": SavedPlan(run_id=PLANNER, digest=digest)})


def test_the_approved_plan_is_fetched_under_the_lease() -> None:
    api = Api()
    assert saved_plans.fetch(client(api), apply_of(DIGEST)) == PLAN
    assert api.asked == [(RUN, HOLDER)]


def test_bytes_that_are_not_the_approved_ones_are_refused() -> None:
    with pytest.raises(PeerError, match="instead of") as refused:
        saved_plans.fetch(client(Api(b"another plan")), apply_of(DIGEST))
    assert "nothing was applied" in refused.value.hint


def test_a_run_that_makes_its_own_plan_fetches_none() -> None:
    api = Api()
    assert saved_plans.fetch(client(api), assignment()) is None
    assert api.asked == []


def test_a_plan_that_is_applied_later_is_delivered_and_noted() -> None:
    api, notes = Api(), list[str]()
    keep = saved_plans.keeper(
        client(api), assignment(kind=RunKind.PLAN).model_copy(update={"keep_plan": True}), notes.append
    )
    assert keep is not None
    keep(PLAN, False)
    assert api.asked == [(RUN, HOLDER, PLAN, False)]
    assert notes == [f"plan {DIGEST} is kept; it changes nothing"]


def test_a_plan_that_was_stored_as_another_one_is_no_plan() -> None:
    keep = saved_plans.keeper(
        client(Api(digest="sha256:" + "0" * 64)),
        assignment(kind=RunKind.PLAN).model_copy(update={"keep_plan": True}),
        lambda _: None,
    )
    assert keep is not None
    with pytest.raises(PeerError, match="was stored as"):
        keep(PLAN, True)


def test_other_plans_are_not_delivered() -> None:
    assert saved_plans.keeper(client(Api()), assignment(kind=RunKind.PLAN), lambda _: None) is None
