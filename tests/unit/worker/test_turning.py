"""The files that turn around what a deployment did with addresses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.errors import PeerError
from shared.rollback.inverses import FILE_NAME, Inverse
from worker.run_directory import RunDirectory
from worker.turning import Turning


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    made = RunDirectory(tmp_path, "run-0123456789abcdef")
    made.create()
    return made


def installed(directory: RunDirectory, *modules: dict[str, str]) -> None:
    """What `terraform init` leaves of modules."""
    folder = directory.work / ".terraform" / "modules"
    folder.mkdir(parents=True)
    (folder / "modules.json").write_text(json.dumps({"Modules": [{"Key": "", "Dir": "."}, *modules]}))


def test_they_stand_beside_the_configuration_and_are_gone_again(directory: RunDirectory) -> None:
    turning = Turning(directory, Inverse(text="moved {}\n"), lambda _: None)
    turning.write()
    assert (directory.work / FILE_NAME).read_text() == "moved {}\n"
    assert turning.remove()
    assert list(directory.work.iterdir()) == []


def test_where_nothing_has_to_be_turned_around_there_is_no_file(directory: RunDirectory) -> None:
    turning = Turning(directory, Inverse(), lambda _: None)
    turning.write()
    assert not turning.remove()
    assert list(directory.work.iterdir()) == []


def test_those_of_a_module_from_elsewhere_stand_in_its_own_folder(directory: RunDirectory) -> None:
    folder = directory.work / ".terraform" / "modules" / "net"
    installed(directory, {"Key": "net", "Dir": ".terraform/modules/net/deep"})
    (folder / "deep").mkdir(parents=True)
    turning = Turning(directory, Inverse(modules={"net": "moved {}\n"}), lambda _: None)
    turning.write()
    assert (folder / "deep" / FILE_NAME).read_text() == "moved {}\n"
    assert turning.remove()
    assert list((folder / "deep").iterdir()) == []


def test_a_module_that_is_not_there_is_said(directory: RunDirectory) -> None:
    notes: list[str] = []
    Turning(directory, Inverse(modules={"net": "moved {}\n"}, notes=("a note",)), notes.append).write()
    assert notes == ["a note", "module net has no folder of its own: its moves are not turned around"]


@pytest.mark.parametrize("place", ["../../etc", "/tmp", "link"])
def test_nothing_is_written_outside_of_the_work_directory(directory: RunDirectory, tmp_path: Path, place: str) -> None:
    (directory.work / "link").symlink_to(tmp_path)
    installed(directory, {"Key": "net", "Dir": place})
    with pytest.raises(PeerError):
        Turning(directory, Inverse(modules={"net": "moved {}\n"}), lambda _: None).write()
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"Modules": [{}]}', '{"Modules": 3}'])
def test_a_list_of_modules_that_is_none_is_refused(directory: RunDirectory, content: str) -> None:
    installed(directory)
    (directory.work / ".terraform" / "modules" / "modules.json").write_text(content)
    turning = Turning(directory, Inverse(modules={"net": "moved {}\n"}), lambda _: None)
    if content:
        with pytest.raises(PeerError):
            turning.write()
    else:
        turning.write()  # as if there were none
