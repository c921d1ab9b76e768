"""What a worker decides at start, and what it gives to each run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.clock import SystemClock
from shared.errors import ConfigurationError, Unavailable
from shared.settings import Settings
from tests.unit.worker.support import RUN, assignment
from worker import sandbox_setup
from worker.cli_config import Mirror, ProviderSources
from worker.environment import make_placeholders
from worker.run_directory import RunDirectory
from worker.sandbox_layout import Layout
from worker.sandbox_setup import CA_NAME, Confinement, decide_confinement, environment, launch
from worker.terraform_binary import find_terraform


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path / "home", node="host-a")
    made.prepare()
    return made


def changed(settings: Settings, **changes: Any) -> Settings:
    return settings.model_copy(update=changes)


@pytest.fixture
def directory(settings: Settings) -> RunDirectory:
    made = RunDirectory(settings.home, RUN)
    made.create()
    return made


def test_the_sandbox_is_tried_before_the_first_run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise ConfigurationError("the platform forbids it", hint="")

    monkeypatch.setattr(sandbox_setup.sandbox, "probe", forbidden)
    with pytest.raises(ConfigurationError, match="forbids"):
        decide_confinement(settings)


def test_no_sandbox_is_only_had_by_asking_and_then_says_what_is_not_enforced(settings: Settings) -> None:
    decided = decide_confinement(changed(settings, sandbox="none"))
    assert not decided.confined
    assert any("NOT enforced" in note for note in decided.notes)


def test_a_sandbox_has_nothing_to_confess(settings: Settings) -> None:
    decided = decide_confinement(settings)
    assert decided.confined
    assert not any("NOT enforced" in note for note in decided.notes)


def test_a_missing_terraform_leaves_exec_runs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    decided = decide_confinement(changed(settings, sandbox="none"))
    assert decided.terraform is None
    assert any("only exec runs" in note for note in decided.notes)


def test_a_setting_that_names_something_missing_is_refused(settings: Settings, tmp_path: Path) -> None:
    for wrong in ({"terraform": tmp_path / "gone"}, {"plugin_dir": tmp_path / "gone"}):
        with pytest.raises(ConfigurationError, match="gone"):
            decide_confinement(changed(settings, sandbox="none", **wrong))


def test_a_config_file_that_is_missing_is_noted(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(tmp_path / "gone"))
    assert any("gone" in note for note in decide_confinement(changed(settings, sandbox="none")).notes)


def test_without_the_proxys_ca_nothing_starts(settings: Settings, directory: RunDirectory) -> None:
    with pytest.raises(Unavailable, match=CA_NAME):
        launch(Confinement(bwrap=Path("bwrap"), terraform=None), settings, directory, SystemClock())


def test_only_what_terraform_needs_is_bound(
    settings: Settings, directory: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Layout] = []
    monkeypatch.setattr(sandbox_setup.sandbox, "launch", lambda bwrap, layout, clock: seen.append(layout))
    plugins, mirror, binary = tmp_path / "plugins", tmp_path / "mirror", tmp_path / "terraform"
    for folder in (plugins, mirror):
        folder.mkdir()
    link = tmp_path / "link-to-plugins"
    link.symlink_to(plugins)
    binary.write_text("")
    binary.chmod(0o755)
    settings.ca_dir.mkdir()
    (settings.ca_dir / CA_NAME).write_text("certificate")
    confinement = Confinement(
        bwrap=Path("bwrap"),
        terraform=find_terraform(binary),
        sources=ProviderSources(mirrors=(Mirror(path=mirror),), direct=False),
    )
    launch(confinement, changed(settings, plugin_dir=link), directory, SystemClock())
    (layout,) = seen
    assert {bind.target for bind in layout.binds} == {
        "/run/interlock/ca.pem",
        "/run/interlock/terraformrc",
        "/run/interlock/signed_call.py",
        "/run/interlock/bin/terraform",
        str(plugins),
        str(mirror),
    }
    assert not any(bind.writable for bind in layout.binds)
    assert layout.work == directory.work
    private = {settings.home, settings.ca_dir, settings.home / "tokens"}
    assert not private & {bind.source for bind in layout.binds}


def test_paths_in_the_environment_are_those_of_the_inside(settings: Settings, directory: RunDirectory) -> None:
    confinement = Confinement(bwrap=Path("bwrap"), terraform=None)
    env = environment(confinement, settings, directory, assignment(), make_placeholders(RUN), None)
    assert env["SSL_CERT_FILE"] == "/run/interlock/ca.pem"
    assert env["HTTPS_PROXY"] == "http://127.0.0.1:3128"
    assert str(settings.home) not in " ".join(env.values())
    assert "/run/interlock/bin" in env["PATH"].split(":")


def test_without_a_sandbox_the_run_shows_its_own_login_to_the_shared_listener(
    settings: Settings, directory: RunDirectory
) -> None:
    confinement = Confinement(bwrap=None, terraform=None)
    env = environment(confinement, settings, directory, assignment(), make_placeholders(RUN), 4711)
    assert env["HTTPS_PROXY"].startswith(f"http://{RUN}:")
    assert env["HTTPS_PROXY"].endswith("@127.0.0.1:4711")
    assert env["SSL_CERT_FILE"] == str(settings.ca_dir / CA_NAME)
