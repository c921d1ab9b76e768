"""Which files belong to a configuration, and their digest."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.configuration import generic_files as module
from scheduler.configuration.generic_files import digest_of, generic_files
from shared.errors import ConfigurationError


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in generic_files(folder)]


def test_working_files_of_terraform_do_not_belong(tmp_path: Path) -> None:
    for name in (
        "main.tf",
        "b/x.txt",
        ".terraform/p",
        ".terraform.lock.hcl",
        "a.tfstate",
        "errored.tfstate",
        "p.tfplan",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert names(tmp_path) == [".terraform.lock.hcl", "b/x.txt", "main.tf"]


def test_a_link_inside_belongs_and_one_outside_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "tf"
    inside.mkdir()
    (inside / "main.tf").write_text("")
    (inside / "alias.tf").symlink_to("main.tf")
    assert names(inside) == ["alias.tf", "main.tf"]
    (inside / "out.tf").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="links to"):
        names(inside)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILES", 2)
    for name in "abc":
        (tmp_path / name).write_text("")
    with pytest.raises(ConfigurationError, match="more than 2 files"):
        names(tmp_path)


def test_the_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a.tf").write_text("x")
    first, each = digest_of(tmp_path)
    assert set(each) == {"a.tf"}
    (tmp_path / "a.tf").rename(tmp_path / "b.tf")
    renamed, _ = digest_of(tmp_path)
    (tmp_path / "b.tf").write_text("y")
    assert len({first, renamed, digest_of(tmp_path)[0]}) == 3


def test_a_link_to_nothing_and_a_file_that_no_release_takes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tf").symlink_to("none")
    with pytest.raises(ConfigurationError, match="does not exist"):
        list(generic_files(tmp_path))
    (tmp_path / "a.tf").unlink()
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(64 * 1024**2 + 1)
    with pytest.raises(ConfigurationError, match="larger than 64 MiB"):
        list(generic_files(tmp_path))
