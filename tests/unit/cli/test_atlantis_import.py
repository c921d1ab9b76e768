"""`interlock import`: the file is written once, what is lost is told, and the exit code says whether it can be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import main

ATLANTIS = "version: 3\nprojects:\n  - {dir: ., name: site-eu-west-1}\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "My Site"
    folder.mkdir()
    (folder / "atlantis.yaml").write_text(ATLANTIS)
    (folder / "main.tf").write_text("")
    return folder


def test_a_flock_is_written_that_can_be_used(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(repository / "atlantis.yaml")]) == 0
    assert "name: my-site" in (repository / "flock.yaml").read_text()
    assert f"wrote {repository / 'flock.yaml'}" in capsys.readouterr().out
    assert main(["flock", "validate", "--offline", str(repository)]) == 0


def test_a_flock_that_is_there_is_left_alone(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "flock.yaml").write_text("mine")
    assert main(["import", str(repository / "atlantis.yaml")]) == 64
    assert (repository / "flock.yaml").read_text() == "mine"
    assert "--dry-run" in capsys.readouterr().err
    assert main(["import", str(repository / "atlantis.yaml"), "--dry-run", "--name", "other"]) == 0
    assert "name: other" in capsys.readouterr().out


def test_what_keeps_the_flock_from_being_used_is_told_at_once(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "main.tf").write_text('variable "needed" {}\n')
    assert main(["import", str(repository / "atlantis.yaml")]) == 64
    assert "needed: no layer sets it" in capsys.readouterr().err


def test_a_file_that_cannot_be_used_is_refused_with_its_line(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "atlantis.yaml").write_text(ATLANTIS.replace("site-eu-west-1", "site"))
    assert main(["--json", "import", str(repository / "atlantis.yaml")]) == 64
    (told,) = json.loads(capsys.readouterr().out)["findings"]
    assert (told["line"], told["hint"]) == (3, "say it for all such projects with --region")
    assert not (repository / "flock.yaml").exists()


@pytest.mark.parametrize(
    ("options", "atlantis", "said"),
    [
        (["--name", "Bad_Name"], ATLANTIS, "the name 'Bad_Name' can be that of no flock"),
        (["--region", "EU_WEST"], ATLANTIS.replace("-eu-west-1", ""), "the region 'EU_WEST' can be that of no region"),
        ([], ATLANTIS.replace("dir: .", "dir: ., terraform_version: latest"), "flock.yaml would say terraform: "),
    ],
)
def test_what_could_not_be_used_is_not_written_and_does_not_stand_in_the_way(
    repository: Path, capsys: pytest.CaptureFixture[str], options: list[str], atlantis: str, said: str
) -> None:
    (repository / "atlantis.yaml").write_text(atlantis)
    assert main(["import", str(repository / "atlantis.yaml"), *options]) == 64
    assert said in capsys.readouterr().err
    assert not (repository / "flock.yaml").exists()
    (repository / "atlantis.yaml").write_text(ATLANTIS)
    assert main(["import", str(repository / "atlantis.yaml")]) == 0


def test_a_file_that_appears_meanwhile_and_a_link_are_left_alone(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "flock.yaml").symlink_to("elsewhere")
    assert main(["import", str(repository / "atlantis.yaml")]) == 64
    monkeypatch.setattr("os.path.lexists", lambda _path: False)
    assert main(["import", str(repository / "atlantis.yaml")]) == 64
    assert capsys.readouterr().err.count("exists already") == 2
    assert not (repository / "elsewhere").exists()
