"""What a check found."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from cli.findings import Finding, fail, ok, warn


def test_each_kind_of_finding_has_its_status_and_only_bad_ones_need_mending() -> None:
    assert ok("a", "fine") == Finding(name="a", status="ok", what="fine", mend="")
    assert warn("a", "meh", mend="do").status == "warn"
    assert fail("a", "bad", mend="do").status == "fail"


def test_a_status_that_no_script_knows_is_refused() -> None:
    with pytest.raises(ValidationError):
        Finding(name="a", status="bad", what="w")
