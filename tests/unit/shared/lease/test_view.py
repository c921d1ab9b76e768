"""What a look at a target says about it."""

from __future__ import annotations

import pytest

from shared.lease.machine import State
from shared.lease.view import Attachment, LeaseView


def record(boot: str = "b", *, acknowledged: bool = False, in_flight: int = 0) -> Attachment:
    return Attachment(proxy_id="p", boot_id=boot, incarnation="i", acknowledged=acknowledged, in_flight=in_flight)


def view(**fields: object) -> LeaseView:
    return LeaseView.model_validate({"target": "web.eu", "incarnation": "i", "cleared": True, "state": "held"} | fields)


def test_an_absent_state_is_embargoed_not_free() -> None:
    assert view(state=None).embargoed


def test_an_incarnation_that_was_not_cleared_is_embargoed() -> None:
    assert view(cleared=False, state="free").embargoed
    assert not view(state="free").embargoed


@pytest.mark.parametrize(
    ("sentence", "count", "records", "clear"),
    [
        ("nobody ever attached", 0, (), True),
        ("one boot has acknowledged", 1, (record(acknowledged=True),), True),
        ("one boot has not acknowledged", 1, (record(),), False),
        ("one boot acknowledged with a call in flight", 1, (record(acknowledged=True, in_flight=1),), False),
        ("one of two has not acknowledged", 2, (record(acknowledged=True), record("c")), False),
        ("a record has vanished", 1, (), False),
        ("one of two records has vanished", 2, (record(acknowledged=True),), False),
    ],
)
def test_all_is_clear_only_when_every_boot_said_so(
    sentence: str, count: int, records: tuple[Attachment, ...], clear: bool
) -> None:
    assert view(attach_count=count, attachments=records).all_clear is clear, sentence


def test_a_boot_finds_only_its_own_record() -> None:
    seen = view(attachments=(record("b"),))
    assert seen.attachment("p", "b") == record("b")
    assert seen.attachment("p", "c") is None
    assert seen.attachment("q", "b") is None


def test_the_epoch_of_the_lease_is_in_its_id() -> None:
    assert view(lease_id="12-ab", epoch=20).lease_epoch == 12
    assert view(lease_id="").lease_epoch == 0


def test_it_survives_the_api() -> None:
    seen = view(attachments=(record("b"),), attach_count=1)
    assert LeaseView.model_validate_json(seen.model_dump_json()) == seen
    assert seen.state is State.HELD
