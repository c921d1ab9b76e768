"""Releases on real processes: what was published is what runs, whatever happens to files and rows afterwards."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from shared.celery_config import TASK_RUN, celery_settings, declare_queues, queue_name
from shared.models import Release, Run, RunKind, RunStatus
from shared.release_manifest import digest_of
from shared.settings import Settings
from tests.integration.system import System, eventually, running
from tests.registry import PASSWORD, USER, Registry
from tests.servers import ValkeyServer

SHOW = ("sh", "-c", "cat main.tf interlock.auto.tfvars.json")
FLOCK = """\
name: {name}
configuration: tf
targets:
  - region: here
    variables: {{word: first}}
"""
CONFIGURATION = 'variable "word" {\n  type = string\n}\n# as published\n'


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A control host, and a worker host that serves the region `here`."""
    valkey = ValkeyServer()
    try:
        with running(tmp_path_factory.mktemp("releases"), valkey.url) as started:
            started.start_proxy("host-a")
            started.start_worker("host-a")
            yield started
    finally:
        valkey.close()


class Flock:
    """One flock on disk, and what is done with it."""

    def __init__(self, system: System, folder: Path, name: str) -> None:
        self.system, self.folder, self.name = system, folder, name
        self.target = f"{name}.here"
        (folder / "tf").mkdir(parents=True)
        (folder / "flock.yaml").write_text(FLOCK.format(name=name))
        (folder / "tf" / "main.tf").write_text(CONFIGURATION)

    def interlock(self, *words: str, **more: str) -> Any:
        """Run a command with --json and return what it says."""
        environment = self.system.environment() | more
        done = subprocess.run(
            [sys.executable, "-m", "cli", *words, "--json"],
            env=environment,
            cwd=self.system.directory,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def publish(self, folder: Path | None = None, **more: str) -> Release:
        """Publish it as it is on disk now; `more` goes into the environment."""
        shown = self.interlock("release", "publish", str(folder or self.folder), **more)
        return Release.model_validate(shown)

    def run(self, release: Release, *argv: str) -> Run:
        """Run a command where the release's files lie, to its end."""
        api = self.system.api()
        made = api.create_run(self.target, RunKind.EXEC, argv=argv or SHOW, release_digest=release.digest)
        return self.system.run_until(made.id, lambda seen: seen.status.terminal, "is over")

    def log(self, run: Run) -> str:
        """What the run printed."""
        return self.system.api().logs(run.id).text

    def change_row(self, statement: str, *values: object) -> None:
        """Change the scheduler's database behind its back."""
        with closing(sqlite3.connect(self.system.home / "interlock.db", timeout=30)) as database, database:
            assert database.execute(statement, values).rowcount == 1


@pytest.fixture
def flock(installation: System, tmp_path: Path, request: pytest.FixtureRequest) -> Flock:
    number = sum(map(ord, request.node.name))
    return Flock(installation, tmp_path / "flock", f"f{number}")


def test_a_later_edit_changes_nothing_in_a_release(flock: Flock) -> None:
    release = flock.publish()
    (flock.folder / "tf" / "main.tf").write_text(CONFIGURATION.replace("as published", "edited"))
    (flock.folder / "flock.yaml").write_text(FLOCK.format(name=flock.name).replace("first", "second"))
    edited = flock.publish()
    first, second = flock.run(release), flock.run(edited)
    assert (first.status, second.status) == (RunStatus.SUCCEEDED, RunStatus.SUCCEEDED), flock.log(first)
    assert '"word": "first"' in flock.log(first)
    assert "# as published" in flock.log(first)
    assert "edited" not in flock.log(first)
    assert '"word": "second"' in flock.log(second)
    assert "# edited" in flock.log(second)


def test_the_same_files_elsewhere_are_the_same_release(flock: Flock, tmp_path: Path) -> None:
    release = flock.publish()
    copy = tmp_path / "elsewhere"
    shutil.copytree(flock.folder, copy, copy_function=shutil.copyfile)
    for path in copy.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    assert flock.publish(copy) == release


def test_a_file_that_was_changed_in_the_database_is_refused_by_the_worker_with_both_digests(flock: Flock) -> None:
    release = flock.publish()
    content = f"{CONFIGURATION}# {flock.name}\n".encode()
    (flock.folder / "tf" / "main.tf").write_bytes(content)
    release = flock.publish()
    evil = b"# evil\n"
    flock.change_row("UPDATE blobs SET content = ? WHERE digest = ?", evil, digest_of(content))
    run = flock.run(release)
    assert run.status is RunStatus.ERRORED
    assert f"main.tf should be {digest_of(content)} and arrived as {digest_of(evil)}" in run.reason
    assert "evil" not in flock.log(run), "nothing was executed"


def test_a_manifest_that_was_changed_in_the_database_is_refused_by_the_worker(flock: Flock) -> None:
    release = flock.publish()
    run = flock.system.api().create_run(flock.target, RunKind.EXEC, argv=SHOW, release_digest=release.digest)
    over = flock.system.run_until(run.id, lambda seen: seen.status.terminal, "is over")
    assert over.status is RunStatus.SUCCEEDED
    held = flock.system.api().create_run(
        flock.target, RunKind.EXEC, argv=("sh", "-c", "echo begun; while [ ! -e end ]; do sleep 0.1; done"),
        release_digest=release.digest,
    )  # fmt: skip
    eventually(lambda: "begun" in flock.system.api().logs(held.id).text, "the target is taken")
    waiting = flock.system.api().create_run(flock.target, RunKind.EXEC, argv=SHOW, release_digest=release.digest)
    manifest = flock.system.api().release_manifest(release.digest)
    changed = manifest.replace(b'"actor"', b'"xctor"').replace(b'"format":1', b'"format":1 ')
    flock.change_row("UPDATE releases SET manifest = ? WHERE digest = ?", changed, release.digest)
    # What the host has verified of it already would do as well, and cannot be changed from here.
    shutil.rmtree(flock.system.directory / "host-a" / "releases")
    flock.system.api().cancel_run(held.id)
    refused = flock.system.run_until(waiting.id, lambda seen: seen.status.terminal, "is over")
    assert refused.status is RunStatus.ERRORED
    assert f"the manifest of release {release.digest} arrived as {digest_of(changed)}" in refused.reason


def test_a_release_with_a_file_that_is_gone_is_refused(flock: Flock) -> None:
    content = f"{CONFIGURATION}# {flock.name}\n".encode()
    (flock.folder / "tf" / "main.tf").write_bytes(content)
    release = flock.publish()
    flock.change_row("DELETE FROM blobs WHERE digest = ?", digest_of(content))
    run = flock.run(release)
    assert run.status is RunStatus.ERRORED
    assert f"release {release.digest} is refused: there is no file '{digest_of(content)}'" in run.reason


def test_a_hint_that_went_to_another_regions_workers_is_dropped_with_the_reason(flock: Flock) -> None:
    path = flock.folder / "flock.yaml"
    path.write_text(path.read_text().replace("region: here", "region: there"))
    release = flock.publish()
    run = flock.system.api().create_run(f"{flock.name}.there", RunKind.EXEC, argv=SHOW, release_digest=release.digest)
    settings = Settings(home=flock.system.home, redis_url=flock.system.redis_url)
    with Celery("stray", set_as_current=False) as app:
        app.conf.update(celery_settings(settings))
        declare_queues(app, ["here"])
        app.send_task(TASK_RUN, args=[run.id], queue=queue_name("here"))
        eventually(lambda: f"{flock.name}.there is in region there" in flock.system.log("host-a-worker"), "it says why")
    assert flock.system.api().run(run.id).status is RunStatus.PENDING


def test_a_tag_that_is_moved_changes_nothing_in_a_release(flock: Flock, tmp_path: Path) -> None:
    """The registry is a real one over HTTP, private; the operator's Docker configuration opens it."""
    config = tmp_path / "docker"
    config.mkdir()
    with Registry() as registry:
        registry.asks["team/shop"] = "login"
        auths = {registry.host: {"username": USER, "password": PASSWORD}}
        (config / "config.json").write_text(json.dumps({"auths": auths}))
        path = flock.folder / "flock.yaml"
        path.write_text(
            path.read_text().replace("word: first", "word: '${artifact.image.digest}'")
            + f"artifacts:\n  image: {{source: '{registry.host}/team/shop', version: '4.2'}}\n"
        )
        old = registry.push("team/shop", "4.2", "old")
        before = flock.publish(DOCKER_CONFIG=str(config))
        new = registry.push("team/shop", "4.2", "new")
        after = flock.publish(DOCKER_CONFIG=str(config))
    assert before != after
    assert f'"word": "{old}"' in flock.log(flock.run(before))
    assert f'"word": "{new}"' in flock.log(flock.run(after))
    listed = json.loads(flock.system.api().release_manifest(before.digest))["artifacts"]["image"]
    assert (listed["version"], listed["digest"]) == ("4.2", old)
