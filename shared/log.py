"""Logs of one line an event: `event key=value key=value`, easy to read and to cut apart."""

from __future__ import annotations

import json
import logging
import sys
from typing import Final, TextIO

_BARE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/@+,*%")
MAX_VALUE_CHARS: Final = 2048


def configure_logging(level: str, *, component: str, stream: TextIO | None = None) -> None:
    """Send all records at or above `level` to `stream` (standard error), each marked with `component`."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_LineFormatter(component))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # One line for each HTTP request or script would drown what people look for.
    for noisy in ("httpx", "httpcore", "asyncio", "hpack"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def log_event(logger: logging.Logger, event: str, *, level: int = logging.INFO, **fields: object) -> None:
    """Log one canonical line: the event's name, then its fields in the order given."""
    if logger.isEnabledFor(level):
        logger.log(level, "%s", format_event(event, **fields))


def format_event(event: str, **fields: object) -> str:
    """Return `event key=value …`; a value with other than plain characters is quoted as JSON, None is left out."""
    parts = [event]
    parts.extend(f"{key}={_value(value)}" for key, value in fields.items() if value is not None)
    return " ".join(parts)


def _value(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if len(text) > MAX_VALUE_CHARS:
        text = text[:MAX_VALUE_CHARS] + "…"
    return text if text and _BARE.issuperset(text) else json.dumps(text, ensure_ascii=False)


class _LineFormatter(logging.Formatter):
    def __init__(self, component: str) -> None:
        super().__init__(f"%(asctime)s %(levelname)s {component} %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return line.replace("\n", "\n  ")
