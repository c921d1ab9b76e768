"""`interlock flock`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.unit.scheduler.configuration.fleets import write


def test_register_uploads_the_directory_and_declares_each_target(
    interlock: Callable[..., Any], fake_api: Any, flock_file: Path
) -> None:
    said = interlock("flock", "register", str(flock_file))
    assert said.code == 0, said.err
    assert [asked[0] for asked in fake_api.asked] == ["upload", "put_flock"]
    declared = {one.id: one for one in fake_api.asked[1][3]}
    assert set(declared) == {"shop.local", "shop.eu-west-1.blue"}
    assert declared["shop.local"].variables == {"size": 1, "tier": "a"}
    assert declared["shop.local"].provider_region == "local"
    assert declared["shop.eu-west-1.blue"].variables == {"size": 2, "tier": "a"}
    assert declared["shop.eu-west-1.blue"].provider_region == "eu-west-3"
    assert "shop.eu-west-1.blue" in said.out


def test_with_json_the_targets_are_one_document(interlock: Callable[..., Any], fake_api: Any, flock_file: Path) -> None:
    said = interlock("flock", "register", str(flock_file), "--json")
    assert [one["id"] for one in json.loads(said.out)] == ["shop.local", "shop.eu-west-1.blue"]


def test_a_directory_without_terraform_files_is_refused_before_anything_is_sent(
    interlock: Callable[..., Any], fake_api: Any, flock_file: Path
) -> None:
    (flock_file.parent / "tf" / "main.tf").unlink()
    said = interlock("flock", "register", str(flock_file))
    assert said.code == 64
    assert "holds no Terraform files" in said.err
    assert fake_api.asked == []


def test_a_file_with_an_unknown_key_is_refused_by_name(
    interlock: Callable[..., Any], fake_api: Any, flock_file: Path
) -> None:
    flock_file.write_text(flock_file.read_text() + "colour: red\n")
    said = interlock("flock", "register", str(flock_file))
    assert said.code == 64
    assert "flock.yaml" in said.err
    assert "colour" in said.err
    assert fake_api.asked == []


def test_targets_with_other_files_get_a_bundle_of_their_own(
    interlock: Callable[..., Any], fake_api: Any, tmp_path: Path
) -> None:
    said = interlock("flock", "register", str(write(tmp_path / "fleet")))
    assert said.code == 0, said.err
    # Two configurations, and a provider region for each of the two targets of one of them.
    assert [asked[0] for asked in fake_api.asked] == ["upload", "upload", "upload", "put_flock"]
    assert all(one.bundle_digest is not None for one in fake_api.asked[3][3])


def test_a_value_that_is_not_declared_is_refused_before_anything_is_sent(
    interlock: Callable[..., Any], fake_api: Any, flock_file: Path
) -> None:
    flock_file.write_text(flock_file.read_text().replace("tier: a", "teir: a"))
    said = interlock("flock", "register", str(flock_file))
    assert said.code == 64
    assert "did you mean 'tier'?" in said.err
    assert fake_api.asked == []


def test_a_backend_that_runs_would_not_use_is_refused(
    interlock: Callable[..., Any], fake_api: Any, flock_file: Path
) -> None:
    flock_file.write_text(flock_file.read_text() + 'backend: {s3: {bucket: b, key: "${target.id}"}}\n')
    said = interlock("flock", "register", str(flock_file))
    assert said.code == 64
    assert "in Interlock, not in another backend" in said.err
    assert fake_api.asked == []


def test_ls_says_what_to_do_when_there_is_nothing(interlock: Callable[..., Any], fake_api: Any) -> None:
    said = interlock("flock", "ls")
    assert (said.code, said.out) == (0, "")
    assert "interlock flock register" in said.err
    assert interlock("flock", "ls", "--json").out == "[]\n"
