"""From a flock on disk to a release: the same everywhere, and everything in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from cli import release_build
from cli.release_build import BuiltRelease, build_release
from scheduler.configuration.check import check
from scheduler.configuration.fleet import load_flock
from shared.errors import ConfigurationError
from shared.release_manifest import LOCK_FILE, ONLY_PHASE, digest_of
from shared.settings import Settings
from tests.unit.scheduler.configuration.fleets import FILES, write

LOCK = b"# locked\n"
LOCKED: Mapping[str, str | bytes] = {**FILES, f"tf/{LOCK_FILE}": LOCK, f"edge/{LOCK_FILE}": LOCK}
IMAGE = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"


def built(folder: Path, files: Mapping[str, str | bytes] = LOCKED, **digests: str) -> BuiltRelease:
    flock = replace(load_flock(write(folder, files)), artifact_digests=digests)
    checked = check(flock)
    assert checked.report.errors == ()
    return build_release(checked, Settings(home=folder / "home"), note=lambda _: None)


def flock_file(*changes: tuple[str, str]) -> dict[str, str | bytes]:
    text = str(FILES["flock.yaml"])
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return {**LOCKED, "flock.yaml": text}


def test_two_folders_two_umasks_and_other_times_give_the_same_release(tmp_path: Path) -> None:
    first = built(tmp_path / "one")
    before = os.umask(0o077)
    try:
        second = built(tmp_path / "deep" / "two", dict(reversed(LOCKED.items())))
    finally:
        os.umask(before)
    for path in (tmp_path / "one").rglob("*"):
        os.utime(path, (0, 0))
    assert first.manifest.digest == second.manifest.digest == built(tmp_path / "one").manifest.digest


def test_it_holds_what_each_target_is_deployed_with(tmp_path: Path) -> None:
    release = built(tmp_path).manifest
    assert set(release.targets) == {"shop.north", "shop.south.blue", "shop.south.edge"}
    blue = release.targets["shop.south.blue"]
    assert (blue.region, blue.provider_region, blue.phase, blue.configuration) == ("south", "eu-south-1", "rest", "tf")
    assert set(release.files_of("shop.south.blue")) == {
        LOCK_FILE,
        "main.tf",
        "variables.tf",
        "interlock.auto.tfvars.json",
        "interlock_backend_override.tf.json",
        "interlock_providers_override.tf.json",
    }
    assert release.artifacts["image"].digest == IMAGE
    assert [(phase.name, phase.after, phase.targets) for phase in release.phases] == [
        ("canary", (), ("shop.north",)),
        ("rest", ("canary",), ("shop.south.blue", "shop.south.edge")),
    ]


def test_an_edit_reaches_the_targets_that_have_the_file_and_no_other(tmp_path: Path) -> None:
    before = built(tmp_path / "a").manifest.targets
    after = built(tmp_path / "b", {**LOCKED, "edge/main.tf": f"{FILES['edge/main.tf']}\n# more\n"}).manifest.targets
    assert [name for name in before if before[name] != after[name]] == ["shop.south.edge"]


def test_the_executable_bit_belongs_to_a_file(tmp_path: Path) -> None:
    plain = built(tmp_path, {**LOCKED, "tf/run.sh": b"#!/bin/sh\n"}).manifest
    (tmp_path / "tf" / "run.sh").chmod(0o755)
    executable = built(tmp_path).manifest
    assert [one.configurations["tf"]["run.sh"].executable for one in (plain, executable)] == [False, True]


def test_a_moved_tag_changes_what_is_published_next_and_nothing_before(tmp_path: Path) -> None:
    files = flock_file((f"    digest: {IMAGE}\n", '    version: "4.2"\n'))
    old, new = (built(tmp_path, files, image=digest_of(content)) for content in (b"old", b"new"))
    assert old.manifest.artifacts["image"].digest == digest_of(b"old")
    values = old.manifest.targets["shop.north"].files["interlock.auto.tfvars.json"].digest
    assert digest_of(b"old") in old.blobs[values].decode()
    assert old.manifest.digest != new.manifest.digest


def test_versions_of_terraform_are_pinned_as_the_flock_says(tmp_path: Path) -> None:
    assert built(tmp_path / "a").manifest.terraform is None
    pinned = flock_file(("configuration: tf\n", 'configuration: tf\nterraform: "~> 1.9"\n'))
    assert built(tmp_path / "b", pinned).manifest.terraform == "~> 1.9"


def test_the_flocks_safety_rules_are_part_of_it(tmp_path: Path) -> None:
    assert built(tmp_path / "a").manifest.safety is None
    text = "configuration: tf\nsafety:\n  auto:\n  - {operations: [create], types: [aws_*]}\n"
    ruled = built(tmp_path / "b", flock_file(("configuration: tf\n", text))).manifest.safety
    assert ruled is not None
    assert [rule.types for rule in ruled.auto] == [("aws_*",)]


def test_without_phases_all_targets_go_at_once(tmp_path: Path) -> None:
    bare = flock_file(
        ("phases:\n  - name: canary\n  - name: rest\n", ""), ("    phase: canary\n", ""), ("    phase: rest\n", "")
    )
    (phase,) = built(tmp_path, bare).manifest.phases
    assert (phase.name, phase.max_concurrent, len(phase.targets)) == (ONLY_PHASE, 3, 3)


def test_a_missing_lock_file_is_made_and_said_and_the_folder_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release_build, "make_lock", lambda files, shown_as, settings: b"# made\n")
    said: list[str] = []
    checked = check(load_flock(write(tmp_path, FILES)))
    release = build_release(checked, Settings(home=tmp_path / "home"), note=said.append)
    assert release.manifest.configurations["tf"][LOCK_FILE].digest == digest_of(b"# made\n")
    assert len(said) == 2
    assert not (tmp_path / "tf" / LOCK_FILE).exists()


def test_what_cannot_be_released_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = {**LOCKED, "tf/interlock_backend_override.tf.json": "{}"}
    with pytest.raises(ConfigurationError, match="is a generic file as well"):
        build_release(
            check(load_flock(write(tmp_path / "a", taken))), Settings(home=tmp_path / "home"), note=lambda _: None
        )
    monkeypatch.setattr(release_build, "MAX_CONTENT_BYTES", 10)
    with pytest.raises(ConfigurationError, match="larger than"):
        built(tmp_path / "b")
