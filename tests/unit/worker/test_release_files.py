"""A release on its way into a run's directory: whole and unchanged, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.errors import ApiError, PeerError, Unavailable
from shared.models import Assignment, Run, RunStatus
from shared.release_manifest import ReleaseFile, canonical, digest_of
from shared.release_pack import pack
from tests.releases import make_release
from tests.unit.worker.support import RUN, TARGET, assignment, run
from worker import release_files
from worker.release_cache import ReleaseCache
from worker.release_files import Fetched, fetch, prefetch
from worker.stop import Cause, Stop, StopRequested

GENERIC = {"main.tf": b"# main", "scripts/run.sh": b"#!/bin/sh\n"}
NOWHERE = ReleaseCache(Path("/nowhere"))


class Api:
    """Hands out one release, as a test bends it."""

    def __init__(self, **choice: Any) -> None:
        self.manifest, self.blobs = make_release(TARGET, generic=GENERIC, **{"provider_region": "eu-west-1", **choice})
        self.digest = self.manifest.digest
        self.content = canonical(self.manifest)
        self.away = 0
        self.asked: list[str] = []
        self.waiting = run(status=RunStatus.PENDING, release_digest=self.digest)

    def run(self, run_id: str) -> Run:
        assert run_id == RUN
        return self.waiting

    def release_manifest(self, digest: str) -> bytes:
        assert digest == self.digest
        self.asked.append("manifest")
        if self.away:
            self.away -= 1
            raise Unavailable("the API did not answer", hint="")
        return self.content

    def release_files(self, digest: str, target: str) -> bytes:
        assert (digest, target) == (self.digest, TARGET)
        self.asked.append("files")
        return pack(self.blobs)


@pytest.fixture
def stop() -> Iterator[Stop]:
    made = Stop()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release_files, "_PAUSE_MS", 0)


def claimed(digest: str | None) -> Assignment:
    plain = assignment()
    return plain.model_copy(update={"run": plain.run.model_copy(update={"release_digest": digest})})


def fetched(
    api: Any, stop: Stop, regions: tuple[str, ...] = ("elsewhere", "here"), *, cache: ReleaseCache = NOWHERE
) -> Fetched:
    return fetch(api, claimed(api.digest), regions=regions, stop=stop, cache=cache)


def files_on_disk(home: Path) -> dict[str, Path]:
    """What is cached, by digest."""
    return {f"sha256:{path.name}": path for path in (home / "releases").glob("?" * 64)}


def test_generic_and_rendered_files_come_with_the_version_pin(stop: Stop) -> None:
    api = Api(rendered={"interlock.auto.tfvars.json": b"{}"}, terraform="1.9.8")
    found = fetched(api, stop)
    assert {name: content for name, (content, _) in found.files.items()} == {
        **GENERIC,
        "interlock.auto.tfvars.json": b"{}",
    }
    assert found.terraform == "1.9.8"


def test_whether_a_file_may_be_executed_is_the_releases_word(stop: Stop) -> None:
    api = Api()
    files = api.manifest.configurations["."]
    script = ReleaseFile(**{**files["scripts/run.sh"].model_dump(), "executable": True})
    from shared.release_manifest import rendered_digest

    target = api.manifest.targets[TARGET]
    changed = {**files, "scripts/run.sh": script}
    digest = rendered_digest(TARGET, target.region, target.provider_region, changed)
    api.manifest = api.manifest.model_copy(
        update={
            "configurations": {".": changed},
            "targets": {TARGET: target.model_copy(update={"rendered_digest": digest})},
        }
    )
    api.content, api.digest = canonical(api.manifest), api.manifest.digest
    assert {name: executable for name, (_, executable) in fetched(api, stop).files.items()} == {
        "main.tf": False,
        "scripts/run.sh": True,
    }


def test_a_manifest_of_another_digest_is_refused(stop: Stop) -> None:
    api = Api()
    api.content = canonical(make_release(TARGET, generic={"main.tf": b"# evil"})[0])
    with pytest.raises(PeerError, match=f"release {api.digest} is refused: .* arrived as {digest_of(api.content)}"):
        fetched(api, stop)


def test_a_file_of_other_bytes_is_refused_by_its_path_with_both_digests(stop: Stop) -> None:
    api = Api()
    good = digest_of(GENERIC["main.tf"])
    api.blobs[good] = b"# evil"
    with pytest.raises(PeerError, match=f"main.tf should be {good} and arrived as {digest_of(b'# evil')}"):
        fetched(api, stop)


def test_a_file_that_is_missing_or_too_many_is_refused(stop: Stop) -> None:
    api = Api()
    api.blobs[digest_of(b"more")] = b"more"
    with pytest.raises(PeerError, match="belongs to no file"):
        fetched(api, stop)
    api.blobs = {digest_of(GENERIC["main.tf"]): GENERIC["main.tf"]}
    with pytest.raises(PeerError, match=r"scripts/run\.sh .* is missing"):
        fetched(api, stop)


def test_a_release_of_other_targets_is_refused(stop: Stop) -> None:
    api = Api()
    api.manifest, api.blobs = make_release("orders.south", generic=GENERIC)
    api.content, api.digest = canonical(api.manifest), api.manifest.digest
    with pytest.raises(PeerError, match=f"it has no target {TARGET}"):
        fetched(api, stop)


def test_a_run_of_another_region_is_refused_before_anything_is_fetched(stop: Stop) -> None:
    api = Api()
    api.content = b""
    with pytest.raises(PeerError, match="is in region here; this worker serves elsewhere"):
        fetched(api, stop, regions=("elsewhere",))


def test_a_run_without_a_release_is_refused(stop: Stop) -> None:
    with pytest.raises(PeerError, match="names no release"):
        fetch(Api(), claimed(None), regions=("here",), stop=stop, cache=NOWHERE)  # type: ignore[arg-type]  # the part that is used


def test_an_api_that_is_away_is_asked_again_a_few_times(stop: Stop) -> None:
    api = Api()
    api.away = release_files.TRIES - 1
    assert fetched(api, stop).files
    api.away = release_files.TRIES
    with pytest.raises(Unavailable, match="could not be fetched: the API did not answer"):
        fetched(api, stop)


def test_a_no_is_final(stop: Stop) -> None:
    class Refusing(Api):
        def release_files(self, digest: str, target: str) -> bytes:
            raise ApiError("a file is gone", status=404, code="unknown_file", hint="restore it")

    with pytest.raises(PeerError, match="is refused: a file is gone") as refused:
        fetched(Refusing(), stop)
    assert refused.value.hint == "restore it"


def test_whoever_wants_it_stopped_does_not_wait_for_the_api(stop: Stop) -> None:
    api = Api()
    api.away = 1
    stop.request(Cause.CANCELED, "enough")
    with pytest.raises(StopRequested):
        fetched(api, stop)


def test_a_scheduler_that_names_another_region_of_the_cloud_is_not_believed(stop: Stop) -> None:
    with pytest.raises(PeerError, match=f"it deploys {TARGET} to us-east-1, the scheduler says eu-west-1"):
        fetched(Api(provider_region="us-east-1"), stop)


def test_the_next_run_of_a_release_asks_for_nothing(stop: Stop, tmp_path: Path) -> None:
    api, cache = Api(rendered={"interlock.auto.tfvars.json": b"{}"}), ReleaseCache(tmp_path)
    first = fetched(api, stop, cache=cache)
    assert api.asked == ["manifest", "files"]
    assert fetched(api, stop, cache=cache) == first
    assert api.asked == ["manifest", "files"]


@pytest.mark.parametrize("part", ["manifest", "file"])
def test_what_somebody_changed_in_the_cache_is_fetched_again(stop: Stop, tmp_path: Path, part: str) -> None:
    api, cache = Api(), ReleaseCache(tmp_path)
    first = fetched(api, stop, cache=cache)
    other = make_release(TARGET, generic={"main.tf": b"# evil"}, provider_region="eu-west-1")[0]
    digest, evil = {"manifest": (api.digest, canonical(other)), "file": (digest_of(b"# main"), b"# evil")}[part]
    files_on_disk(tmp_path)[digest].write_bytes(evil)
    api.asked.clear()
    assert fetched(api, stop, cache=cache) == first
    assert api.asked == (["manifest"] if part == "manifest" else ["files"])


def test_what_somebody_changed_in_the_cache_is_refused_where_it_cannot_be_fetched(stop: Stop, tmp_path: Path) -> None:
    api, cache = Api(), ReleaseCache(tmp_path)
    fetched(api, stop, cache=cache)
    files_on_disk(tmp_path)[digest_of(b"# main")].write_bytes(b"# evil")
    api.blobs[digest_of(b"# main")] = b"# evil"
    with pytest.raises(PeerError, match=f"main.tf should be .* arrived as {digest_of(b'# evil')}"):
        fetched(api, stop, cache=cache)


def test_what_is_refused_is_not_kept(stop: Stop, tmp_path: Path) -> None:
    api, cache = Api(), ReleaseCache(tmp_path)
    api.blobs[digest_of(b"# main")] = b"# evil"
    for _ in range(2):
        with pytest.raises(PeerError, match=r"main\.tf should be"):
            fetched(api, stop, cache=cache)
    assert files_on_disk(tmp_path).keys() == {api.digest}, "the manifest, which was what it should be"
    api.content = b"{}"
    files_on_disk(tmp_path)[api.digest].unlink()
    with pytest.raises(PeerError, match="arrived as"):
        fetched(api, stop, cache=cache)
    assert files_on_disk(tmp_path) == {}


def test_a_cached_release_is_checked_against_the_scheduler_and_the_region_as_well(stop: Stop, tmp_path: Path) -> None:
    api, cache = Api(provider_region="us-east-1"), ReleaseCache(tmp_path)
    prefetch(api, RUN, regions=("here",), cache=cache)  # type: ignore[arg-type]  # the part that is used
    with pytest.raises(PeerError, match=f"it deploys {TARGET} to us-east-1"):
        fetched(api, stop, cache=cache)
    with pytest.raises(PeerError, match="this worker serves elsewhere"):
        fetched(api, stop, ("elsewhere",), cache=cache)


def test_the_release_of_a_run_that_waits_is_there_when_its_turn_comes(stop: Stop, tmp_path: Path) -> None:
    api, cache = Api(), ReleaseCache(tmp_path)
    for _ in range(2):
        prefetch(api, RUN, regions=("here",), cache=cache)  # type: ignore[arg-type]  # the part that is used
    assert api.asked == ["manifest", "files"], "once"
    fetched(api, stop, cache=cache)
    assert api.asked == ["manifest", "files"]


def test_nothing_is_fetched_for_a_run_that_is_not_waiting_or_not_ours(tmp_path: Path) -> None:
    api, cache = Api(), ReleaseCache(tmp_path)
    waiting = api.waiting
    for changes in ({"status": RunStatus.CLAIMED}, {"release_digest": None}, {"region": "there"}):
        api.waiting = waiting.model_copy(update=changes)
        prefetch(api, RUN, regions=("here",), cache=cache)  # type: ignore[arg-type]  # the part that is used
    assert api.asked == []


def test_a_release_that_cannot_be_had_yet_is_no_error_of_a_hint(stop: Stop, tmp_path: Path) -> None:
    api, cache = Api(), ReleaseCache(tmp_path)
    api.away = 1
    prefetch(api, RUN, regions=("here",), cache=cache)  # type: ignore[arg-type]  # the part that is used
    api.blobs[digest_of(b"# main")] = b"# evil"
    prefetch(api, RUN, regions=("here",), cache=cache)  # type: ignore[arg-type]  # the part that is used
    with pytest.raises(PeerError, match=r"main\.tf should be"):
        fetched(api, stop, cache=cache)
