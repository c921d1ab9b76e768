"""Routes: orphans."""

from __future__ import annotations

import pytest

from shared.errors import ApiError
from shared.models import RunKind
from tests.unit.scheduler.api.conftest import Clients
from tests.unit.scheduler.support import World
from tests.unit.scheduler.test_orphans import PLANNED, cut, make_queue


def test_what_a_cut_run_left_is_shown_listed_and_recovered(world: World, client: Clients) -> None:
    admin, worker = client("admin"), client("worker")
    first, _ = world.begin(holder="h")
    worker.deliver_planned(first.run.id, holder="h", planned=PLANNED)
    make_queue(world, first)
    with pytest.raises(ApiError) as early:
        admin.orphans_of(first.run.id)
    assert early.value.code == "not_over"
    cut(world, first)
    report = worker.orphans_of(first.run.id)
    assert [orphan.address for orphan in report.importable] == ["aws_sqs_queue.orders"]
    run = admin.recover(first.run.id, actor="anna")
    assert run.kind is RunKind.RECOVER
    assert [one.run_id for one in admin.orphans()] == [first.run.id]
    assert admin.orphans(target="web.south", everything=True) == []


def test_nobody_else_may(world: World, client: Clients) -> None:
    first, _ = world.begin(holder="h")
    for role, ask in (
        ("worker", lambda one: one.orphans()),
        ("worker", lambda one: one.recover(first.run.id)),
        ("proxy", lambda one: one.orphans_of(first.run.id)),
        ("proxy", lambda one: one.deliver_planned(first.run.id, holder="h", planned=PLANNED)),
    ):
        with pytest.raises(ApiError) as refused:
            ask(client(role))
        assert refused.value.status == 403
