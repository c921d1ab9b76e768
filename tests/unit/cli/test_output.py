"""Where words go."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from cli.findings import ok
from cli.output import Output, cell, examples, plain, wants_json


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["run", "ls", "--json"], True),
        (["--json", "run", "ls"], True),
        (["run", "ls"], False),
        (["exec", "--target", "t", "--", "aws", "--json"], False),
        (["exec", "--json", "--", "aws"], True),
    ],
)
def test_json_counts_only_before_a_bare_double_dash(argv: list[str], expected: bool) -> None:
    assert wants_json(argv) is expected


def test_in_json_mode_stdout_is_json_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(as_json=True)
    out.say("hello")
    out.table(("A",), [("1",)], empty="none")
    out.fields([("a", 1)])
    out.raw("log\n")
    out.note("note")
    out.data({"x": [ok("n", "w")]})
    said = capsys.readouterr()
    assert json.loads(said.out) == {"x": [{"name": "n", "status": "ok", "what": "w", "mend": ""}]}
    assert said.err == "log\nnote\n"


def test_for_a_person_stdout_has_the_words_and_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(as_json=False)
    out.data({"x": 1})
    out.line({"x": 1})
    out.say("hello")
    out.raw("log\n")
    assert capsys.readouterr().out == "hello\nlog\n"


def test_a_table_never_shortens_an_id(capsys: pytest.CaptureFixture[str]) -> None:
    wide = "run-0123456789abcdef"
    Output(as_json=False).table(("RUN", *"ABCDEFG"), [(wide, *["x" * 20] * 7)], empty="none")
    assert wide in capsys.readouterr().out


def test_an_empty_table_says_what_to_do_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).table(("A",), [], empty="no runs; make one")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "no runs; make one\n")


def test_fields_leave_out_what_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).fields([("id", "x"), ("node", None), ("cancel", False), ("reason", "")])
    assert capsys.readouterr().out == "id      x\ncancel  no\n"


def test_a_table_takes_brackets_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).table(("A",), [("[red]x[/red]",)], empty="none")
    assert "[red]x[/red]" in capsys.readouterr().out


def test_cells_read_as_a_person_would_write_them() -> None:
    assert cell(None) == "-"
    assert cell(True) == "yes"
    assert cell(datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)) == "2026-01-02 03:04:05+00:00"


def test_plain_reaches_into_lists_and_mappings() -> None:
    assert plain({"a": (ok("n", "w"),), 1: None}) == {
        "a": [{"name": "n", "status": "ok", "what": "w", "mend": ""}],
        "1": None,
    }


def test_examples_stand_one_a_line() -> None:
    assert examples("interlock a", "interlock b").splitlines()[-2:] == ["  $ interlock a", "  $ interlock b"]
