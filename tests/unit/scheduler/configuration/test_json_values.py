"""`*.tfvars.json` as JSON: what Terraform reads there is read, with the line of each name."""

from __future__ import annotations

import pytest

from scheduler.configuration.json_values import parse_json_values
from scheduler.configuration.nodes import plain
from scheduler.configuration.report import Refused


def test_values_have_the_place_of_their_name() -> None:
    text = '{ "a" : 1,\n\t"b": {"x": [true, null, 2.5, "\\ud83d\\ude00"]}\n,\n  "c,:{": "}" }\n'
    found = parse_json_values(text.encode(), "x.json")
    assert {name: plain(node) for name, node in found.items()} == {
        "a": 1,
        "b": {"x": [True, None, 2.5, "\U0001f600"]},
        "c,:{": "}",
    }
    assert [(node.origin.line, node.origin.column) for node in found.values()] == [(1, 3), (2, 2), (4, 3)]
    assert parse_json_values(b" {} ", "x.json") == {}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[1]", 1, "must be a JSON object"),
        ('{\n"a": 1\n"b": 2}', 3, "not valid JSON"),
        ('{"a": 1, "a": 2}', 1, "the key 'a' stands twice"),
        ('{\n"a": "\\ud83d"}', 2, "half of a surrogate pair"),
        ('{"\\ud83d": 1}', 1, "half of a surrogate pair"),
        ('{"a": NaN}', 1, "NaN is no number"),
        ('{"a": 1e999}', 1, "cannot be kept exactly"),
        ('{"a": 0.12345678901234567890123}', 1, "cannot be kept exactly"),
        (f'{{"a": {"9" * 5000}}}', 1, "cannot be kept exactly"),
        (f'{{\n"a": {"[" * 100 + "]" * 100}}}', 2, "nested deeper"),
        (f'{{"a": {"[" * 100_000 + "]" * 100_000}}}', 1, "nested"),
    ],
)
def test_what_is_no_value_is_refused_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_json_values(text.encode(), "x.json")
    assert caught.value.finding.origin.line == line
    assert said in caught.value.finding.message
