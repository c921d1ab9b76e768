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


COMMAND = "rollback:\n  checks:\n  - type: command\n    name: up\n    missing_data: ignore\n"
FLOCK = b"name: shop\nconfiguration: tf\ntargets: [{region: north}]\n"


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("rollback:\n  bake: 5\n", 5, "rollback.bake: there is no such key here", "did you mean 'bake_s'?"),
        ("rollback: {bake_s: 86401}\n", 4, "rollback.bake_s: input should be less than or equal to 86400", ""),
        (
            "rollback:\n  checks:\n  - {type: http, name: up, url: 'https://x/'}\n",
            6,
            "rollback.checks[0].missing_data is missing",
            "add it",
        ),
        (
            "rollback:\n  checks:\n  - {type: htp, name: up}\n",
            6,
            "rollback.checks[0].type: there is no 'htp'",
            "did you mean 'http'?",
        ),
        ("rollback:\n  checks:\n  - {name: up}\n", 6, "rollback.checks[0].type is missing", "add it"),
        (
            COMMAND + "    command: [a]\n    comand: 1\n",
            10,
            "rollback.checks[0].comand: there is no such key here",
            "did you mean 'command'?",
        ),
        (
            COMMAND + "    command: []\n",
            9,
            "rollback.checks[0].command: tuple should have at least 1 item after validation, not 0",
            "",
        ),
        (
            "rollback:\n  checks:\n  - {type: prometheus, name: p, url: 'http://p', query: up, missing_data: ignore}\n",
            6,
            "rollback.checks[0]: say when a value is bad: `above`, `below`, or both",
            "",
        ),
        ("drift: {every_s: 5}\n", 4, "drift.every_s: input should be greater than or equal to 60", ""),
        ("drift:\n  every: 600\n", 5, "drift.every: there is no such key here", "did you mean 'every_s'?"),
        (
            "drift:\n  remediation: {mod: plan}\n",
            5,
            "drift.remediation.mod: there is no such key here",
            "did you mean 'mode'?",
        ),
    ],
)
def test_a_section_is_complained_about_where_it_stands(text: str, line: int, message: str, hint: str) -> None:
    document, found = read_document(FLOCK + text.encode(), "flock.yaml", FlockFile)
    assert document is None
    (one,) = found
    assert (one.origin.line, one.message) == (line, message)
    assert hint in one.hint


def test_a_flock_named_like_a_key_is_no_key() -> None:
    text = REGION.replace(b"shop", b"variables").replace(b"      size: 1", b"      size: 1\n    backed: {}")
    _, (found,) = read_document(text, "r.yaml", RegionFile)
    assert (found.message, found.hint) == (
        "flocks.variables.backed: there is no such key here",
        "did you mean 'backend'?",
    )
