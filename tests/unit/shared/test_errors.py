"""Errors say what happened, to what, and what to do."""

from __future__ import annotations

import pytest

from shared import errors, exit_codes


def test_message_and_hint_are_kept_apart() -> None:
    error = errors.Unavailable("Redis did not answer", hint="is it running?")
    assert (str(error), error.hint) == ("Redis did not answer", "is it running?")


def test_an_api_error_keeps_status_and_code() -> None:
    error = errors.ApiError("no such run", status=404, code="not_found")
    assert (error.status, error.code, error.hint) == (404, "not_found", "")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.ConfigurationError, exit_codes.USAGE),
        (errors.Unavailable, exit_codes.UNAVAILABLE),
        (errors.LeaseLost, exit_codes.LEASE_LOST),
        (errors.LeaseRefused, exit_codes.REFUSED),
        (errors.PeerError, exit_codes.ERROR),
        (errors.ApiError, exit_codes.ERROR),
        (errors.IllegalTransition, exit_codes.ERROR),
    ],
)
def test_each_has_its_exit_code(kind: type[errors.InterlockError], code: int) -> None:
    assert kind.exit_code == code
    assert issubclass(kind, errors.InterlockError)
