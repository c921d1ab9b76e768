"""Who approves, by name."""

from __future__ import annotations

import pytest

from scheduler import persons
from shared.errors import ApiError


@pytest.mark.parametrize("nobody", ["", " ", "\t\n "])
def test_an_approval_by_nobody_is_refused(nobody: str) -> None:
    with pytest.raises(ApiError) as refused:
        persons.named(nobody)
    assert (refused.value.status, refused.value.code) == (400, "invalid")


def test_what_surrounds_a_name_is_no_part_of_it_and_neither_is_its_case() -> None:
    assert persons.named(" Anna  B@host\n") == "Anna B@host"
    assert persons.key(" ANNA@host") == persons.key("anna@Host ")
    assert persons.key("anna") != persons.key("bert")
