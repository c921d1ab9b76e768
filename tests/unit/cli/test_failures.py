"""How an exception ends a command."""

from __future__ import annotations

import json

import pytest
import typer

from cli.failures import Interrupted, explain, report
from shared import exit_codes
from shared.errors import ApiError, ConfigurationError, LeaseLost, LeaseRefused, Unavailable


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("m"), exit_codes.USAGE),
        (Unavailable("m"), exit_codes.UNAVAILABLE),
        (LeaseLost("m"), exit_codes.LEASE_LOST),
        (LeaseRefused("m"), exit_codes.REFUSED),
        (ApiError("m", status=401, code="unauthorized"), exit_codes.REFUSED),
        (ApiError("m", status=404, code="unknown_target"), exit_codes.USAGE),
        (ApiError("m", status=422, code="invalid"), exit_codes.USAGE),
        (ApiError("m", status=409, code="conflict"), exit_codes.ERROR),
        (ApiError("m", status=500, code="internal"), exit_codes.ERROR),
        (typer.BadParameter("m"), exit_codes.USAGE),
        (typer.Abort(), exit_codes.CANCELED),
        (Interrupted(), exit_codes.CANCELED),
        (KeyboardInterrupt(), exit_codes.CANCELED),
        (FileNotFoundError(2, "No such file or directory", "x.yaml"), exit_codes.ERROR),
        (KeyError("m"), exit_codes.ERROR),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert explain(error)[2] == code


def test_message_and_hint_are_two_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(ConfigurationError("it broke", hint="mend it"), as_json=False) == exit_codes.USAGE
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "error: it broke\nhint: mend it\n")


def test_in_json_mode_the_error_is_also_an_object_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    report(ConfigurationError("it broke", hint="mend it"), as_json=True)
    said = capsys.readouterr()
    assert json.loads(said.out) == {"error": {"message": "it broke", "hint": "mend it", "exit_code": 64}}
    assert "error: it broke" in said.err


def test_an_unexpected_error_shows_no_traceback_and_says_how_to_get_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INTERLOCK_DEBUG", raising=False)
    assert report(ZeroDivisionError("division by zero"), as_json=False) == exit_codes.ERROR
    said = capsys.readouterr().err
    assert "error: unexpected ZeroDivisionError: division by zero" in said
    assert "INTERLOCK_DEBUG=1" in said
    assert "Traceback" not in said


def test_with_debug_set_the_traceback_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLOCK_DEBUG", "1")
    try:
        raise ZeroDivisionError("x")
    except ZeroDivisionError as error:
        report(error, as_json=False)
    assert "Traceback" in capsys.readouterr().err
