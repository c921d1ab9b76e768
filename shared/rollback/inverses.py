"""The extra file of the first configuration that turns around what a deployment did with addresses only. Pure.

    moved a -> b      a `moved` block from b to a
    forgotten         an `import` block with the name that `importing` finds in the first state
    imported          a `removed` block that destroys nothing: it existed before, and is forgotten again

Without them the first configuration plans to delete what is at the new address and to make it anew at the old one.
What no block can say is said otherwise: `forget` are addresses that have to be taken out of the state one by one, and
`notes` is what cannot be turned around.

A `moved` block may not cross the border of a module that comes from elsewhere (a registry, a repository). Moves of
such modules are written for the whole module, and moves inside of one into its own folder (`modules`).

Sources: Terraform's language reference, "moved", "import" and "removed" blocks, and "Refactoring".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.rollback.records import FirstState, Imported, Moved, Rearrangement
from shared.rollback.states import quoted
from shared.safety.entries import KEY
from shared.safety.plan_document import without_keys

FILE_NAME: Final = "interlock_rollback.tf"
_HEAD: Final = "# Made for a rollback: turns around what the deployment did with addresses.\n"


@dataclass(frozen=True, kw_only=True)
class Inverse:
    """What stands beside the first configuration while a rollback is planned."""

    text: str = ""
    """HCL for the root module; empty: nothing has to be turned around there."""
    modules: Mapping[str, str] = field(default_factory=dict)
    """HCL for the folders of modules from elsewhere, by their keys in .terraform/modules/modules.json: `net.inner`."""
    forget: tuple[str, ...] = ()
    """Addresses to take out of the state before the plan, where they are in it. They stay in the cloud."""
    notes: tuple[str, ...] = ()
    """What cannot be turned around, and why, in one line each."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.text or self.modules or self.forget)


def inverse(rearranged: Rearrangement, first: FirstState, *, removed_blocks: bool = True) -> Inverse:
    """Turn it around.

    Args:
        rearranged: what the deployment did, or was about to do; an inverse of what it did not do changes nothing.
        first: the first state: what is not in it is left alone.
        removed_blocks: False for a Terraform that has no `removed` block with `destroy` (before 1.7; OpenTofu).
    """
    there = {one.address: one for one in first.resources if one.deposed is None}
    draft = _Draft(packages=_foreign(rearranged.packages))
    for move in _backwards(rearranged.moved, there.keys(), draft.notes):
        draft.move(move)
    for address in dict.fromkeys(rearranged.forgotten):
        known = there.get(address)
        if known is None:
            draft.notes.append(f"{address} was forgotten, and is not in the first state")
        elif known.import_id is None:
            draft.notes.append(f"{address} was forgotten, and has no name by which it could be taken in again")
        else:
            draft.blocks[f"import {{\n  to = {address}\n  id = {quoted(known.import_id)}\n}}\n"] = None
    declared = {without_keys(address) for address in there}
    gone: dict[str, None] = {}
    for one in dict.fromkeys(rearranged.imported):
        if one.address in there:
            continue
        if removed_blocks and _removable(one, declared):
            gone[without_keys(one.address)] = None
        else:
            draft.forget.append(one.address)
    for address in gone:
        draft.blocks[f"removed {{\n  from = {address}\n  lifecycle {{\n    destroy = false\n  }}\n}}\n"] = None
    return draft.done()


def _removable(one: Imported, declared: set[str]) -> bool:
    """A `removed` block names a resource with all its instances, and one that the configuration does not have."""
    return one.alone and without_keys(one.address) not in declared


