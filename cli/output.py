"""Where a command's words go: data to stdout, everything else to stderr.

With `--json` stdout carries JSON and nothing else, so that a script may parse all of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

# A pipe has no width; Rich would assume 80 columns and cut ids in half.
PIPE_WIDTH_COLUMNS = 200

# Set by `main` from the whole command line, so that `interlock --json run ls` means the same as `run ls --json`.
json_wanted: ContextVar[bool] = ContextVar("json_wanted", default=False)

JsonFlag = Annotated[bool, typer.Option("--json", help="Write JSON, and only JSON, to stdout.")]
YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask (nobody is asked where stdin is no terminal).")
]


def wants_json(argv: Sequence[str]) -> bool:
    """Whether `--json` stands among our own arguments: those before a bare `--`, after which a command's own begin."""
    ours = argv[: list(argv).index("--")] if "--" in argv else argv
    return "--json" in ours


def examples(*lines: str) -> str:
    """An epilog for `--help` with one example a line (``\\b`` keeps the line breaks)."""
    return "Examples:\n\n\b\n" + "\n".join(f"  $ {line}" for line in lines)


def plain(value: Any) -> Any:
    """`value` as JSON types: pydantic models, and lists and dicts of them, become dicts."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def make_console(*, stderr: bool = False) -> Console:
    """A Rich console on stdout or stderr. NO_COLOR is honoured; text is never taken for markup or highlighted."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH_COLUMNS
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


class Output:
    """One command's output. `as_json` says whether stdout is for a program or for a person."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json or json_wanted.get()

    def data(self, value: Any) -> None:
        """`value` as one indented JSON document on stdout; only in JSON mode."""
        if self.as_json:
            sys.stdout.write(json.dumps(plain(value), indent=2, sort_keys=False) + "\n")
            sys.stdout.flush()

    def line(self, value: Any) -> None:
        """`value` as one line of JSON on stdout, for streams; only in JSON mode."""
        if self.as_json:
            sys.stdout.write(json.dumps(plain(value)) + "\n")
            sys.stdout.flush()

    def say(self, text: str) -> None:
        """A line for a person on stdout; silent in JSON mode."""
        if not self.as_json:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def note(self, text: str) -> None:
        """A line about what is going on, on stderr in both modes."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def raw(self, text: str) -> None:
        """A piece of a run's log as it came: to stdout for a person, to stderr in JSON mode."""
        stream = sys.stderr if self.as_json else sys.stdout
        stream.write(text)
        stream.flush()

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
        """A table on stdout, or the sentence `empty` on stderr where there are no rows; silent in JSON mode."""
        if self.as_json:
            return
        lines = [[cell(value) for value in row] for row in rows]
        if not lines:
            self.note(empty)
            return
        make_console().print(make_table(columns, lines))

    def fields(self, pairs: Iterable[tuple[str, object]]) -> None:
        """Names and values, one a line, on stdout; values of None are left out; silent in JSON mode."""
        known = [(name, value) for name, value in pairs if value is not None and value != ""]
        width = max((len(name) for name, _ in known), default=0)
        for name, value in known:
            self.say(f"{name:<{width}}  {cell(value)}")


def make_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Any:
    """A Rich table without a frame. Nothing is shortened: an id that is cut cannot be pasted."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def cell(value: object) -> str:
    """A value as a person reads it in a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if hasattr(value, "isoformat"):
        return str(value.isoformat(sep=" ", timespec="seconds"))
    return str(value)
