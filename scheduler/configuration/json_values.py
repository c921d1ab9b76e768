"""The values of a `*.tfvars.json` file by name, read as JSON: its texts have escapes that YAML's have not."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from scheduler.configuration.nodes import ListNode, MapNode, Node, Origin, Scalar
from scheduler.configuration.report import Kind, Refused
from scheduler.configuration.yaml_source import MAX_DEPTH, decode

_SPACE: Final = re.compile(r"[ \t\n\r]*[,:]?[ \t\n\r]*")

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def parse_json_values(content: bytes, file: str) -> dict[str, Node]:
    """The values by name; each, with all that is in it, has the place of its name.

    Raises:
        Refused: not UTF-8, too large, no JSON object, a name twice, or what no value of Terraform is; names the line.
    """
    text = decode(content, file)
    decoder = json.JSONDecoder(object_pairs_hook=_object, parse_float=_number, parse_int=_number, parse_constant=_no)
    try:
        whole = decoder.decode(text)
    except json.JSONDecodeError as error:
        place = Origin(file, error.lineno, error.colno)
        raise Refused(Kind.SYNTAX, place, f"not valid JSON: {error.msg}", hint="mend the file") from None
    except (ValueError, RecursionError) as error:
        message = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise Refused(Kind.SYNTAX, Origin(file, 1), message, hint="mend the file") from None
    if not isinstance(whole, dict):
        raise Refused(Kind.SYNTAX, Origin(file, 1), "must be a JSON object", hint="each value by its variable's name")
    values: dict[str, Node] = {}
    at, line, counted, begin = text.index("{") + 1, 1, 0, -1
    for _ in whole:
        at = _after_space(text, at)
        line, begin, counted = line + text.count("\n", counted, at), max(begin, text.rfind("\n", counted, at)), at
        origin = Origin(file, line, at - begin)
        name, at = decoder.raw_decode(text, at)
        value, at = decoder.raw_decode(text, _after_space(text, at))
        values[_text(name, origin)] = _node(value, origin, 0)
    return values


def _after_space(text: str, at: int) -> int:
    """Where the next name or value begins: behind blanks, and one comma or colon."""
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name!r} stands twice in one object")
        found[name] = value
    return found


def _number(text: str) -> int | float:
    value = int(text) if len(text) <= 40 and text.lstrip("-").isdigit() else float(text)
    if value in (float("inf"), float("-inf")) or Decimal(repr(value)) != Decimal(text):
        raise ValueError(f"{text[:40]} cannot be kept exactly as a number")
    return value


def _no(text: str) -> Any:
    raise ValueError(f"{text} is no number that Terraform has")


def _node(value: Any, origin: Origin, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise Refused(Kind.SYNTAX, origin, f"nested deeper than {MAX_DEPTH}", hint="flatten it")
    match value:
        case list():
            return ListNode(items=tuple(_node(item, origin, depth + 1) for item in value), origin=origin)
        case dict():
            entries = {_text(key, origin): _node(item, origin, depth + 1) for key, item in value.items()}
            return MapNode(entries=entries, origin=origin, keys=dict.fromkeys(entries, origin))
        case str():
            return Scalar(value=_text(value, origin), origin=origin, text=value)
        case _:
            return Scalar(value=value, origin=origin, text=json.dumps(value))


def _text(value: str, origin: Origin) -> str:
    if _SURROGATE.search(value):
        raise Refused(Kind.SYNTAX, origin, "half of a surrogate pair is no text", hint="write the character itself")
    return value