@dataclass(kw_only=True)
class _Draft:
    packages: frozenset[str]
    """Paths of modules from elsewhere."""
    blocks: dict[str, None] = field(default_factory=dict)
    """In their order, each once."""
    inside: dict[str, dict[str, None]] = field(default_factory=dict)
    forget: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def move(self, move: Moved) -> None:
        """Write the inverse of one move where Terraform accepts it."""
        was, now = steps(move.before), steps(move.after)
        if _type(was) != _type(now):
            self.notes.append(f"{move.after} was {move.before}: only its provider knows whether the type can go back")
            return
        scope = self._scope(was, now)
        for tail in range(min(len(was), len(now)) - scope):
            if tail and was[-tail] != now[-tail]:
                break
            # What both end with has moved along with its module.
            heads = was[: len(was) - tail], now[: len(now) - tail]
            if not any(self._crosses(head, scope) for head in heads):
                self._write(now[:scope], _moved(".".join(heads[1][scope:]), ".".join(heads[0][scope:])))
                return
        self.notes.append(f"{move.after} was {move.before}: no `moved` block crosses the border of a foreign module")

    def _scope(self, was: Sequence[str], now: Sequence[str]) -> int:
        """How many steps lead to the innermost foreign module that both are in; 0: the root module."""
        same = next((at for at in range(min(len(was), len(now))) if was[at] != now[at]), 0)
        return next((at for at in range(same, 0, -1) if self._foreign(was[:at])), 0)

    def _crosses(self, head: Sequence[str], scope: int) -> bool:
        """Whether an address leads into a foreign module. The call itself belongs to whoever calls it."""
        return any(self._foreign(head[:at]) for at in range(scope + 1, len(head)))

    def _foreign(self, path: Sequence[str]) -> bool:
        return without_keys(".".join(path)) in self.packages

    def _write(self, module: Sequence[str], block: str) -> None:
        if module:
            key = ".".join(without_keys(step).removeprefix("module.") for step in module)
            self.inside.setdefault(key, {})[block] = None
        else:
            self.blocks[block] = None

    def done(self) -> Inverse:
        return Inverse(
            text=_HEAD + "\n" + "\n".join(self.blocks) if self.blocks else "",
            modules={key: _HEAD + "\n" + "\n".join(blocks) for key, blocks in self.inside.items()},
            forget=tuple(self.forget),
            notes=tuple(self.notes),
        )


def _moved(origin: str, to: str) -> str:
    return f"moved {{\n  from = {origin}\n  to   = {to}\n}}\n"


def _foreign(packages: Mapping[str, str]) -> frozenset[str]:
    return frozenset(path for path, source in packages.items() if not source.startswith(("./", "../")))


def _backwards(moves: Sequence[Moved], there: Collection[str], notes: list[str]) -> Iterator[Moved]:
    """The moves of objects that were there before, as steps that Terraform can follow back, however far they got.

    Several deployments may have moved an object in turn, a -> b -> c, and been cut anywhere: then it is led from c to b
    and from b to a. Each address leads to one other and is led to from one other, as Terraform demands.
    """
    paths: list[list[str]] = []
    at: dict[str, list[str]] = {}
    for move in moves:
        path = at.pop(move.before, None)
        if path is None:
            path = [move.before]
            paths.append(path)
        path.append(move.after)
        at[move.after] = path
    taken: set[str] = set()
    for path in reversed(paths):
        # Planned to be moved again from where it was before: the earlier plan had come to nothing.
        if path[0] not in there or path[0] in taken:
            continue
        taken.add(path[0])
        first, *later = dict.fromkeys(path)
        free = [address for address in later if address not in there and address not in taken]
        notes += [
            f"{address} was {first}, and another object was there before" for address in later if address in there
        ]
        taken.update(free)
        for before, after in zip([first, *free], free, strict=False):
            yield Moved(before=before, after=after)


def steps(address: str) -> list[str]:
    """`module.a["x"].module.b.aws_t.n[0]` as [module.a["x"], module.b, aws_t.n[0]]."""
    keys: list[str] = []

    def hide(key: re.Match[str]) -> str:
        keys.append(key[0])
        return f"[{len(keys) - 1}]"

    words = KEY.sub(hide, address).split(".")
    shown = [KEY.sub(lambda number: keys[int(number["number"])], word) for word in words]
    result = []
    while len(shown) > 2 and shown[0] == "module":
        result.append(f"module.{shown[1]}")
        shown = shown[2:]
    return [*result, ".".join(shown)]


def _type(path: Sequence[str]) -> str:
    return path[-1].split(".")[0]
