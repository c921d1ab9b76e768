"""The one place where an exception becomes two lines on stderr and an exit code; nobody sees a traceback unasked."""

from __future__ import annotations

import os
import sys
import traceback

from typer.exceptions import Abort, TyperException

from cli.output import Output
from shared import exit_codes
from shared.errors import ApiError, InterlockError

DEBUG_VARIABLE = "INTERLOCK_DEBUG"
FORBIDDEN_STATUSES = (401, 403)
# What was asked for does not exist or makes no sense, whatever the state of the system.
USAGE_STATUSES = (400, 404, 413, 422)


class Interrupted(InterlockError):  # noqa: N818 - named after what happened, as in shared.errors
    """Ctrl-C ended a command. Raised instead of KeyboardInterrupt, which Typer turns into a silent exit code."""

    exit_code = exit_codes.CANCELED

    def __init__(self) -> None:
        """Say so."""
        super().__init__("interrupted")


def report(error: BaseException, *, as_json: bool) -> int:
    """Say what `error` means on stderr (in JSON mode also as an object on stdout) and return the exit code for it."""
    if isinstance(error, BrokenPipeError):
        # `interlock run logs | head`: nobody to tell, and a flush at exit must not raise again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.ERROR
    message, hint, exit_code = explain(error)
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error, file=sys.stderr)
    if message:
        _print(message, hint)
    Output(as_json=as_json).data({"error": {"message": message, "hint": hint, "exit_code": exit_code}})
    return exit_code


def explain(error: BaseException) -> tuple[str, str, int]:
    """Message, hint and exit code for `error`. Pure."""
    if isinstance(error, ApiError) and error.status in FORBIDDEN_STATUSES:
        return error.message, error.hint, exit_codes.REFUSED
    if isinstance(error, ApiError) and error.status in USAGE_STATUSES:
        return error.message, error.hint, exit_codes.USAGE
    if isinstance(error, InterlockError):
        return error.message, error.hint, error.exit_code
    if isinstance(error, TyperException):
        # An empty message is a group without a command: its help was printed already.
        return error.format_message(), "`--help` after any command shows its options and examples", exit_codes.USAGE
    if isinstance(error, Abort):
        return "not confirmed; nothing was done", "--yes answers the question", exit_codes.CANCELED
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", "", exit_codes.CANCELED
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}", "check the path and its permissions", exit_codes.ERROR
    name = type(error).__name__
    detail = f"{name}: {error}" if str(error) else name
    return (
        f"unexpected {detail}",
        f"this is a bug in Interlock; set {DEBUG_VARIABLE}=1 to see where it happened, and report it",
        exit_codes.ERROR,
    )


def _print(message: str, hint: str) -> None:
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    label = "\x1b[31merror:\x1b[0m" if colour else "error:"
    sys.stderr.write(f"{label} {message}\n")
    if hint:
        sys.stderr.write(f"hint: {hint}\n")
    sys.stderr.flush()
