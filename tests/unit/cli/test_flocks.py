"""`interlock flock`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_register_publishes_a_release_and_makes_it_its_targets_own(
    interlock: Callable[..., Any], fake_api: Any, flock_file: Path
) -> None:
    said = interlock("flock", "register", str(flock_file))
    assert said.code == 0, said.err
    (digest,) = fake_api.published
    assert fake_api.asked == [("publish", digest), ("put_flock", "shop", digest)]
    assert "shop.eu-west-1.blue" in said.out


def test_registering_again_names_the_same_release(
    interlock: Callable[..., Any], fake_api: Any, flock_file: Path
) -> None:
    interlock("flock", "register", str(flock_file))
    (digest,) = fake_api.published
    fake_api.asked.clear()
    interlock("flock", "register", str(flock_file))
    assert fake_api.asked == [("publish", digest), ("put_flock", "shop", digest)]
    assert list(fake_api.published) == [digest], "what the scheduler lost of it would be put right; nothing new is made"


def test_with_json_the_targets_are_one_document(interlock: Callable[..., Any], fake_api: Any, flock_file: Path) -> None:
    said = interlock("flock", "register", str(flock_file), "--json")
    assert [one["id"] for one in json.loads(said.out)] == ["shop.eu-west-1.blue", "shop.local"]


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
    assert "in Interlock, where the lease fences it, and in no other backend" in said.err
    assert fake_api.asked == []


def test_ls_says_what_to_do_when_there_is_nothing(interlock: Callable[..., Any], fake_api: Any) -> None:
    said = interlock("flock", "ls")
    assert (said.code, said.out) == (0, "")
    assert "interlock flock register" in said.err
    assert interlock("flock", "ls", "--json").out == "[]\n"
