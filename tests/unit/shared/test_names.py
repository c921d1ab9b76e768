"""Names that records carry."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.names import Digest, Label, RunId, TargetId


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Label, "shop-2", "Shop"),
        (TargetId, "shop.north.a", "shop"),
        (RunId, "run-0123456789abcdef", "run-0123"),
        (Digest, f"sha256:{'0' * 64}", "0" * 64),
    ],
)
def test_a_name_is_taken_and_what_is_none_is_refused(kind: Any, good: str, bad: str) -> None:
    names = TypeAdapter(kind)
    assert names.validate_python(good) == good
    with pytest.raises(ValidationError):
        names.validate_python(bad)
