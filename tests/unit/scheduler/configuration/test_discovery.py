"""The same facts as terraform-config-inspect reads, case by case.

Its published cases were compared with this reader's answers; the files below are our own, one for each of its cases,
because theirs are under another licence. Where the two differ on purpose a case says so: that tool is lenient towards
what no Terraform since 0.12 loads, and replaces a block by its override where Terraform merges the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scheduler.configuration.nodes import plain
from scheduler.configuration.terraform import Generic, read_generic


@dataclass(frozen=True, kw_only=True)
class Case:
    """A configuration and what is in it."""

    name: str
    files: Mapping[str, str]
    variables: Mapping[str, tuple[str, Any, bool]] = field(default_factory=dict)
    """Type, default, required."""
    needs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Source and version constraints by local name."""
    providers: frozenset[str] = frozenset()
    modules: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    core: str = ""
    backend: str | None = None
    wrong: tuple[str, ...] = ()
    """`line: message` of each finding, shortened."""


def needs(*names: str) -> dict[str, tuple[str, str]]:
    return {name: (f"hashicorp/{name}", "") for name in names}


CASES = (
    Case(
        name="basics",
        files={
            "a.tf": 'variable "one" {\n  default = "first"\n}\n\nvariable "two" {\n  description = "2nd"\n}\n\n'
            'output "one" {\n  value = var.one\n}\n\nresource "random_pet" "it" {}\n'
        },
        variables={"one": ("any", "first", False), "two": ("any", None, True)},
        needs=needs("random"),
    ),
    Case(
        name="basics, in JSON",
        files={
            "a.tf.json": '{"variable": {"one": {"default": "first"}, "two": {"description": "2nd"}},\n'
            ' "output": {"one": {"value": "${var.one}"}}, "resource": {"random_pet": {"it": {}}}}'
        },
        variables={"one": ("any", "first", False), "two": ("any", None, True)},
        needs=needs("random"),
    ),
    Case(
        name="data sources, one of a provider that is named",
        files={"a.tf": 'data "http" "a" {}\ndata "http" "b" {\n  provider = other.x\n}\n'},
        needs=needs("http", "other"),
    ),
    Case(
        name="what is deprecated is there all the same",
        files={"a.tf": 'variable "old" {\n  type = string\n  deprecated = "use new"\n}\n'},
        variables={"old": ("string", None, True)},
    ),
    Case(name="empty", files={"a.tf": "", "b.tf.json": "{}"}),
    Case(
        name="a for expression", files={"a.tf": 'output "all" {\n  value = [for one in ["a", "b"] : upper(one)]\n}\n'}
    ),
    Case(
        name="a brace in the next line, which only HCL 1 allowed",
        files={"a.tf": 'variable "v"\n{\n  default = 1\n}\n'},
        wrong=("2: `{` must stand in the line",),
    ),
    Case(
        name="labels without quotes",
        files={
            "a.tf": 'terraform {\n  required_version = ">= 0.12"\n  backend "gcs" {\n    any = "x"\n'
            '  }\n  other = 1\n}\n'
            'provider google {\n  version = "3.0"\n}\nvariable v {\n  default = "x"\n  other = 1\n}\n'
            'resource google_dns_zone z {\n  provider = "beta.x"\n}\nmodule m {\n'
            '  source = "a/b/c"\n  version = "1.2"\n}\n'
        },
        variables={"v": ("any", "x", False)},
        needs={"google": ("hashicorp/google", "3.0"), **needs("beta")},
        providers=frozenset({"google"}),
        modules={"m": ("a/b/c", "1.2")},
        core=">= 0.12",
        backend="gcs",
    ),
    Case(
        name="module calls; a local one that is not there is refused here",
        files={
            "a.tf": 'module "far" {\n  source  = "a/b/c"\n  version = "2.0"\n  any = 1\n}\n\nmodule "near" {\n'
            '  source = "./inner"\n}\n',
            "b.tf.json": '{"module": {"above": {"source": "../up", "any": 1}}}',
        },
        modules={"far": ("a/b/c", "2.0"), "near": ("./inner", ""), "above": ("../up", "")},
        wrong=("1: module above: ../up leads out", "7: module near: there is no folder"),
    ),
    Case(
        name="overrides, merged as Terraform merges them: what they leave out stays",
        files={
            "a.tf": 'variable "v" {\n  default = "low"\n}\nvariable "w" {}\nmodule "m" {\n  source = "a/b/c"\n'
            '  version = "1.0"\n}\nresource "null_resource" "r" {}\n',
            "a_override.tf": 'variable "v" {\n  description = "high"\n}\nvariable "new" {}\n'
            'module "m" {\n  version = "1.1"\n}\n',
        },
        variables={"v": ("any", "low", False), "w": ("any", None, True), "new": ("any", None, True)},
        needs=needs("null"),
        modules={"m": ("a/b/c", "1.1")},
    ),
    Case(
        name="aliases, of providers and of what a caller passes in",
        files={
            "a.tf": 'terraform {\n  required_providers {\n    passed = {\n'
            '      configuration_aliases = [passed.x]\n    }\n'
            '  }\n}\nprovider "a" {\n  alias = "red"\n}\nprovider "a" {\n  alias = "blue"\n}\nprovider "b" {}\n'
            'provider "b" {\n  alias = "green"\n}\nprovider "c" {\n  alias = ""\n}\n'
        },
        needs=needs("passed", "a", "b", "c"),
        providers=frozenset({"a.red", "a.blue", "b", "b.green", "c"}),
    ),
    Case(
        name="aliases, in JSON",
        files={
            "a.tf.json": '{"terraform": {"required_providers": {"passed": {"configuration_aliases": ["passed.x"]}}},\n'
            ' "provider": {"a": [{"alias": "red"}, {"alias": "blue"}], "b": [{}, {"alias": "green"}], "c": {}}}'
        },
        needs=needs("passed", "a", "b", "c"),
        providers=frozenset({"a.red", "a.blue", "b", "b.green", "c"}),
    ),
    Case(
        name="versions, in required_providers and in provider blocks",
        files={
            "a.tf": 'provider "a" {}\nprovider "b" {\n  version = "1.0"\n}\nresource "b_thing" "t" {}\nterraform {\n'
            '  required_providers {\n    c = "3.0"\n    b = "2.0"\n  }\n}\n'
        },
        needs={"a": ("hashicorp/a", ""), "b": ("hashicorp/b", "2.0, 1.0"), "c": ("hashicorp/c", "3.0")},
        providers=frozenset({"a", "b"}),
    ),
    Case(
        name="sources",
        files={
            "a.tf": 'terraform {\n  required_providers {\n    a = "2.0"\n    b = {\n      source  = "own/b"\n'
            '      version = "1.0"\n    }\n  }\n}\n'
        },
        needs={"a": ("hashicorp/a", "2.0"), "b": ("own/b", "1.0")},
    ),
    Case(
        name="two required_providers, which Terraform refuses since 0.13",
        files={
            "a.tf": 'terraform {\n  required_providers {\n    a = { source = "own/a" }\n  }\n}\nterraform {\n'
            '  required_providers {\n    a = { source = "other/a" }\n  }\n}\n'
        },
        needs={"a": ("own/a", "")},
        wrong=("7: required_providers is declared twice",),
    ),
    Case(
        name="resources of providers that they name, in both syntaxes",
        files={
            "a.tf": 'resource "aws_vpc" "a" {}\nresource "aws_vpc" "b" {\n  provider = near\n}\n'
            'resource "aws_vpc" "c" {\n  provider = "aws.old"\n}\nresource "terraform_data" "d" {}\n',
            "b.tf.json": '{"resource": {"aws_vpc": {"e": {"provider": "far.x"}}}}',
        },
        needs=needs("aws", "near", "far"),
    ),
    Case(name="no HCL at all", files={"a.tf": "!\n"}, wrong=("1: this is not HCL",)),
    Case(
        name="single values of another type are converted, as Terraform does",
        files={"a.tf": 'module "m" {\n  source = true\n  version = 1.10\n}\nterraform {\n'
            '  required_version = 1.5\n}\n'},
        modules={"m": ("true", "1.10")},
        core="1.5",
    ),
    Case(
        name="each block of a wrong type is told, and the rest is read",
        files={
            "a.tf": 'variable "v" {\n  type = { a = "b" }\n}\nvariable "w" {\n  description = ["x"]\n}\n'
            'module "m" {\n  source = ["x"]\n}\nprovider "p" {\n  version = ["x"]\n}\nterraform {\n'
            '  required_version = ["x"]\n}\nterraform {\n  required_providers {\n    q = ["x"]\n  }\n}\n'
            'variable "fine" {}\n'
        },
        variables={"fine": ("any", None, True)},
        wrong=(
            '2: { a = "b" } is no type',
            "5: description must be a text",
            "8: source must be a text",
            "11: version must be a text",
            "14: required_version must be a text",
            "18: q: must be an object",
        ),
    ),
    Case(
        name="sensitive variables",
        files={
            "a.tf": 'variable "a" {\n  sensitive = true\n}\nvariable "b" {\n  sensitive = false\n  default = "x"\n}\n'
        },
        variables={"a": ("any", None, True), "b": ("any", "x", False)},
    ),
    Case(
        name="types and defaults, an older spelling and JSON among them",
        files={
            "a.tf": 'variable "none" {}\nvariable "list" {\n  type = list(string)\n}\n'
            'variable "old" {\n  type = "map"\n}\n'
            'variable "text" {\n  type = string\n  default = ""\n}\nvariable "null" {\n'
            '  type = string\n  default = null\n'
            '}\nvariable "zero" {\n  type = number\n  default = 0\n}\nvariable "no" {\n'
            '  type = bool\n  default = false\n}\n'
            'variable "object" {\n  type = object({})\n  default = {}\n}\n'
            'variable "items" {\n  type = list(string)\n  default = []\n}\n',
            "b.tf.json": '{"variable": {"json": {"type": "list(string)"}}}',
        },
        variables={
            "none": ("any", None, True),
            "list": ("list(string)", None, True),
            "old": ("map(any)", None, True),
            "text": ("string", "", False),
            "null": ("string", None, False),
            "zero": ("number", 0, False),
            "no": ("bool", False, False),
            "object": ("object({})", {}, False),
            "items": ("list(string)", [], False),
            "json": ("list(string)", None, True),
        },
    ),
)  # fmt: skip


