"""`interlock release`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Interlock = Callable[..., Any]


def publish(interlock: Interlock, path: Path) -> str:
    said = interlock("release", "publish", str(path), "--json")
    assert said.code == 0, said.err
    return str(json.loads(said.out)["digest"])


def test_publish_names_the_release_and_changes_no_target(interlock: Interlock, fake_api: Any, flock_file: Path) -> None:
    said = interlock("release", "publish", str(flock_file))
    (digest,) = fake_api.published
    assert said.out == f"{digest}  shop, 2 targets\n"
    assert fake_api.asked == [("publish", digest)]


def test_what_is_published_already_is_sent_again_to_mend_what_was_damaged(
    interlock: Interlock, fake_api: Any, flock_file: Path
) -> None:
    digest = publish(interlock, flock_file)
    fake_api.asked.clear()
    assert publish(interlock, flock_file) == digest
    assert fake_api.asked == [("publish", digest)]


def test_a_release_that_arrives_as_another_is_an_error(
    interlock: Interlock, fake_api: Any, flock_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fake_api.publish_release
    other = "sha256:" + "0" * 64
    monkeypatch.setattr(
        fake_api, "publish_release", lambda *words, **named: real(*words, **named).model_copy(update={"digest": other})
    )
    said = interlock("release", "publish", str(flock_file))
    assert said.code == 1
    assert f"was published as {other}: it was changed on its way" in said.err


def test_a_flock_with_a_finding_is_refused_before_anything_is_sent(
    interlock: Interlock, fake_api: Any, flock_file: Path
) -> None:
    flock_file.write_text(flock_file.read_text().replace("tier: a", "teir: a"))
    said = interlock("release", "publish", str(flock_file))
    assert said.code == 64
    assert "did you mean 'tier'?" in said.err
    assert fake_api.asked == []


def test_an_artifact_that_cannot_be_looked_up_is_an_error_with_its_place(
    interlock: Interlock, fake_api: Any, flock_file: Path
) -> None:
    flock_file.write_text(flock_file.read_text() + "artifacts:\n  image: {source: nowhere, version: '1'}\n")
    said = interlock("release", "publish", str(flock_file))
    assert said.code == 64
    assert "flock.yaml:8: " in said.err
    assert "is no repository in a registry" in said.err
    assert fake_api.asked == []


def test_list_and_show(interlock: Interlock, fake_api: Any, flock_file: Path) -> None:
    digest = publish(interlock, flock_file)
    assert digest in interlock("release", "list").out
    assert json.loads(interlock("release", "list", "--flock", "other", "--json").out) == []
    shown = interlock("release", "show", digest[7:15])
    assert digest in shown.out
    assert "shop.eu-west-1.blue" in shown.out
    assert json.loads(interlock("release", "show", digest, "--json").out)["manifest"]["flock"] == "shop"


def test_diff_names_targets_and_values_and_exits_2(interlock: Interlock, fake_api: Any, flock_file: Path) -> None:
    first = publish(interlock, flock_file)
    flock_file.write_text(flock_file.read_text().replace("variables: {size: 2}", "variables: {size: 5}"))
    second = publish(interlock, flock_file)
    said = interlock("release", "diff", first, second)
    assert said.code == 2
    assert "shop.eu-west-1.blue: changed" in said.out
    assert "size: 2 -> 5" in said.out
    assert "shop.local" not in said.out
    assert interlock("release", "diff", first, first).code == 0


def test_a_run_can_be_made_of_any_release(interlock: Interlock, fake_api: Any, flock_file: Path) -> None:
    interlock("flock", "register", str(flock_file))
    (digest,) = fake_api.published
    said = interlock("apply", "--release", digest, "--json")
    assert said.code == 0, said.err
    runs = json.loads(said.out)["runs"]
    assert [(run["target"], run["release_digest"]) for run in runs] == [
        ("shop.eu-west-1.blue", digest),
        ("shop.local", digest),
    ]
    both = interlock("apply", "--release", digest, "-f", str(flock_file))
    assert both.code == 64
    assert "name either it or --release" in both.err


@pytest.mark.parametrize(("name", "why"), [("abc", "too short"), ("sha256:ffffff", "no release begins")])
def test_a_name_has_to_say_which(interlock: Interlock, fake_api: Any, flock_file: Path, name: str, why: str) -> None:
    publish(interlock, flock_file)
    said = interlock("release", "show", name)
    assert said.code == 64
    assert why in said.err


def test_prune_says_what_goes_and_what_would(interlock: Interlock, fake_api: Any, flock_file: Path) -> None:
    digest = publish(interlock, flock_file)
    fake_api.asked.clear()
    said = interlock("release", "prune", "--dry-run")
    assert said.out.startswith(f"{digest}  shop, published ")
    assert said.out.endswith("1 releases and 2 files (30 bytes) would go\n")
    assert "say it again" in said.err
    gone = interlock("release", "prune", "--keep", "3", "--flock", "shop", "--json")
    assert json.loads(gone.out)["releases"][0]["digest"] == digest
    assert fake_api.asked == [("prune", 20, None, True), ("prune", 3, "shop", False)]
