"""Test-only builds replace what is there, or nothing at all is proven."""

from __future__ import annotations

import pytest

from tests.chaos.builds import replace


class Part:
    def rule(self) -> bool:
        return True


def test_a_rule_is_replaced() -> None:
    replace(Part, "rule", lambda _self: False)
    assert Part().rule() is False


def test_a_rule_that_was_renamed_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no rule called gone"):
        replace(Part, "gone", lambda _self: False)
