"""Two values of one thing -> the attributes that differ, each by its path, secrets told by their masks. Pure.

Values are compared in clear, because a secret that was changed is drift like any other; what is shown of it is only
that it changed. A mask that does not fit its value covers all of it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.drift.meaning import same
from shared.drift.report import MAX_PATH, MAX_PREVIEW
from shared.drift.schemas import UNKNOWN, Shape

MAX_DEPTH: Final = 64
#: Lists longer than this are compared as a whole.
MAX_ELEMENTS: Final = 2000
SENSITIVE: Final = "(sensitive)"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_LEAD: Final = 40

Step = str | int


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One place where two values differ."""

    path: tuple[Step, ...]
    """Names and indexes that lead to it; of an element that is only in one of two sets, the index there."""
    before: Any
    """In clear."""
    after: Any
    """In clear."""
    sensitive: bool
    """Whether neither value may be shown."""
    shape: Shape = UNKNOWN
    """What the schema says of it."""
    entry: bool = False
    """Whether it is an entry of a map that only one of the two has: an empty one is one, too."""

    @property
    def name(self) -> str:
        """The path as people write it: tags.Name, ingress[0].cidr_blocks."""
        return dotted(self.path)

    @property
    def top(self) -> str:
        """The attribute of the resource that it lies in."""
        return str(self.path[0]) if self.path else ""

    @property
    def same(self) -> bool:
        """Whether both mean the same."""
        if self.entry:
            return same(*({} if value is None else {"": value} for value in (self.before, self.after)))
        if self.shape.unordered and isinstance(self.before, list) and isinstance(self.after, list):
            return same(sorted(self.before, key=_json), sorted(self.after, key=_json))
        return same(self.before, self.after)


def differences(
    before: Any, after: Any, *, before_mask: Any = False, after_mask: Any = False, shape: Shape = UNKNOWN
) -> list[Difference]:
    """Everything that differs, in the order of the names.

    Args:
        before: the value then.
        after: the value now.
        before_mask: true, or of the value's own form with true in place of what is secret.
        after_mask: the same of the value now.
        shape: what the schema says; without it lists are in order.
    """
    return list(_differences(_Pair(before, after, before_mask, after_mask), shape, ()))


