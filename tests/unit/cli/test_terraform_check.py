"""`terraform validate` for targets, with a program in Terraform's place; the real one is in tests/integration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.terraform_check import terraform_findings
from scheduler.configuration.check import Checked
from scheduler.configuration.report import Kind, Severity
from shared.settings import Settings
from tests.unit.scheduler.configuration.fleets import FLOCK, checked

ERROR: dict[str, Any] = {
    "severity": "error",
    "summary": "Unsupported argument",
    "detail": 'An argument named "x" is\nnot expected here.',
    "range": {"filename": "main.tf", "start": {"line": 9, "column": 3}},
}


@pytest.fixture
def fleet(tmp_path: Path) -> Checked:
    return checked(tmp_path / "fleet")


def settings(tmp_path: Path, *, says: str, init: int = 0, plugin_dir: Path | None = None) -> Settings:
    """Settings with a Terraform that notes how it was called and answers `says`."""
    program = tmp_path / "terraform"
    (tmp_path / "says").write_text(says)
    program.write_text(
        "#!/bin/sh\n"
        f'echo "$@" $(ls) >> {tmp_path}/calls\n'
        f'case "$1" in init) echo "no such provider" >&2; exit {init};; validate) cat {tmp_path}/says;; esac\n'
    )
    program.chmod(0o755)
    return Settings(home=tmp_path, terraform=program, plugin_dir=plugin_dir)


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "calls").read_text().splitlines()


def test_each_configuration_is_validated_with_the_targets_overrides(tmp_path: Path, fleet: Checked) -> None:
    found = terraform_findings(fleet, settings(tmp_path, says='{"diagnostics": []}', plugin_dir=tmp_path))
    assert found == []
    # Two folders; in one of them two targets with a provider region each of their own. A folder is initialised once.
    assert [line.split()[0] for line in calls(tmp_path)] == ["init", "validate", "validate", "init", "validate"]
    assert "-backend=false" in calls(tmp_path)[0]
    assert f"-plugin-dir={tmp_path}" in calls(tmp_path)[0]
    assert "interlock_providers_override.tf.json" in calls(tmp_path)[1]
    assert not list((tmp_path / "fleet").rglob(".terraform"))


def test_targets_that_share_files_and_overrides_are_validated_by_one_call(tmp_path: Path) -> None:
    flock = FLOCK.replace('providers:\n  aws: {region: "${region.provider_region}"}\n', "")
    fleet = checked(tmp_path / "fleet", {"flock.yaml": flock})
    found = terraform_findings(fleet, settings(tmp_path, says=json.dumps({"diagnostics": [ERROR]})))
    assert [line.split()[0] for line in calls(tmp_path)] == ["init", "validate"] * 2
    assert [one.targets for one in found] == [("shop.north", "shop.south.blue"), ("shop.south.edge",)]


def test_a_diagnostic_is_a_finding_with_file_and_line(tmp_path: Path, fleet: Checked) -> None:
    found = terraform_findings(fleet, settings(tmp_path, says=json.dumps({"diagnostics": [ERROR]})))
    assert found[0].kind is Kind.TERRAFORM
    assert found[0].severity is Severity.ERROR
    assert str(found[0].origin) == f"{tmp_path}/fleet/tf/main.tf:9"
    assert found[0].hint == 'An argument named "x" is not expected here.'


def test_a_fault_in_our_own_override_is_shown_where_its_values_stand(tmp_path: Path, fleet: Checked) -> None:
    place = {"filename": "interlock_providers_override.tf.json", "start": {"line": 5, "column": 1}}
    warning = {**ERROR, "severity": "warning", "range": place}
    found = terraform_findings(fleet, settings(tmp_path, says=json.dumps({"diagnostics": [warning]})))
    assert str(found[0].origin) == f"{tmp_path}/fleet/flock.yaml:14"
    assert found[0].severity is Severity.WARNING


def test_the_overrides_of_one_target_are_gone_when_the_next_is_validated(tmp_path: Path) -> None:
    flock = FLOCK.replace('providers:\n  aws: {region: "${region.provider_region}"}\n', "")
    flock = flock.replace("  - region: north", "  - region: north\n    providers: {aws: {region: x}}")
    fleet = checked(tmp_path / "fleet", {"flock.yaml": flock})
    terraform_findings(fleet, settings(tmp_path, says='{"diagnostics": []}'))
    seen = ["interlock_providers_override.tf.json" in line for line in calls(tmp_path) if line.startswith("validate")]
    assert seen == [True, False, False]


def test_a_failed_init_and_an_answer_that_is_no_json_are_findings(tmp_path: Path, fleet: Checked) -> None:
    found = terraform_findings(fleet, settings(tmp_path, says="", init=1))
    assert "no such provider" in found[0].message
    assert "INTERLOCK_PLUGIN_DIR" in found[0].hint
    found = terraform_findings(fleet, settings(tmp_path, says="Segmentation fault"))
    assert "Segmentation fault" in found[0].message
