"""Are two values the same to the provider, only written otherwise? Pure.

Equal are: nothing in any spelling (null, "", [] and {}; but an entry of a map with an empty value is an entry, as a tag
is); JSON documents that say the same, policies with what IAM makes of them; one moment in two notations. Null and false
or 0 are not: what is unset has the service's own default.

What this calls equal is no drift, so it errs on the side of a difference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

#: A document inside a string is compared as text beyond these.
MAX_DOCUMENT: Final = 512 * 1024
MAX_DEPTH: Final = 64
_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:?\d{2})")
_ROOT: Final = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):root")
#: Members of a statement that hold one value or several, in no order.
_MANY: Final = frozenset({"Action", "NotAction", "Resource", "NotResource"})
_PRINCIPALS: Final = frozenset({"Principal", "NotPrincipal"})


def same(before: Any, after: Any) -> bool:
    """Whether the two values mean the same."""
    return _same(before, after, 0)


def both_moments(before: Any, after: Any) -> bool:
    """Whether both are points in time: 2026-01-31T12:00:00Z."""
    return moment(before) is not None and moment(after) is not None


def moment(value: Any) -> datetime | None:
    """The point in time that a string is; None for anything else."""
    if not isinstance(value, str) or len(value) > 64 or not _MOMENT.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def is_nothing(value: Any) -> bool:
    """Whether a value says nothing: null, empty text, an empty list or map, or one of nothing but such."""
    return _is_nothing(value, 0)


def plain(value: Any) -> Any:
    """A value with the JSON inside its strings read, and policies in one spelling: equal documents become equal."""
    return _plain(value, 0)


def _same(before: Any, after: Any, depth: int) -> bool:
    if before == after and type(before) is type(after):
        return True
    if depth > MAX_DEPTH:
        return False
    if _is_nothing(before, depth) or _is_nothing(after, depth):
        return _is_nothing(before, depth) and _is_nothing(after, depth)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return all(_same_member(key, before, after, depth + 1) for key in before.keys() | after.keys())
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(
            _same(one, other, depth + 1) for one, other in zip(before, after, strict=True)
        )
    if isinstance(before, str) and isinstance(after, str):
        return _same_text(before, after)
    return not isinstance(before, bool) and not isinstance(after, bool) and bool(before == after)


def _same_member(key: str, before: Mapping[str, Any], after: Mapping[str, Any], depth: int) -> bool:
    if key in before and key in after:
        return _same(before[key], after[key], depth)
    return _says_nothing(before.get(key, after.get(key)), depth)


def _same_text(before: str, after: str) -> bool:
    moments = moment(before), moment(after)
    if moments[0] is not None and moments[1] is not None:
        return moments[0] == moments[1]
    documents = _document(before), _document(after)
    if documents[0] is None or documents[1] is None:
        return False
    return _spelling(documents[0]) == _spelling(documents[1])


def _is_nothing(value: Any, depth: int) -> bool:
    if value is None or value == "":
        return True
    if depth > MAX_DEPTH:
        return False
    if isinstance(value, Mapping):
        return all(_says_nothing(item, depth + 1) for item in value.values())
    return isinstance(value, list) and all(_is_nothing(item, depth + 1) for item in value)


def _says_nothing(member: Any, depth: int) -> bool:
    """Whether a member might as well not be there. An empty text might not: it may be the value of a tag."""
    return member != "" and _is_nothing(member, depth)


def _plain(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        return value
    if isinstance(value, str):
        document = _document(value)
        return value if document is None else _canonical(document)
    if isinstance(value, Mapping):
        return {key: _plain(item, depth + 1) for key, item in value.items()}
    return [_plain(item, depth + 1) for item in value] if isinstance(value, list) else value


def _document(text: str) -> Any:
    """The object or list that a string holds; None where it holds none."""
    if len(text) > MAX_DOCUMENT or not text.lstrip().startswith(("{", "[")):
        return None
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, (dict, list)) and _depth(found) <= MAX_DEPTH else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        # Who reads it decides which of the two counts, so it is equal to nothing but itself.
        raise ValueError("a name twice")
    return made


def _depth(value: Any) -> int:
    deepest, queue = 0, [(value, 1)]
    while queue:
        one, depth = queue.pop()
        deepest = max(deepest, depth)
        if depth <= MAX_DEPTH:
            members: Sequence[Any] = (
                list(one.values()) if isinstance(one, dict) else one if isinstance(one, list) else ()
            )
            queue += [(member, depth + 1) for member in members]
    return deepest


def _canonical(document: Any) -> Any:
    return _policy(document) if isinstance(document, dict) and "Statement" in document else document


def _spelling(document: Any) -> str:
    # True and 1 are two things in JSON, and one in Python.
    return json.dumps(_canonical(document), sort_keys=True)


def _policy(policy: Mapping[str, Any]) -> dict[str, Any]:
    """An IAM policy in one spelling. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html

    IAM keeps no order among statements and values, a single one may stand without its list, and it writes an account's
    principal as the ARN of its root.
    """
    statements = policy["Statement"]
    listed = statements if isinstance(statements, list) else [statements]
    return {
        **{name: value for name, value in policy.items() if not (name == "Id" and value == "")},
        "Statement": _sorted(_statement(one) if isinstance(one, dict) else one for one in listed),
    }


def _statement(statement: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in statement.items():
        if name in _MANY:
            made[name] = _several(value)
        elif name in _PRINCIPALS:
            made[name] = _principal(value)
        elif name == "Condition" and isinstance(value, dict):
            made[name] = _condition(value)
        elif not (name == "Sid" and value == ""):
            made[name] = value
    return made


def _condition(condition: Mapping[str, Any]) -> dict[str, Any]:
    """By operator and key; keys have no case, and a true is as good as its text."""
    made: dict[str, Any] = {}
    for operator, keys in condition.items():
        if not isinstance(keys, dict) or len({key.lower() for key in keys}) != len(keys):
            made[operator] = keys
            continue
        made[operator] = {key.lower(): _several(_texts(value)) for key, value in keys.items()}
    return made


def _texts(value: Any) -> Any:
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return json.dumps(value) if isinstance(value, (bool, int)) else value


def _principal(value: Any) -> Any:
    if value == "*":
        return {"AWS": ["*"]}
    if not isinstance(value, dict):
        return value
    made = {kind: _several(names) for kind, names in value.items()}
    if "AWS" in made and isinstance(made["AWS"], list):
        made["AWS"] = _several([_account(name) for name in made["AWS"]])
    return made


def _account(name: Any) -> Any:
    if isinstance(name, str) and (root := _ROOT.fullmatch(name)):
        return root[1]
    return name


def _several(value: Any) -> Any:
    return _sorted(value) if isinstance(value, list) else [value]


def _sorted(values: Iterator[Any] | Sequence[Any]) -> list[Any]:
    return sorted(values, key=lambda value: json.dumps(value, sort_keys=True))
