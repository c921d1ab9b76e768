"""What a model complains about has the line where it stands, and the keys that may stand there."""

from __future__ import annotations

import pytest

from scheduler.configuration.documents import read_document
from scheduler.configuration.models import FlockFile, RegionFile
from scheduler.configuration.nodes import plain

REGION = b"name: north\nrealm: live\nflocks:\n  shop:\n    variables:\n      size: 1\n"


def test_a_document_knows_where_everything_stands() -> None:
    document, found = read_document(REGION, "regions/north.yaml", RegionFile)
    assert found == []
    assert document is not None
    assert document.model.realm == "live"
    assert str(document.origin("flocks", "shop")) == "regions/north.yaml:4"
    section = document.section("variables", "flocks", "shop")
    assert section is not None
    assert plain(section) == {"size": 1}
    assert document.section("variables") is None


@pytest.mark.parametrize(
    ("line", "text", "hint"),
    [
        (7, "    variabels: {}\n", "did you mean 'variables'?"),
        (7, "colour: red\n", "the keys are account,"),
        (7, "zones: north\n", "docs/configuration.md"),
        (7, "account: 5\n", 'write it in quotes: "5"'),
    ],
)
def test_a_complaint_names_line_and_way_out(line: int, text: str, hint: str) -> None:
    document, found = read_document(REGION + text.encode(), "r.yaml", RegionFile)
    assert document is None
    assert [one.origin.line for one in found] == [line]
    assert hint in found[0].hint


def test_every_complaint_is_told_at_once() -> None:
    _, found = read_document(b"name: Shop\nowners: me\ntargets: []\n", "flock.yaml", FlockFile)
    assert {one.message.split(":")[0].split(" ")[0] for one in found} == {"name", "owners", "targets", "configuration"}


def test_a_list_is_no_document() -> None:
    _, (found,) = read_document(b"- a\n", "flock.yaml", FlockFile)
    assert found.hint == "with at least name, configuration, targets"
