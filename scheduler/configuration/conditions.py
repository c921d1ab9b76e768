"""Validation rules of variables, as far as they can be judged without Terraform.

What such rules are mostly made of is evaluated: comparisons, logic, `length`, `contains`, `can(regex(…))`,
`alltrue([for …])`. Whatever else stands in a rule makes it unknown, and an unknown rule is left to Terraform: this
never refuses what Terraform would take.
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from scheduler.configuration.hcl import Syntax, literal, text_of
from scheduler.configuration.nodes import Node, plain
from scheduler.configuration.terraform import Validation

MAX_TEXT_CHARS: Final = 4096
MAX_DEPTH: Final = 60
#: Length of the text to the power of the pattern's repetitions: what looking back may cost at worst.
MAX_REGEX_STEPS: Final = 1_000_000
_REPETITION: Final = re.compile(r"[*+]|\{[0-9]*,")
_REPEATED_GROUP: Final = re.compile(r"\)[*+{]")


class _Unknown(Exception):  # noqa: N818  # an outcome, not a fault
    """This evaluator does not know what Terraform would say."""


class _Failed(Exception):  # noqa: N818  # what `can` turns into false
    """Terraform would say that the expression has no value."""


def broken_rules(name: str, value: Node, rules: Iterable[Validation]) -> Iterator[Validation]:
    """The rules that certainly do not hold.

    Args:
        name: the variable.
        value: what it is set to.
        rules: its `validation` blocks.
    """
    given = plain(value)
    for rule in rules:
        if rule.syntax is None:
            continue
        try:
            holds = _evaluate(rule.syntax, {"var": {name: given}}, 0)
        except (_Unknown, _Failed):
            continue
        if holds is False:
            yield rule


def _evaluate(node: Syntax, scope: Mapping[str, Any], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise _Unknown
    children = _parts(node)
    match node.type:
        case "expression" | "operation":
            return _term(children, scope, depth)
        case "variable_expr":
            return _look_up(text_of(node), scope)
        case "binary_operation":
            return _binary(node, scope, depth)
        case "unary_operation":
            return _unary(node, scope, depth)
        case "conditional" if len(children) == 3:
            test, yes, no = (_Lazy([one], scope, depth) for one in children)
            return yes() if _bool(test()) else no()
        case "function_call":
            return _call(node, scope, depth)
        case "for_expr":
            return _for(node, scope, depth)
        case "collection_value" if len(children) == 1 and children[0].type == "tuple":
            return [_evaluate(one, scope, depth + 1) for one in _parts(children[0]) if one.type == "expression"]
        case _:
            known = literal(node, "")
            if known is None:
                raise _Unknown
            return plain(known)


def _parts(node: Syntax) -> list[Syntax]:
    return [one for one in node.named_children if one.type != "comment"]


def _term(nodes: list[Syntax], scope: Mapping[str, Any], depth: int) -> Any:
    """A value and what is picked out of it: the grammar lets `var`, `.x` and `[0]` stand side by side."""
    if not nodes:
        raise _Unknown
    value = _evaluate(nodes[0], scope, depth + 1)
    for node in nodes[1:]:
        if node.type == "get_attr":
            value = _item(value, text_of(node.named_children[0]))
        elif node.type == "index":
            inner = [one for child in node.named_children for one in (child, *child.named_children)]
            picked = [one for one in inner if one.type == "expression"]
            if len(picked) != 1:
                raise _Unknown
            value = _item(value, _evaluate(picked[0], scope, depth + 1))
        else:
            raise _Unknown
    return value


class _Lazy:
    """An expression that is evaluated when it is wanted."""

    def __init__(self, nodes: list[Syntax], scope: Mapping[str, Any], depth: int) -> None:
        self._nodes, self._scope, self._depth = nodes, scope, depth

    def __call__(self) -> Any:
        return _term(self._nodes, self._scope, self._depth + 1)


def _item(value: Any, key: Any) -> Any:
    if isinstance(value, dict) and key in value:
        return value[key]
    if isinstance(value, list) and isinstance(key, int) and not isinstance(key, bool) and 0 <= key < len(value):
        return value[key]
    # An attribute left out may have a default; an index out of range is Terraform's to judge.
    raise _Unknown


def _look_up(name: str, scope: Mapping[str, Any]) -> Any:
    if name not in scope:
        raise _Unknown
    return scope[name]


_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ARITHMETIC: Final[Mapping[str, Callable[[Any, Any], Any]]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def _binary(node: Syntax, scope: Mapping[str, Any], depth: int) -> Any:
    at = next(index for index, one in enumerate(node.children) if not one.is_named and one.type not in {"(", ")"})
    sign = text_of(node.children[at])
    first, second = (
        _Lazy([one for one in side if one.is_named and one.type != "comment"], scope, depth)
        for side in (node.children[:at], node.children[at + 1 :])
    )
    if sign in {"&&", "||"}:
        return _logic(sign, first, second)
    left, right = first(), second()
    if sign in {"==", "!="}:
        # Terraform never finds values of different types equal; where types may still be converted, do not judge.
        if type(left) is not type(right) and not (_is_number(left) and _is_number(right)) and None not in (left, right):
            raise _Unknown
        return (left == right) is (sign == "==")
    if sign == "%" and _is_number(left) and _is_number(right) and left >= 0 < right:
        return left % right
    operation = _COMPARISONS.get(sign) or _ARITHMETIC.get(sign)
    if operation is None or not (_is_number(left) and _is_number(right)):
        raise _Unknown
    return operation(left, right)


def _logic(sign: str, left: _Lazy, right: _Lazy) -> bool:
    """Either side alone may decide; Terraform evaluates both, so a side that fails leaves it to Terraform."""
    decides = sign == "||"
    values: list[bool | None] = []
    for side in (left, right):
        try:
            values.append(_bool(side()))
        except _Unknown:
            values.append(None)
    if decides in values:
        return decides
    if None in values:
        raise _Unknown
    return not decides


def _unary(node: Syntax, scope: Mapping[str, Any], depth: int) -> Any:
    value = _term(_parts(node), scope, depth)
    if text_of(node).startswith("!"):
        return not _bool(value)
    if not _is_number(value):
        raise _Unknown
    return -value


def _call(node: Syntax, scope: Mapping[str, Any], depth: int) -> Any:
    name = text_of(node.named_children[0])
    found = next((one for one in node.named_children if one.type == "function_arguments"), None)
    arguments = [one for one in found.named_children if one.type == "expression"] if found else []
    if found is not None and text_of(found).rstrip().endswith("..."):
        raise _Unknown
    if name == "can" and len(arguments) == 1:
        try:
            _evaluate(arguments[0], scope, depth + 1)
        except _Failed:
            return False
        return True
    function = _FUNCTIONS.get(name)
    if function is None:
        raise _Unknown
    values = [_evaluate(one, scope, depth + 1) for one in arguments]
    try:
        return function(*values)
    except (TypeError, ValueError, KeyError, AttributeError):
        # Not the arguments that it is known for: Terraform converts, this does not.
        raise _Unknown from None


def _for(node: Syntax, scope: Mapping[str, Any], depth: int) -> list[Any]:
    """`[for x in list : expression]`; nothing more of what `for` can do."""
    inner = node.named_children[0]
    if inner.type != "for_tuple_expr":
        raise _Unknown
    intro = next((one for one in inner.named_children if one.type == "for_intro"), None)
    body = [one for one in inner.named_children if one.type == "expression"]
    if intro is None or len(body) != 1 or any(one.type == "for_cond" for one in inner.named_children):
        raise _Unknown
    names = [text_of(one) for one in intro.named_children if one.type == "identifier"]
    source = [one for one in intro.named_children if one.type == "expression"]
    if len(names) != 1 or len(source) != 1:
        raise _Unknown
    items = _evaluate(source[0], scope, depth + 1)
    if isinstance(items, dict):
        items = [items[key] for key in sorted(items)]
    if not isinstance(items, list):
        raise _Unknown
    return [_evaluate(body[0], {**scope, names[0]: item}, depth + 1) for item in items]


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Unknown
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARS:
        raise _Unknown
    return value


def _length(value: Any) -> int:
    if isinstance(value, str):
        # Terraform counts what a reader would call characters; outside ASCII that is not this count.
        if not value.isascii():
            raise _Unknown
        return len(value)
    if not isinstance(value, list | dict):
        raise _Unknown
    return len(value)


def _regex(pattern: Any, text: Any) -> str:
    """RE2 and Python agree on most; what they are known to read differently is left alone."""
    source, given = _text(pattern), _text(text)
    if "[[:" in source or "\\z" in source or "\\p" in source or "\n" in given or not given.isascii():
        raise _Unknown
    # Python looks back where RE2 does not: a repeated group may take for ever, and each repetition multiplies.
    repeated = len(_REPETITION.findall(source)) + (not source.startswith("^"))
    if _REPEATED_GROUP.search(source) or len(given) ** repeated > MAX_REGEX_STEPS:
        raise _Unknown
    try:
        found = re.search(source, given)
    except re.error:
        raise _Unknown from None
    if found is None:
        raise _Failed
    return found[0]


def _contains(items: Any, wanted: Any) -> bool:
    if not isinstance(items, list):
        raise _Unknown
    if any(type(item) is not type(wanted) and not (_is_number(item) and _is_number(wanted)) for item in items):
        raise _Unknown
    return wanted in items


def _cidr_host(prefix: Any, number: Any) -> str:
    text = _text(prefix)
    # Go's parser takes no leading zeros and wants the slash; so does this one.
    if "/" not in text:
        raise _Failed
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise _Failed from None
    if not isinstance(number, int) or not 0 <= number < network.num_addresses:
        raise _Unknown
    return str(network[number])


def _to_number(value: Any) -> float:
    if _is_number(value):
        return float(value)
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", _text(value)) is None:
        raise _Failed
    return float(value)


def _all(items: Any) -> bool:
    return False not in [_bool(item) for item in items]


def _any(items: Any) -> bool:
    return True in [_bool(item) for item in items]


_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "alltrue": _all,
    "anytrue": _any,
    "cidrhost": _cidr_host,
    "contains": _contains,
    "endswith": lambda text, end: _text(text).endswith(_text(end)),
    "keys": lambda value: sorted(value.keys()),
    "length": _length,
    "lower": lambda text: _text(text).lower(),
    "regex": _regex,
    "startswith": lambda text, start: _text(text).startswith(_text(start)),
    "tonumber": _to_number,
    "trimspace": lambda text: _text(text).strip(),
    "upper": lambda text: _text(text).upper(),
    "values": lambda value: [value[key] for key in sorted(value.keys())],
}