def dotted(path: Sequence[Step]) -> str:
    """A path as people write it. Bounded; what is cut away is told by a digest."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _NAME.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text if len(text) <= MAX_PATH else f"{text[: MAX_PATH - 24]}…{_digest(text)}"


def previews(before: Any, after: Any, *, sensitive: bool) -> tuple[str, str]:
    """Both values as JSON, short; of long ones, the part where they begin to differ, and a digest of the whole."""
    if sensitive:
        return ("" if before is None else SENSITIVE), ("" if after is None else SENSITIVE)
    texts = ["" if value is None else _json(value) for value in (before, after)]
    if all(len(text) <= MAX_PREVIEW for text in texts):
        return texts[0], texts[1]
    differing = next((at for at, (one, other) in enumerate(zip(*texts, strict=False)) if one != other), 0)
    start = max(0, differing - _LEAD)
    return _part(texts[0], start), _part(texts[1], start)


@dataclass(frozen=True)
class _Pair:
    before: Any
    after: Any
    before_mask: Any
    after_mask: Any

    @property
    def hidden(self) -> bool:
        return _hides(self.before, self.before_mask) or _hides(self.after, self.after_mask)

    def member(self, key: str) -> _Pair:
        return _Pair(
            self.before.get(key), self.after.get(key), _inner(self.before_mask, key), _inner(self.after_mask, key)
        )


def _differences(pair: _Pair, shape: Shape, path: tuple[Step, ...]) -> Iterator[Difference]:
    before, after = pair.before, pair.after
    if _equal(before, after):
        return
    if not pair.hidden and len(path) < MAX_DEPTH:
        if isinstance(before, dict) and isinstance(after, dict):
            for key in sorted(before.keys() | after.keys()):
                inner = shape.members.get(key) or shape.element or UNKNOWN
                inside = _differences(pair.member(key), inner, (*path, key))
                if (key in before) != (key in after):
                    # An object has all its attributes, if need be as null: this is a map.
                    inside = (replace(one, entry=True) for one in inside)
                yield from inside
            return
        if isinstance(before, list) and isinstance(after, list) and _of_objects(before) and _of_objects(after):
            found = list(_in_lists(pair, shape, path))
            if found:
                yield from found
                return
    hidden = pair.hidden or _any(pair.before_mask) or _any(pair.after_mask)
    yield Difference(path=path, before=before, after=after, sensitive=hidden, shape=shape)


def _in_lists(pair: _Pair, shape: Shape, path: tuple[Step, ...]) -> Iterator[Difference]:
    """Of lists of objects: elements that only one of them has, matched with the most similar one of the other."""
    inner = shape.element or UNKNOWN
    befores, afters = _elements(pair.before, pair.before_mask), _elements(pair.after, pair.after_mask)
    if shape.unordered or len(befores) != len(afters):
        befores, afters = _without_common(befores, afters)
    pairs: list[tuple[_Element | None, _Element | None]] = []
    if shape.unordered:
        pairs = _matched(befores, afters)
    else:
        rest = max(len(befores), len(afters))
        padded = [[*one, *[None] * (rest - len(one))] for one in (befores, afters)]
        pairs = list(zip(*padded, strict=True))
    for was, now in pairs:
        index = was.index if was is not None else now.index if now is not None else 0
        element = _Pair(
            was.value if was else None,
            now.value if now else None,
            was.mask if was else False,
            now.mask if now else False,
        )
        yield from _differences(element, inner, (*path, index))


@dataclass(frozen=True)
class _Element:
    index: int
    value: Any
    mask: Any


def _elements(values: list[Any], mask: Any) -> list[_Element]:
    masks = mask if isinstance(mask, list) and len(mask) == len(values) else [False] * len(values)
    return [_Element(index, value, one) for index, (value, one) in enumerate(zip(values, masks, strict=True))]


def _without_common(befores: list[_Element], afters: list[_Element]) -> tuple[list[_Element], list[_Element]]:
    counted: dict[str, int] = {}
    for element in afters:
        counted[_json(element.value)] = counted.get(_json(element.value), 0) + 1
    common: dict[str, int] = {}
    left = []
    for element in befores:
        text = _json(element.value)
        if common.get(text, 0) < counted.get(text, 0):
            common[text] = common.get(text, 0) + 1
        else:
            left.append(element)
    added = []
    for element in afters:
        text = _json(element.value)
        if common.get(text, 0):
            common[text] -= 1
        else:
            added.append(element)
    return left, added


def _matched(befores: list[_Element], afters: list[_Element]) -> list[tuple[_Element | None, _Element | None]]:
    """Each element with the one of the other side that it has most in common with, if it has more than half."""
    pairs: list[tuple[_Element | None, _Element | None]] = []
    free = list(afters)
    for was in befores:
        best = max(free, key=lambda now: _alike(was.value, now.value), default=None) if len(free) <= _LEAD else None
        if best is not None and _alike(was.value, best.value) > 0.5:
            free.remove(best)
            pairs.append((was, best))
        else:
            pairs.append((was, None))
    return [*pairs, *((None, now) for now in free)]


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    keys = one.keys() | other.keys()
    return sum(_equal(one.get(key), other.get(key)) for key in keys) / len(keys) if keys else 1.0


def _of_objects(values: list[Any]) -> bool:
    return len(values) <= MAX_ELEMENTS and all(isinstance(value, dict) for value in values)


def _equal(before: Any, after: Any) -> bool:
    # Python takes True for 1, Terraform does not. The first comparison is cheap, and says no most often.
    return bool(before == after) and (before is after or _json(before) == _json(after))


def _hides(value: Any, mask: Any) -> bool:
    """Whether a mask covers the whole of a value, or does not fit it; a null has nothing to hide."""
    if value is None or mask is False:
        return False
    if isinstance(mask, dict):
        # {} is also Terraform's way of saying that nothing is sensitive in something without keys.
        return not isinstance(value, dict) and mask != {}
    if isinstance(mask, list):
        return not isinstance(value, list) or len(mask) != len(value)
    return True


def _inner(mask: Any, key: str) -> Any:
    return mask.get(key, False) if isinstance(mask, dict) else False


def _any(mask: Any, depth: int = 0) -> bool:
    """Whether anything inside is secret."""
    if isinstance(mask, dict):
        return depth > MAX_DEPTH or any(_any(one, depth + 1) for one in mask.values())
    if isinstance(mask, list):
        return depth > MAX_DEPTH or any(_any(one, depth + 1) for one in mask)
    return mask is not False


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _part(text: str, start: int) -> str:
    if len(text) <= MAX_PREVIEW:
        return text
    end = f"… ({len(text)} characters, {_digest(text)})"
    head = "…" if start else ""
    return head + text[start : start + MAX_PREVIEW - len(end) - len(head)] + end


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
