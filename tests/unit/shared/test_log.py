"""One event, one line."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from shared.log import MAX_VALUE_CHARS, configure_logging, format_event, log_event


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("INFO", component="proxy", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "cut"),
        ({"run": "run-1", "epoch": 3}, "cut run=run-1 epoch=3"),
        ({"reason": "worker died"}, 'cut reason="worker died"'),
        ({"reason": ""}, 'cut reason=""'),
        ({"reason": 'say "no"\nnow'}, 'cut reason="say \\"no\\"\\nnow"'),
        ({"ok": True, "gone": None}, "cut ok=true"),
    ],
)
def test_fields_follow_the_event_in_order(fields: dict[str, object], line: str) -> None:
    assert format_event("cut", **fields) == line


def test_a_value_without_end_is_cut() -> None:
    assert len(format_event("cut", text="x" * 10 * MAX_VALUE_CHARS)) < MAX_VALUE_CHARS + 100


def test_a_line_names_level_and_component(stream: io.StringIO) -> None:
    log_event(logging.getLogger("x"), "cut", level=logging.WARNING, epoch=3)
    assert stream.getvalue().endswith(" WARNING proxy cut epoch=3\n")


def test_below_the_level_nothing_is_said(stream: io.StringIO) -> None:
    log_event(logging.getLogger("x"), "poll", level=logging.DEBUG)
    logging.getLogger("httpx").info("GET")
    assert stream.getvalue() == ""


def test_lines_of_a_traceback_are_indented(stream: io.StringIO) -> None:
    logging.getLogger("x").error("a\nb")
    assert stream.getvalue().endswith("a\n  b\n")
