"""docs/drift.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from scheduler.drift import letting_go, outcome, queueing, rules, schedule, telling, transitions
from scheduler.ticks import SCHEDULES
from shared.drift.report import Cause, ResourceStatus, RollUp
from shared.drift.settings import DriftSettings, RemediationMode
from shared.settings import Settings

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "drift.md").read_text()
TEXT = " ".join(PAGE.split())


def test_the_section_of_a_flock_is_one() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    settings = DriftSettings.model_validate(yaml.safe_load(block)["drift"])
    assert (settings.every_s, settings.confirm, len(settings.ignore)) == (3600, True, 1)
    assert settings.remediation.mode is RemediationMode.PLAN
    assert DriftSettings().confirm
    assert DriftSettings().remediation.mode is RemediationMode.REPORT


def test_its_tables_have_every_status_cause_and_mode_and_its_text_every_standing() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert rows == {*ResourceStatus, *Cause, *RemediationMode}
    assert {roll_up for roll_up in RollUp if f"`{roll_up}`" not in PAGE} == set()


def test_its_numbers_are_those_of_the_code() -> None:
    for number, words in (
        (schedule.JITTER, "give or take a tenth"),
        (schedule.RETRY_S / 60, "due again: after a minute"),
        (Settings.model_fields["drift_checks"].default, "At most `INTERLOCK_DRIFT_CHECKS` (10)"),
        (transitions.MAX_REPEATS, "are repeated three times"),
        (transitions.SETTLE_S / 60, "has stood for a minute"),
        (transitions.SETTLE_FACTOR, "four times as long"),
        (transitions.MAX_SETTLE_S / 3600, "six hours at most"),
        (transitions.CALM_S / 86_400, "without a quiet day in between"),
        (telling.INTERVAL_S / 900, "waits for a quarter of an hour"),
        (outcome.MAX_REMEDIES + 1, "From the fourth change on"),
        (letting_go.KEPT, "The five newest reports"),
        (rules.UNUSED_S / 86_400, "forgotten 90 days after"),
    ):
        assert words in TEXT, (number, words)
    assert (schedule.JITTER, schedule.RETRY_S, transitions.MAX_REPEATS, transitions.SETTLE_S) == (0.1, 60, 3, 60)
    assert (transitions.SETTLE_FACTOR, transitions.MAX_SETTLE_S, transitions.CALM_S) == (4, 6 * 3600, 86_400)
    assert (telling.INTERVAL_S, outcome.MAX_REMEDIES, letting_go.KEPT) == (900, 3, 5)
    assert rules.UNUSED_S == 90 * 86_400
    assert Settings.model_fields["drift_checks"].default == 10


def test_what_it_promises_is_done_by_ticks() -> None:
    drift = {schedule.work for schedule in SCHEDULES if schedule.name.startswith("drift_")}
    assert {queueing.queue_due, queueing.schedule, telling.tell} <= drift
    assert len(drift) == 5
