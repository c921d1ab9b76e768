"""Rendered files as Terraform itself reads them: values arrive unchanged, overrides take hold, faults are named."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.terraform_check import terraform_findings
from scheduler.configuration.check import check
from scheduler.configuration.fleet import load_flock
from scheduler.configuration.nodes import plain
from scheduler.configuration.render import VARIABLES_FILE
from scheduler.configuration.report import Kind
from shared.settings import Settings
from tests.unit.scheduler.configuration.fleets import write
from worker.terraform_binary import find_terraform

pytestmark = pytest.mark.terraform

MAIN = """\
variable "texts" {
  type = map(string)
}
variable "shape" {
  type = object({
    size = number
    tags = optional(map(string), { a = "b" })
    list = list(any)
  })
  default = { size = 1, list = ["low"] }
}
variable "nothing" {
  default = "something"
}
variable "left" {
  default = ["as", "it is"]
}
output "all" {
  value = { texts = var.texts, shape = var.shape, nothing = var.nothing, left = var.left }
}
"""
FLOCK = """\
name: shop
configuration: tf
variables:
  texts:
    dollar: $${not.ours} %{if}
    quote: "\\"\\\\ é \\u2028"
    norway: no
    number: 5
    zero: "0.10"
  shape: {size: 1.5, list: {$append: [high]}}
  nothing: null
targets:
  - region: north
"""


def terraform(folder: Path, *words: str) -> str:
    argv = [*find_terraform(None).argv(confined=False), *words]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_terraform_reads_every_value_as_it_was_written(tmp_path: Path) -> None:
    checked = check(load_flock(write(tmp_path, {"flock.yaml": FLOCK, "tf/main.tf": MAIN})))
    assert checked.report.findings == ()
    (target,) = checked.targets
    work = tmp_path / "work"
    work.mkdir()
    (work / "main.tf").write_text(MAIN)
    (work / VARIABLES_FILE).write_text(target.files[VARIABLES_FILE])
    terraform(work, "init", "-input=false")
    terraform(work, "apply", "-auto-approve", "-input=false")
    arrived: Any = json.loads(terraform(work, "output", "-json", "all"))
    assert arrived["texts"] == {
        "dollar": "${not.ours} %{if}",
        "quote": '"\\ é \u2028',
        "norway": "no",
        "number": "5",
        "zero": "0.10",
    }
    assert arrived["shape"] == {"size": 1.5, "tags": {"a": "b"}, "list": ["low", "high"]}
    assert arrived["nothing"] is None
    assert arrived["left"] == ["as", "it is"]
    assert plain(target.variables)["texts"]["norway"] == "no"


def test_terraform_validate_is_asked_for_every_target_and_its_words_are_kept(tmp_path: Path) -> None:
    broken = MAIN + 'resource "terraform_data" "x" {\n  inptu = var.nothing\n}\n'
    files = {"flock.yaml": FLOCK, "tf/main.tf": broken}
    checked = check(load_flock(write(tmp_path, files)))
    assert checked.report.findings == ()
    (found,) = terraform_findings(checked, Settings(home=tmp_path))
    assert (found.kind, found.targets) == (Kind.TERRAFORM, ("shop.north",))
    assert str(found.origin) == f"{tmp_path}/tf/main.tf:22"
    assert "Unsupported argument" in found.message
    write(tmp_path, {"tf/main.tf": MAIN})
    assert terraform_findings(check(load_flock(tmp_path)), Settings(home=tmp_path)) == []
    assert not list((tmp_path / "tf").glob(".terraform*"))
