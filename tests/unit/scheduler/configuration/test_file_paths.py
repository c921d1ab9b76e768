"""A file that a worker would not have is refused before anything is published."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from scheduler.configuration.file_paths import escaping_paths
from scheduler.configuration.hcl import parse_hcl
from scheduler.configuration.report import Kind
from tests.unit.scheduler.configuration.fleets import FILES, findings


def escaping(call: str, module: str = ".") -> list[int]:
    (block,) = parse_hcl(f"locals {{\n  a = [{call}]\n}}\n".encode(), "x.tf")
    return [one.origin.line for one in escaping_paths(block, "x.tf", PurePosixPath(module))]


@pytest.mark.parametrize(
    "call",
    [
        'file("../flock.yaml")',
        'file("/etc/passwd")',
        'file("~/.ssh/id_rsa")',
        'templatefile("${path.module}/../x.tpl", { a = 1 })',
        'upper(file("${path.root}/a/../../x"))',
        'fileset("..", "*.tf")',
    ],
)
def test_a_path_that_leads_out_is_told(call: str) -> None:
    assert escaping(call) == [2]


@pytest.mark.parametrize(
    "call",
    [
        'file("a.txt")',
        'file("${path.module}/a/../b.txt")',
        'file("${var.where}/../x")',
        "file(var.where)",
        'format("../%s", 1)',
        "file()",
        'file("..a")',
    ],
)
def test_a_path_inside_or_one_that_is_computed_is_not(call: str) -> None:
    assert escaping(call) == []


def test_a_module_may_look_around_in_the_configuration_and_no_further() -> None:
    assert escaping('file("${path.module}/../x")', "inner") == []
    assert escaping('file("${path.module}/../../x")', "inner") == [2]


def test_it_is_refused_with_its_place_in_modules_too(tmp_path: Path) -> None:
    files = {
        **FILES,
        "tf/main.tf": FILES["tf/main.tf"] + 'module "m" {\n  source = "./m"\n}\n',
        "tf/m/main.tf": '\nlocals {\n  a = file("${path.module}/../../flock.yaml")\n}\n',
    }
    (told,) = findings(tmp_path, files)
    assert (told.kind, str(told.origin)) == (Kind.OUTSIDE, f"{tmp_path}/tf/m/main.tf:3")
