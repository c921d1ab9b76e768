"""The blast radius of a change: which targets it reaches, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from scheduler.configuration.check import Checked
from scheduler.configuration.documents import SECTIONS
from scheduler.configuration.nodes import ListNode, MapNode, Node, Scalar, dotted, leaves, plain, same
from scheduler.configuration.render import RenderedTarget

HIDDEN: Final = "(sensitive)"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One value that changes."""

    path: str
    """Section and name: `variables.size`."""
    before: Node | None
    """The old value; None: there was none."""
    after: Node | None
    """The new value; None: there is none."""
    sensitive: bool = False
    """Whether the values are not shown."""

    def data(self) -> dict[str, Any]:
        """The change for programs."""
        return {
            "path": self.path,
            "before": shown(self.before, hidden=self.sensitive),
            "before_origin": where(self.before),
            "after": shown(self.after, hidden=self.sensitive),
            "after_origin": where(self.after),
        }


@dataclass(frozen=True, kw_only=True)
class TargetChange:
    """One target that changes."""

    target: str
    """Its id."""
    what: str
    """added, removed or changed."""
    changes: tuple[Change, ...] = ()
    """Values that change."""
    placement: dict[str, tuple[str | None, str | None]]
    """Phase, configuration, provider region and the like: before and after."""
    generic_files: tuple[str, ...] = ()
    """Generic files that were added, removed or edited."""

    def data(self) -> dict[str, Any]:
        """The change for programs."""
        return {
            "target": self.target,
            "what": self.what,
            "values": [one.data() for one in self.changes],
            "placement": {name: {"before": a, "after": b} for name, (a, b) in self.placement.items()},
            "generic_files": list(self.generic_files),
        }


def diff(before: Checked, after: Checked) -> tuple[TargetChange, ...]:
    """Every target that is not the same after as before, in the order of the ids."""
    old, new = before.by_id, after.by_id
    changes = []
    for target in sorted(old.keys() | new.keys()):
        left, right = old.get(target), new.get(target)
        files = _generic_files(before, left, after, right) if left and right else ()
        values = _values(left, right)
        placement = _placement(left, right) if left and right else {}
        if left is None or right is None or files or values or placement:
            what = "added" if left is None else "removed" if right is None else "changed"
            changes.append(
                TargetChange(target=target, what=what, changes=values, placement=placement, generic_files=files)
            )
    return tuple(changes)


def shown(node: Node | None, *, hidden: bool = False) -> Any:
    """A value for people and programs."""
    return None if node is None else HIDDEN if hidden else plain(node)


def where(node: Node | None) -> dict[str, Any] | None:
    """A leaf's origin for programs."""
    if node is None:
        return None
    origin = {
        "file": node.origin.file,
        "line": node.origin.line,
        "column": node.origin.column,
        "layer": node.origin.layer,
    }
    if isinstance(node, Scalar) and node.via is not None:
        origin["via"] = str(node.via)
    return origin


def flat(target: RenderedTarget) -> dict[str, tuple[Node, bool]]:
    """Every leaf of a target by path, and whether it is sensitive."""
    found = {}
    for section in SECTIONS:
        for path, leaf in leaves(target.section(section)):
            if not path:
                continue
            hidden = section == "variables" and path[0] in target.sensitive
            found[dotted((section, *path))] = (leaf, hidden)
    return found


def _values(left: RenderedTarget | None, right: RenderedTarget | None) -> tuple[Change, ...]:
    old = flat(left) if left else {}
    new = flat(right) if right else {}
    changes = []
    for path in sorted(old.keys() | new.keys()):
        (before, hidden), (after, hidden_now) = old.get(path, _NOTHING), new.get(path, _NOTHING)
        if before is None or after is None or not _alike(before, after):
            changes.append(Change(path=path, before=before, after=after, sensitive=hidden or hidden_now))
    return tuple(changes)


_NOTHING: Final[tuple[Node | None, bool]] = (None, False)


def _alike(left: Node, right: Node) -> bool:
    return type(left) is type(right) and (isinstance(left, ListNode | MapNode) or same(left, right))


def _placement(left: RenderedTarget, right: RenderedTarget) -> dict[str, tuple[str | None, str | None]]:
    names = ("phase", "configuration", "provider_region", "realm")
    pairs = {name: (getattr(left.plan, name), getattr(right.plan, name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _generic_files(before: Checked, left: RenderedTarget, after: Checked, right: RenderedTarget) -> tuple[str, ...]:
    if left.generic_digest == right.generic_digest:
        return ()
    old = before.flock.generics.get(left.plan.configuration)
    new = after.flock.generics.get(right.plan.configuration)
    a, b = (old.files if old else {}), (new.files if new else {})
    return tuple(sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name)))
