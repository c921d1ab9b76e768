"""The archive of a configuration directory."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from cli import bundle
from cli.bundle import build_bundle
from shared.errors import ConfigurationError


def entries(packed: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        return {entry.name: entry for entry in archive.getmembers()}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    root = tmp_path / "tf"
    (root / "modules" / "net").mkdir(parents=True)
    (root / "main.tf").write_text("# main\n")
    (root / "modules" / "net" / "net.tf").write_text("# net\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o750)
    return root


def test_the_same_files_give_the_same_bytes_whenever_and_by_whomever_they_were_written(directory: Path) -> None:
    first = build_bundle(directory)
    for path in directory.rglob("*"):
        os.utime(path, (1, 1))
    (directory / "main.tf").chmod(0o600)
    assert build_bundle(directory) == first


def test_a_changed_file_gives_other_bytes(directory: Path) -> None:
    first = build_bundle(directory)
    (directory / "main.tf").write_text("# other\n")
    assert build_bundle(directory) != first


def test_paths_are_relative_sorted_and_carry_only_the_execute_bit(directory: Path) -> None:
    found = entries(build_bundle(directory))
    assert list(found) == ["main.tf", "modules/net/net.tf", "run.sh"]
    assert found["run.sh"].mode == 0o755
    assert found["main.tf"].mode == 0o644
    assert found["main.tf"].uid == found["main.tf"].gid == found["main.tf"].mtime == 0


def test_state_and_plugins_stay_at_home_but_the_lock_file_goes_along(directory: Path) -> None:
    (directory / ".terraform").mkdir()
    (directory / ".terraform" / "big").write_text("x")
    for name in ("terraform.tfstate", "terraform.tfstate.backup", "errored.tfstate", "x.tfplan"):
        (directory / name).write_text("secret")
    (directory / ".terraform.lock.hcl").write_text("# lock\n")
    assert set(entries(build_bundle(directory))) == {".terraform.lock.hcl", "main.tf", "modules/net/net.tf", "run.sh"}


def test_a_file_of_ours_is_laid_beside_the_generic_ones(directory: Path) -> None:
    found = build_bundle(directory, extra={"interlock_providers_override.tf.json": "{}"})
    assert set(entries(found)) == {*entries(build_bundle(directory)), "interlock_providers_override.tf.json"}
    assert not (directory / "interlock_providers_override.tf.json").exists()


def test_a_directory_without_terraform_files_is_refused_even_when_a_subdirectory_has_some(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "main.tf").write_text("")
    with pytest.raises(ConfigurationError, match="holds no Terraform files") as caught:
        build_bundle(tmp_path)
    assert "configuration" in caught.value.hint


def test_a_missing_directory_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere does not exist"):
        build_bundle(tmp_path / "nowhere")


@pytest.mark.parametrize("pointed_to", ["file", "directory"])
def test_a_link_out_of_the_directory_is_refused(directory: Path, tmp_path: Path, pointed_to: str) -> None:
    outside = tmp_path / "outside"
    if pointed_to == "file":
        outside.write_text("secret")
    else:
        outside.mkdir()
    (directory / "link").symlink_to(outside)
    with pytest.raises(ConfigurationError, match="links to"):
        build_bundle(directory)


def test_a_link_to_a_file_inside_is_packed_as_that_file(directory: Path) -> None:
    (directory / "copy.tf").symlink_to("main.tf")
    assert entries(build_bundle(directory))["copy.tf"].isreg()


def test_a_directory_over_the_bound_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MAX_CONTENT_BYTES", 10)
    with pytest.raises(ConfigurationError, match="holds more than"):
        build_bundle(directory)
    monkeypatch.undo()
    monkeypatch.setattr(bundle, "MAX_BUNDLE_BYTES", 10)
    with pytest.raises(ConfigurationError, match="packs to more than"):
        build_bundle(directory)
