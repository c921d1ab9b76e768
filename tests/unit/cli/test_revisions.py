"""A flock as it was in a git revision."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cli.revisions import checked_out
from shared.errors import ConfigurationError


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "flocks" / "shop").mkdir(parents=True)
    file = tmp_path / "flocks" / "shop" / "flock.yaml"
    file.write_text("name: old\n")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    file.write_text("name: new\n")
    return tmp_path


def test_a_path_is_a_path(repository: Path) -> None:
    with checked_out("some/where", other="x") as found:
        assert found == Path("some/where")


def test_a_revision_is_laid_out_where_the_other_side_says_and_goes_away(repository: Path) -> None:
    with checked_out("git:main", other=str(repository / "flocks" / "shop")) as found:
        assert (found / "flock.yaml").read_text() == "name: old\n"
    assert not found.exists()
    assert (repository / "flocks" / "shop" / "flock.yaml").read_text() == "name: new\n"


def test_a_path_inside_the_revision_can_be_named(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    with checked_out("git:HEAD:flocks/shop", other="git:main:flocks/shop") as found:
        assert (found / "flock.yaml").read_text() == "name: old\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("git:", "no revision"),
        ("git:--exec=x", "no revision"),
        ("git:nope", "git archive"),
        ("git:main:a", "no a in it"),
    ],
)
def test_what_is_not_there_is_said(repository: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str) -> None:
    monkeypatch.chdir(repository)
    with pytest.raises(ConfigurationError, match=message), checked_out(name, other="."):
        pass


def test_outside_of_a_repository_git_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ConfigurationError, match="rev-parse"), checked_out("git:main", other=str(tmp_path)):
        pass
