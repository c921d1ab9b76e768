"""A release's manifest: one spelling, one name, nothing inconsistent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from shared import release_manifest
from shared.drift.settings import DriftSettings
from shared.errors import PeerError
from shared.release_manifest import Manifest, canonical, describe_file, digest_of, parse_manifest
from shared.rollback.settings import RollbackSettings
from shared.safety.rules import SafetyRules
from tests.releases import make_release

ONE, TWO = "web.north", "web.south.blue"


def test_the_order_in_which_it_was_put_together_does_not_matter() -> None:
    first, _ = make_release(ONE, TWO, generic={"a.tf": b"1", "b.tf": b"2"})
    second, _ = make_release(TWO, ONE, generic={"b.tf": b"2", "a.tf": b"1"})
    assert canonical(first) == canonical(second)
    assert first.digest == digest_of(canonical(first))


@pytest.mark.parametrize(
    "change",
    [
        {"generic": {"main.tf": b"other"}},
        {"rendered": {"interlock.auto.tfvars.json": b"{}"}},
        {"provider_region": "eu-9"},
        {"terraform": "1.9.8"},
        {"artifacts": {"image": {"source": "r.example/x", "digest": digest_of(b"1")}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_gives_another_name(change: dict[str, Any]) -> None:
    assert make_release(ONE, **change)[0].digest != make_release(ONE)[0].digest


def test_what_was_written_is_read_back() -> None:
    manifest, _ = make_release(ONE, TWO)
    assert parse_manifest(canonical(manifest), digest=manifest.digest) == manifest
    assert set(manifest.files_of(ONE)) == {"main.tf"}
    assert manifest.paths() == dict.fromkeys(manifest.blobs(), "main.tf")


def test_another_release_than_the_one_asked_for_is_refused_with_both_names() -> None:
    manifest, other = make_release(ONE)[0], make_release(TWO)[0]
    with pytest.raises(PeerError, match=f"{manifest.digest} arrived as {other.digest}"):
        parse_manifest(canonical(other), digest=manifest.digest)


SECTIONS: dict[str, Any] = {"safety": SafetyRules(), "rollback": RollbackSettings(), "drift": DriftSettings()}


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_is_part_of_the_name_and_is_read_back(name: str) -> None:
    plain, ruled = make_release(ONE)[0], make_release(ONE, **{name: SECTIONS[name]})[0]
    assert plain.digest != ruled.digest
    assert parse_manifest(canonical(ruled), digest=ruled.digest) == ruled
    assert [one for one in SECTIONS if f'"{one}"'.encode() in canonical(ruled)] == [name]


def test_without_a_section_a_release_is_called_what_it_was_called_before_there_were_any() -> None:
    # Written down from a version of Interlock that knew of neither rollback nor drift.
    plain, ruled = make_release(ONE)[0], make_release(ONE, safety=SafetyRules())[0]
    assert plain.digest == "sha256:218cae9ca03970a19dce9c364a37b4e988b2405f76a9247c4e25d0e22b214477"
    assert ruled.digest == "sha256:0f5e9d1b0cf4fbb44618d73e8dd9b07f0d32d7023aa2f03d440792e2dcdb796a"


def test_checks_of_every_kind_survive_the_manifest() -> None:
    checks = [
        {"type": "http", "name": "a", "url": "https://x/", "missing_data": "breaching"},
        {"type": "command", "name": "b", "command": ["./a", "b"], "missing_data": "ignore"},
        {"type": "prometheus", "name": "c", "url": "http://p", "query": "up", "below": 1, "missing_data": "ignore"},
        {"type": "cloudwatch", "name": "d", "alarms": ["x"], "missing_data": "not_breaching"},
    ]
    settings = RollbackSettings.model_validate({"bake_s": 60, "checks": checks})
    made = make_release(ONE, rollback=settings)[0]
    assert parse_manifest(canonical(made), digest=made.digest).rollback == settings


def test_there_is_one_spelling() -> None:
    manifest, _ = make_release(ONE)
    with pytest.raises(PeerError, match="canonical"):
        parse_manifest(manifest.model_dump_json(indent=1).encode())


def test_a_digest_that_the_files_do_not_give_is_refused() -> None:
    manifest, _ = make_release(ONE)
    target = manifest.targets[ONE].model_copy(update={"rendered_digest": digest_of(b"another")})
    forged = manifest.model_copy(update={"targets": {ONE: target}})
    with pytest.raises(PeerError, match=f"target {ONE} claims digest"):
        parse_manifest(canonical(forged))


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, _ = make_release(ONE, generic={"a.tf": b"1", "b.tf": b"2"})
    with monkeypatch.context() as patch:
        patch.setattr(release_manifest, "MAX_MANIFEST_BYTES", 10)
        with pytest.raises(PeerError, match="larger than"):
            parse_manifest(canonical(manifest))
    monkeypatch.setattr(release_manifest, "MAX_FILES", 1)
    with pytest.raises(PeerError, match="at most 1 different files"):
        parse_manifest(canonical(manifest))


@pytest.mark.parametrize(
    "path", ["", "/a", "a//b", "a/", ".", "..", "./a", "a/../b", "a/..", "a\\b", "a\nb", "a\0", "x" * 1025]
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        make_release(ONE, generic={path: b""})


def bent(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(canonical(make_release(ONE, TWO)[0]))
    phase = plain["phases"][0]
    match changes:
        case {"phase_targets": listed}:
            phase["targets"] = listed
        case {"phases": count}:
            plain["phases"] = [phase] * count
        case {"after": names}:
            phase["after"] = names
        case {"flock": name}:
            plain["flock"] = name
        case {"configuration": name}:
            plain["targets"][ONE]["configuration"] = name
        case {"file": path}:
            plain["targets"][ONE]["files"] = {path: describe_file(b"").model_dump()}
        case {"format": number}:
            plain["format"] = number
    return plain


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"phase_targets": [ONE]}, f"target {TWO} is not listed in its phase"),
        ({"phase_targets": [ONE, TWO, "web.west"]}, "lists web.west, which is no target"),
        ({"phases": 2}, "listed twice"),
        ({"after": ["later"]}, "before one that it waits for"),
        ({"flock": "db"}, "does not belong to flock db"),
        ({"configuration": "edge"}, "configuration 'edge', which is not there"),
        ({"file": "main.tf"}, f"main.tf of target {ONE} is a generic file as well"),
        ({"format": 2}, "format"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes: dict[str, Any], why: str) -> None:
    Manifest.model_validate_json(json.dumps(bent()))
    with pytest.raises(PeerError, match=why):
        parse_manifest(json.dumps(bent(**changes)).encode())
