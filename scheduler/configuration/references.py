"""`${region.account}` in a value becomes what the region file says.

A value that is nothing but one reference keeps the type of what it refers to (`${region.zones}` is a list); inside a
text only scalars can stand. `$${` is a `${` that is meant for Terraform. What is referred to is never resolved again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from scheduler.configuration.merge import Complain
from scheduler.configuration.nodes import ListNode, MapNode, Node, Origin, Scalar
from scheduler.configuration.report import Finding, Kind, did_you_mean

_REFERENCE: Final = re.compile(r"\$?\$\{([^}]*)\}?")
type Scope = Mapping[str, Node | None]
"""Every name that exists; None: it exists but nobody said what it is."""


def resolve_references(node: Node, scope: Scope, complain: Complain) -> Node:
    """`node` with its references replaced. One that leads nowhere is told and stays as it is."""
    match node:
        case Scalar(value=str() as text) if "${" in text:
            return _resolve_text(node, text, scope, complain)
        case Scalar():
            return node
        case ListNode():
            items = tuple(resolve_references(item, scope, complain) for item in node.items)
            return node if all(a is b for a, b in zip(items, node.items, strict=True)) else replace(node, items=items)
        case MapNode():
            entries = {key: resolve_references(value, scope, complain) for key, value in node.entries.items()}
            if all(value is node.entries[key] for key, value in entries.items()):
                return node
            return replace(node, entries=entries)


def _resolve_text(node: Scalar, text: str, scope: Scope, complain: Complain) -> Node:
    whole = _REFERENCE.fullmatch(text)
    if whole and not text.startswith("$$"):
        found = _look_up(whole, node.origin, scope, complain)
        return node if found is None else brought(found, node.origin)

    def replacement(match: re.Match[str]) -> str:
        if match[0].startswith("$$"):
            return match[0][1:]
        found = _look_up(match, node.origin, scope, complain)
        if found is None:
            return match[0]
        if not isinstance(found, Scalar):
            complain(
                Finding(
                    kind=Kind.UNRESOLVED,
                    origin=node.origin,
                    message=f"{match[0]} is a list and cannot stand inside a text",
                    hint="let it be the whole value",
                )
            )
            return match[0]
        return str(found.value)

    return replace(node, value=_REFERENCE.sub(replacement, text), text="")


def _look_up(match: re.Match[str], origin: Origin, scope: Scope, complain: Complain) -> Node | None:
    name = match[1].strip()
    if not match[0].endswith("}"):
        message, hint = f"{match[0]} has no end", "close it with }, or write $${ for Terraform's own"
    elif name not in scope:
        message = f"there is no {name!r} to refer to"
        hint = did_you_mean(name, scope, otherwise=f"there are {', '.join(sorted(scope))}; $${{ is for Terraform's own")
    elif (found := scope[name]) is None:
        message, hint = f"{name} has no value here", _HOW_TO_SET.get(name.rpartition(".")[2], "set it")
    else:
        return found
    complain(Finding(kind=Kind.UNRESOLVED, origin=origin, message=message, hint=hint))
    return None


_HOW_TO_SET: Final = {
    "account": "add `account` to the region file",
    "zones": "add `zones` to the region file",
    "realm": "add a file for the region",
    "name": "give the target a `name`",
    "phase": "add `phases` to flock.yaml",
    "digest": "add the artifact's `digest` to flock.yaml; or its `version`, to look it up at publication",
    "version": "add the artifact's `version` to flock.yaml",
}


def brought(node: Node, via: Origin) -> Node:
    """`node`, as something at `via` brought it to where it is now."""
    match node:
        case Scalar():
            return replace(node, via=via)
        case ListNode():
            return replace(node, items=tuple(brought(item, via) for item in node.items))
        case MapNode():
            return replace(node, entries={key: brought(value, via) for key, value in node.entries.items()})
