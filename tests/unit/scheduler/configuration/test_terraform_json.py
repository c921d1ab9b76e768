"""JSON syntax declares the same as the native one."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.configuration.report import Kind, Refused
from scheduler.configuration.terraform import read_generic
from scheduler.configuration.terraform_json import parse_terraform_json

JSON = """\
{
\t"//": "a comment",
  "terraform": {
    "required_version": ">= 1.6",
    "backend": {"s3": {"bucket": "states"}},
    "required_providers": {"aws": {"source": "hashicorp/aws", "version": "5.1"}}
  },
  "provider": {"aws": [{"region": "${var.region}"}, {"alias": "dns"}]},
  "module": {"net": {"source": "./net"}},
  "variable": {
    "size": {
      "type": "${map(number)}",
      "default": {"a": 1},
      "nullable": false,
      "validation": {"condition": "${length(var.size) > 0}", "error_message": "Not empty."}
    },
    "name": {"type": "string", "sensitive": true}
  }
}
"""


def test_every_declaration_is_found_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "main.tf.json").write_text(JSON)
    (tmp_path / "net").mkdir()
    generic = read_generic(tmp_path, name=".", shown_as=".")
    assert generic.findings == ()
    size = generic.variables["size"]
    assert (str(size.type), size.nullable, size.required, size.origin.line) == ("map(number)", False, False, 11)
    assert size.validations[0].condition == "length(var.size) > 0"
    assert size.validations[0].syntax is not None
    assert generic.variables["name"].sensitive
    assert set(generic.providers) == {"aws", "aws.dns"}
    assert generic.backend is not None
    assert generic.backend[0] == "s3"
    assert generic.requirements["aws"].version == "5.1"
    assert generic.modules["net"].source == "./net"
    assert generic.required_version == ">= 1.6"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "JSON object"),
        ('{"variable": {"a": 1}}', "must be an object"),
        ('{"variable": {"a": {"type": "map("}}}', "no expression"),
        ('{"variable": {"a": {}, "a": {}}}', "twice"),
        ("{", "not valid"),
    ],
)
def test_what_is_no_configuration_is_refused(text: str, message: str) -> None:
    with pytest.raises(Refused, match=message) as caught:
        parse_terraform_json(text.encode(), "x.tf.json")
    assert caught.value.finding.kind is Kind.SYNTAX
