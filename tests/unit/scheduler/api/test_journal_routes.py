"""Routes: the journal."""

from __future__ import annotations

import pytest

from shared.errors import ApiError
from shared.models import JournalOutcome
from tests.unit.scheduler.api.conftest import AppClient, Clients
from tests.unit.scheduler.support import World

PROXY = {"Authorization": "Bearer proxy-token"}


def test_a_new_intent_is_201_and_a_repeated_one_200(world: World, raw: AppClient) -> None:
    assignment, _ = world.begin()
    intent = world.journal(assignment).model_copy(update={"call_id": "1" * 32}).model_dump(mode="json")
    assert [raw.post("/v1/journal", headers=PROXY, json=intent).status_code for _ in range(2)] == [201, 200]


def test_no_journal_for_an_epoch_that_is_not_live(world: World, client: Clients) -> None:
    assignment, _ = world.begin()
    intent = world.journal(assignment)
    with pytest.raises(ApiError) as refused:
        client("proxy").journal_intent(intent.model_copy(update={"epoch": 2, "call_id": "2" * 32}))
    assert (refused.value.status, refused.value.code) == (409, "lease_lost")


def test_an_outcome_names_the_call_of_its_path(world: World, raw: AppClient) -> None:
    outcome = JournalOutcome(call_id="1" * 32, outcome="unknown").model_dump(mode="json")
    assert raw.post(f"/v1/journal/{'2' * 32}/outcome", headers=PROXY, json=outcome).status_code == 400
    assert raw.post(f"/v1/journal/{'1' * 32}/outcome", headers=PROXY, json=outcome).status_code == 404
