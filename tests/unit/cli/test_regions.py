"""`interlock region add`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.scheduler.configuration.fleets import write

EAST = "name: east\nrealm: live\nprovider_region: eu-east-1\n"


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    (tmp_path / "east.yaml").write_text(EAST)
    return write(tmp_path / "fleet").parent


def test_it_shows_what_would_be_deployed_and_changes_nothing(interlock: Callable[..., Any], fleet: Path) -> None:
    said = interlock("region", "add", "east.yaml", "--fleet", "fleet")
    assert said.code == 0, said.err
    assert "shop.east.edge" in said.out
    assert not (fleet / "regions" / "east.yaml").exists()
    (one,) = json.loads(interlock("region", "add", "east.yaml", "--fleet", "fleet", "--json").out)
    assert [(step["order"], step["target"]) for step in one["targets"]] == [(2, "shop.east.edge")]


def test_with_write_the_one_file_is_added(interlock: Callable[..., Any], fleet: Path) -> None:
    assert interlock("region", "add", "east.yaml", "--fleet", "fleet", "--write").code == 0
    assert (fleet / "regions" / "east.yaml").read_text() == EAST
    assert interlock("flock", "validate", "fleet", "--offline").code == 0
    again = interlock("region", "add", "east.yaml", "--fleet", "fleet", "--write")
    assert again.code == 64
    assert "there is a region 'east' already: fleet/regions/east.yaml" in again.err


def test_what_is_wrong_is_told_and_nothing_is_written(interlock: Callable[..., Any], fleet: Path) -> None:
    (fleet.parent / "east.yaml").write_text(EAST + "zonse: [a]\n")
    said = interlock("region", "add", "east.yaml", "--fleet", "fleet", "--write")
    assert said.code == 64
    assert "east.yaml:4: error: schema: zonse" in said.err
    assert "did you mean 'zones'?" in said.err
    assert not (fleet / "regions" / "east.yaml").exists()


def test_a_realm_without_targets_and_a_folder_without_flocks_are_said(
    interlock: Callable[..., Any], fleet: Path
) -> None:
    (fleet.parent / "east.yaml").write_text(EAST.replace("live", "test"))
    assert "nothing would be deployed there" in interlock("region", "add", "east.yaml", "--fleet", "fleet").err
    said = interlock("region", "add", "east.yaml", "--fleet", "fleet/tf")
    assert said.code == 64
    assert "no flock.yaml below" in said.err