def read(folder: Path, files: Mapping[str, str]) -> Generic:
    for name, text in files.items():
        (folder / name).write_text(text)
    return read_generic(folder, name=".", shown_as=".")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_configuration_declares_what_it_declares(case: Case, tmp_path: Path) -> None:
    found = read(tmp_path, case.files)
    wrong = sorted(found.findings, key=lambda one: (one.origin.file, one.origin.line))
    told = [f"{one.origin.line}: {one.message}" for one in sorted(wrong, key=lambda one: one.origin.line)]
    assert [line[: len(said)] for line, said in zip(told, case.wrong, strict=True)] == list(case.wrong)
    variables = {
        name: (str(one.type), None if one.default is None else plain(one.default), one.required)
        for name, one in found.variables.items()
    }
    assert variables == dict(case.variables)
    if not case.wrong or case.needs:
        assert {name: (one.source, one.version) for name, one in found.requirements.items()} == dict(case.needs)
        assert set(found.providers) == case.providers
        assert {name: (one.source, one.version) for name, one in found.modules.items()} == dict(case.modules)
    assert found.required_version == case.core
    assert (found.backend[0] if found.backend else None) == case.backend


def test_lines_are_those_of_the_blocks(tmp_path: Path) -> None:
    found = read(tmp_path, next(case for case in CASES if case.name == "basics").files)
    assert [one.origin.line for one in found.variables.values()] == [1, 5]
    assert found.requirements["random"].origin.line == 13
    assert found.requirements["random"].implied


def test_what_a_caller_passes_in_is_known_by_its_alias(tmp_path: Path) -> None:
    cases = [case for case in CASES if case.name.startswith("aliases")]
    assert cases
    for case in cases:
        folder = tmp_path / case.name
        folder.mkdir()
        assert read(folder, case.files).requirements["passed"].aliases == ("passed.x",)
