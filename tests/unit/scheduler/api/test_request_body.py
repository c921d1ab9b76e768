"""What the bodies of requests have in common."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from scheduler.api.request_body import Actor, Holder, RequestBody


class Delivery(RequestBody):
    holder: Holder
    actor: Actor


def test_whoever_asks_need_not_say_so_but_a_holder_does() -> None:
    assert Delivery.model_validate({"holder": "h"}).actor == ""
    with pytest.raises(ValidationError):
        Delivery.model_validate({"actor": "anna"})


@pytest.mark.parametrize(
    "values",
    [{"holder": ""}, {"holder": "h" * 129}, {"holder": "h", "actor": "a" * 257}, {"holder": "h", "acter": "x"}],
)
def test_what_is_too_long_missing_or_unknown_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Delivery.model_validate(values)
