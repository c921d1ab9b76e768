"""Uploaded files are on disk while they are looked at, and nowhere else."""

from __future__ import annotations

import pytest

from scheduler.configuration.uploads import unpacked
from shared.errors import ConfigurationError


def test_files_are_there_and_then_gone() -> None:
    with unpacked({"a/b.tf": "é", "c": ""}) as root:
        assert (root / "a/b.tf").read_text() == "é"
    assert not root.exists()


@pytest.mark.parametrize(
    "files", [{"../x": ""}, {"/etc/x": ""}, {"a": "", "a/b": ""}, {"a/b": "", "a": ""}, {"a": "\ud800"}]
)
def test_what_cannot_be_put_side_by_side_is_refused(files: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError), unpacked(files):
        pass
