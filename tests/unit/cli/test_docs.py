"""docs/cli.md and docs/operations.md say what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from typer.main import get_command

from cli.main import app
from cli.outcome import exit_code_of
from scheduler.configuration.check import check
from scheduler.configuration.fleet import load_flock
from scheduler.configuration.nodes import plain
from scheduler.metrics import SchedulerMetrics
from shared import exit_codes
from shared.settings import Settings
from signing_proxy.metrics import ProxyMetrics
from worker.metrics import WorkerMetrics

DOCS = Path(__file__).resolve().parents[3] / "docs"
CLI = (DOCS / "cli.md").read_text()
OPERATIONS = (DOCS / "operations.md").read_text()


def settings_rows() -> list[str]:
    """The table of settings as it must stand in the page."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default_factory is not None or field.default is None else shown(field.default)
        rows.append(f"| `INTERLOCK_{name.upper()}` | {default} | {field.description} |")
    return rows


def shown(value: Any) -> str:
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    return f"`{text}`"


def metrics_rows(registries: list[CollectorRegistry]) -> list[str]:
    """The table of metrics as it must stand in the page."""
    rows = ["| metric | type | meaning |", "|---|---|---|"]
    for registry in registries:
        for metric in registry.collect():
            name = f"{metric.name}_total" if metric.type == "counter" else metric.name
            rows.append(f"| `{name}` | {metric.type} | {metric.documentation.rstrip('.')} |")
    return rows


def all_registries() -> list[CollectorRegistry]:
    return [SchedulerMetrics().registry, WorkerMetrics().registry, ProxyMetrics().registry]


@pytest.mark.parametrize("row", settings_rows())
def test_each_setting_is_documented_with_its_default(row: str) -> None:
    assert row in OPERATIONS.splitlines()


def test_no_setting_is_documented_that_does_not_exist() -> None:
    documented = set(re.findall(r"^\| `INTERLOCK_(\w+)`", OPERATIONS, re.MULTILINE))
    assert documented == {name.upper() for name in Settings.model_fields}


def test_each_metric_is_documented_and_no_other() -> None:
    documented = [line for line in OPERATIONS.splitlines() if line.startswith("| `interlock_")]
    assert documented == metrics_rows(all_registries())[2:]
    named = set(re.findall(r"`(interlock_\w+)`", OPERATIONS))
    assert named == {re.match(r"\| `(\w+)`", line).group(1) for line in documented}  # type: ignore[union-attr]  # matched


def test_each_exit_code_is_documented_and_no_other_of_ours() -> None:
    documented = {int(number) for number in re.findall(r"^\| (\d+) \|", CLI, re.MULTILINE)}
    ours = {value for name, value in vars(exit_codes).items() if name.isupper()}
    assert documented == ours
    assert exit_code_of.__doc__ is not None


def documented_commands() -> set[str]:
    """Those that the table names: `` `interlock run ls`, `show` `` names `run`, `run ls` and `run show`."""
    found = set()
    for cell in re.findall(r"^\| (`interlock .*?) \| ", CLI, re.MULTILINE):
        (first, *words), *others = [part.split() for part in re.findall(r"`(?:interlock )?([^`]+)`", cell)]
        found |= {first, " ".join([first, *words[:1]])}
        # Beside a command of one word the others are commands, beside a group's member they are members.
        found |= {f"{first} {other[0]}" if words else other[0] for other in others}
    return found


def test_each_command_is_documented() -> None:
    missing = [
        f"{name} {member}"
        for name, command in get_command(app).commands.items()  # type: ignore[attr-defined]  # it is a group
        for member, one in (command.commands if hasattr(command, "commands") else {"": command}).items()
        if not one.hidden and f"{name} {member}".strip() not in documented_commands()
    ]
    assert missing == []


def test_the_example_flock_file_is_one(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(.*?)```", CLI, re.DOTALL)
    assert example is not None
    (tmp_path / "terraform").mkdir()
    (tmp_path / "terraform" / "main.tf").write_text('variable "retention_days" {\n  type = number\n}\n')
    path = tmp_path / "flock.yaml"
    path.write_text(example.group(1))
    checked = check(load_flock(path))
    assert checked.report.findings == ()
    assert [target.id for target in checked.targets] == ["shop.eu-west-1", "shop.eu-west-1.blue"]
    assert [plain(target.variables) for target in checked.targets] == [{"retention_days": 7}, {"retention_days": 30}]
