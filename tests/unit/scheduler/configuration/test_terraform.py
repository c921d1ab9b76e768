"""What a generic configuration declares, read from native syntax, JSON and overrides."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.configuration.nodes import plain
from scheduler.configuration.report import Kind
from scheduler.configuration.terraform import Generic, has_terraform_files, read_generic

VARIABLES = """\
variable "size" {
  description = "How many."
  type        = object({ min = number, max = optional(number, 3), "odd" = any })
  default     = { min = 1, odd = [true] }
  nullable    = false

  validation {
    condition     = var.size.min > 0
    error_message = "At least one."
  }
}

variable secret {
  sensitive = true
  ephemeral = true
  default   = null
}

variable "old" { type = "list" }
"""
MAIN = """\
terraform {
  required_version = ">= 1.6"
  backend "s3" {
    bucket = "states"
  }
  required_providers {
    aws    = { source = "hashicorp/aws", version = "~> 5.0" }
    random = "3.1"
  }
}

provider "aws" {
  region = "eu-west-1"
}

provider "aws" {
  alias = "dns"
}

module "net" {
  source = "./net"
}

module "remote" {
  source  = "terraform-aws-modules/vpc/aws"
  version = "5.1.0"
}
"""


def read(folder: Path, files: dict[str, str]) -> Generic:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return read_generic(folder, name="tf", shown_as="tf")


@pytest.fixture
def generic(tmp_path: Path) -> Generic:
    net = 'variable "inner" {}\nlocals {\n  zone = "eu-west-1b"\n}\n'
    return read(tmp_path, {"variables.tf": VARIABLES, "main.tf": MAIN, "net/main.tf": net})


def test_variables_have_type_default_flags_and_rules_with_lines(generic: Generic) -> None:
    size = generic.variables["size"]
    assert str(size.type) == "object({min = number, max = optional(number, 3), odd = any})"
    assert size.default is not None
    assert plain(size.default) == {"min": 1, "odd": [True]}
    assert (size.required, size.nullable, size.sensitive, size.description) == (False, False, False, "How many.")
    (rule,) = size.validations
    assert (rule.condition, rule.message, rule.origin.line) == ("var.size.min > 0", "At least one.", 7)
    assert str(size.origin) == "tf/variables.tf:1"
    secret = generic.variables["secret"]
    assert (secret.sensitive, secret.ephemeral, secret.required, str(secret.type)) == (True, True, False, "any")
    assert str(generic.variables["old"].type) == "list(any)"
    assert generic.variables["old"].required


def test_providers_backend_modules_and_versions_are_found(generic: Generic) -> None:
    assert set(generic.providers) == {"aws", "aws.dns"}
    assert [(one.name, one.source, one.version) for one in generic.requirements.values()] == [
        ("aws", "hashicorp/aws", "~> 5.0"),
        ("random", "hashicorp/random", "3.1"),
    ]
    assert generic.backend is not None
    assert (generic.backend[0], str(generic.backend[1])) == ("s3", "tf/main.tf:3")
    assert generic.modules["remote"].version == "5.1.0"
    assert generic.required_version == ">= 1.6"
    assert generic.findings == ()


def test_outputs_are_known_and_whether_they_are_secrets(tmp_path: Path) -> None:
    text = (
        'output "a" {\n  value = 1\n}\noutput "b" {\n  value = 1\n  sensitive = true\n}\n'
        'output "c" {\n  value = 1\n  sensitive = var.hidden\n}\n'
    )
    (tmp_path / "main.tf").write_text(text)
    (tmp_path / "more.tf.json").write_text('{"output": {"d": {"value": 1, "sensitive": false}}}')
    (tmp_path / "main_override.tf").write_text('output "a" {\n  sensitive = true\n}\n')
    found = read_generic(tmp_path, name="tf", shown_as="tf")
    assert found.outputs == {"a": True, "b": True, "c": True, "d": False}


def test_variables_of_a_module_are_its_own_but_what_is_hard_coded_in_it_is_told(generic: Generic) -> None:
    assert "inner" not in generic.variables
    assert [(one.value, str(one.origin)) for one in generic.suspects] == [
        ("eu-west-1", "tf/main.tf:13"),
        ("eu-west-1b", "tf/net/main.tf:3"),
    ]


def test_an_override_file_changes_what_it_names_and_declares_nothing_twice(tmp_path: Path) -> None:
    override = 'variable "size" {\n  default = { min = 7, odd = 1 }\n}\n'
    generic = read(tmp_path, {"variables.tf": VARIABLES, "a_override.tf": override})
    size = generic.variables["size"]
    assert size.default is not None
    assert plain(size.default) == {"min": 7, "odd": 1}
    assert str(size.type).startswith("object")
    assert generic.findings == ()


def test_a_file_that_cannot_be_read_makes_the_rest_incomplete_not_unread(tmp_path: Path) -> None:
    generic = read(tmp_path, {"variables.tf": VARIABLES, "broken.tf": "x {\n"})
    assert set(generic.variables) == {"size", "secret", "old"}
    assert generic.incomplete
    assert [one.kind for one in generic.findings] == [Kind.SYNTAX]


def test_a_link_out_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("x")
    (tmp_path / "tf").mkdir()
    (tmp_path / "tf" / "link").symlink_to(tmp_path / "outside")
    generic = read(tmp_path / "tf", {"main.tf": ""})
    assert [one.kind for one in generic.findings] == [Kind.OUTSIDE]


def test_modules_that_use_each_other_are_read_once(tmp_path: Path) -> None:
    files = {
        "main.tf": 'module "a" {\n  source = "./a"\n}\n',
        "a/main.tf": 'module "b" {\n  source = "../b"\n}\n',
        "b/main.tf": 'module "a" {\n  source = "../a"\n}\nlocals {\n  r = "us-east-1"\n}\n',
    }
    assert [one.value for one in read(tmp_path, files).suspects] == ["us-east-1"]


def test_the_digest_names_every_file(tmp_path: Path) -> None:
    first = read(tmp_path, {"main.tf": MAIN, "net/main.tf": "", "template.txt": "a"})
    assert set(first.files) == {"main.tf", "net/main.tf", "template.txt"}
    assert read(tmp_path, {"template.txt": "b"}).digest != first.digest
    assert read(tmp_path, {"template.txt": "a", "x.tfstate": "{}"}).digest == first.digest


def test_a_folder_is_a_configuration_when_terraform_says_so(tmp_path: Path) -> None:
    assert not has_terraform_files(tmp_path)
    (tmp_path / "main.tf.json").write_text("{}")
    assert has_terraform_files(tmp_path)
