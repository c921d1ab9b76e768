"""The `drift` section of a flock."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from shared.drift.settings import MAX_EVERY_S, DriftSettings, RemediationMode


def test_without_anything_drift_is_looked_for_on_demand_confirmed_and_only_reported() -> None:
    settings = DriftSettings()
    assert (settings.every_s, settings.confirm, settings.ignore) == (None, True, ())
    assert settings.remediation.mode is RemediationMode.REPORT


def test_it_is_read_from_what_a_file_holds_and_from_a_manifest() -> None:
    rule = {"address": "aws_instance.*", "attribute": "tags", "expires": "2026-12-31", "reason": "a migration"}
    content = {"every_s": 3600, "ignore": [rule], "remediation": {"mode": "plan"}, "confirm": False}
    settings = DriftSettings.model_validate(content)
    assert settings.ignore[0].expires == date(2026, 12, 31)
    assert settings.remediation.mode is RemediationMode.PLAN
    assert DriftSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    "content",
    [
        {"every_s": 59},
        {"every_s": MAX_EVERY_S + 1},
        {"every_s": "3600"},
        {"every": 3600},
        {"remediation": {"mode": "destroy"}},
        {"confirm": "yes"},
        {"ignore": [{"address": "*", "reason": "no end"}]},
    ],
)
def test_what_is_not_meant_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DriftSettings.model_validate(content)
