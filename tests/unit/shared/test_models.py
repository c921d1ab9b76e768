"""Records: ids, bounds, and flock files with mistakes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.errors import ConfigurationError
from shared.models import JournalIntent, Run, RunStatus, load_flock, target_id

FLOCK = """
name: web
configuration: ./tf
variables: {size: 1, colour: red}
targets:
  - {region: eu-west-1}
  - {region: eu-west-1, name: blue, provider_region: eu-central-1, variables: {size: 2}}
"""

RUN: dict[str, Any] = {
    "id": "run-0123456789abcdef",
    "target": "web.eu",
    "region": "eu",
    "kind": "apply",
    "status": "pending",
    "created_at": datetime(2026, 1, 1, tzinfo=UTC),
}

INTENT: dict[str, Any] = {
    "run_id": "run-0123456789abcdef",
    "target": "web.eu",
    "epoch": 1,
    "call_id": "a" * 32,
    "service": "s3",
    "operation": "CreateBucket",
    "access": "write",
    "host": "s3.amazonaws.com",
    "method": "PUT",
    "path": "/",
    "region": "eu-west-1",
    "at_wall": datetime(2026, 1, 1, tzinfo=UTC),
}


def flock(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "flock.yaml"
    path.write_text(text)
    return path


class TestFlock:
    def test_a_flock_file_names_its_targets(self, tmp_path: Path) -> None:
        spec = load_flock(flock(tmp_path, FLOCK))
        assert [spec.target_id(target) for target in spec.targets] == ["web.eu-west-1", "web.eu-west-1.blue"]

    def test_a_targets_variables_win(self, tmp_path: Path) -> None:
        spec = load_flock(flock(tmp_path, FLOCK))
        assert spec.target_variables(spec.targets[1]) == {"size": 2, "colour": "red"}

    @pytest.mark.parametrize(
        ("sentence", "text", "message"),
        [
            ("no YAML", "a: [", "not valid YAML"),
            ("no mapping", "- a", "must be a mapping"),
            ("empty", "", "must be a mapping"),
            ("an unknown key", FLOCK + "colour: red", "colour: Extra inputs"),
            ("no targets", "name: web\nconfiguration: .\ntargets: []", "targets"),
            ("a name with capitals", FLOCK.replace("web", "Web"), "name: String should match"),
            ("a target twice", FLOCK + "  - {region: eu-west-1}", "web.eu-west-1 is listed twice"),
            ("code in YAML", "!!python/object:os.system {}", "not valid YAML"),
        ],
    )
    def test_a_mistake_is_named_with_the_file(self, tmp_path: Path, sentence: str, text: str, message: str) -> None:
        path = flock(tmp_path, text)
        with pytest.raises(ConfigurationError, match=message) as caught:
            load_flock(path)
        assert str(caught.value).startswith(f"{path}: "), sentence

    def test_a_file_that_is_not_there_is_said_clearly(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
            load_flock(tmp_path / "none.yaml")

    def test_a_file_without_end_is_not_read(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="larger than 1 MiB"):
            load_flock(flock(tmp_path, "#" * 1024 * 1025))


@pytest.mark.parametrize("parts", [("web", "EU"), ("", "eu"), ("a" * 64, "eu"), ("web", "eu", "a.b"), ("web", "eu\n")])
def test_what_makes_no_target_id_is_refused(parts: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match="not a valid target id"):
        target_id(*parts)


def test_the_statuses_that_end_a_run() -> None:
    assert [status for status in RunStatus if not status.terminal] == [
        RunStatus.PENDING, RunStatus.CLAIMED, RunStatus.PLANNING, RunStatus.APPLYING, RunStatus.SETTLING,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "change"),
    [
        ("a naive time", {"created_at": datetime(2026, 1, 1)}),  # noqa: DTZ001 - that is the point
        ("a run id of another form", {"id": "run-1"}),
        ("a target that is none", {"target": "web"}),
        ("an unknown field", {"surprise": 1}),
        ("an unknown status", {"status": "asleep"}),
    ],
)
def test_a_run_is_refused_with(sentence: str, change: dict[str, object]) -> None:
    assert Run.model_validate(RUN).status is RunStatus.PENDING
    with pytest.raises(ValidationError):
        Run.model_validate(RUN | change)


@pytest.mark.parametrize(
    ("sentence", "change"),
    [
        ("a path without end", {"path": "/" * 2049}),
        ("too many identifiers", {"resource": {str(number): "x" for number in range(21)}}),
        ("an access that is neither", {"access": "maybe"}),
        ("a call id of another form", {"call_id": "1"}),
        ("epoch zero", {"epoch": 0}),
    ],
)
def test_a_journal_entry_is_refused_with(sentence: str, change: dict[str, object]) -> None:
    assert JournalIntent.model_validate(INTENT).service == "s3"
    with pytest.raises(ValidationError):
        JournalIntent.model_validate(INTENT | change)


def test_records_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Run.model_validate(RUN).status = RunStatus.LOST  # type: ignore[misc]
