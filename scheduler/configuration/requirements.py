"""Which providers a generic configuration needs: what `required_providers` says, and what blocks imply.

The rules are Terraform's: a resource belongs to the provider that its `provider` argument names, else to the one that
its type begins with; whatever nobody says comes from `hashicorp/`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from scheduler.configuration.hcl import Attribute, Block, object_elements, text_of, unwrapped
from scheduler.configuration.nodes import ListNode, MapNode, Node, Origin, Scalar
from scheduler.configuration.report import Kind, Refused

#: Blocks whose first label is a type that belongs to a provider.
_TYPED: Final = frozenset({"resource", "data", "ephemeral"})
#: Part of Terraform itself.
_BUILT_IN: Final = "terraform"


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """A provider that the configuration needs."""

    name: str
    """Local name."""
    source: str
    """Address of the provider."""
    version: str
    """Version constraints between commas; empty: any."""
    origin: Origin
    """Where it is required, or first used."""
    aliases: tuple[str, ...] = ()
    """Configurations that the module expects from its caller: `name.alias`."""
    implied: bool = False
    """Whether no `required_providers` names it."""


def declared_requirement(name: str, attribute: Attribute) -> Requirement:
    """An entry of `required_providers`. Raises Refused for what is neither a text nor an object."""
    node = unwrapped(attribute.expression)
    parts: dict[str, str] = {}
    aliases: tuple[str, ...] = ()
    value = attribute.value
    if isinstance(value, MapNode):
        parts = {key: _word(one) for key, one in value.entries.items()}
        aliases = _listed(value.entries.get("configuration_aliases"))
    elif value is None and node.type == "object":
        # Not as one literal: aliases are references.
        for key, _, expression in object_elements(node, attribute.file):
            words = " ".join(text_of(expression).split())
            if key == "configuration_aliases":
                aliases = tuple(one.strip() for one in words.strip("[] ").split(",") if one.strip())
            elif key is not None:
                parts[key] = words.strip('"')
    elif isinstance(known := attribute.literal(), Scalar) and known.value is not None:
        parts = {"version": _word(known)}
    else:
        raise Refused(
            Kind.SYNTAX, attribute.origin, f"{name}: must be an object", hint='{ source = "…", version = "…" }'
        )
    return Requirement(
        name=name,
        source=parts.get("source") or _default_source(name),
        version=parts.get("version", ""),
        origin=attribute.origin,
        aliases=aliases,
    )


def implied_requirement(block: Block) -> Requirement | None:
    """The provider that a block needs without saying so; None: none, or one of Terraform's own."""
    version = ""
    if block.type == "provider" and len(block.labels) == 1:
        name, version = block.labels[0], block.text("version") or ""
    elif block.type in _TYPED and len(block.labels) == 2:
        name = _named(block.attributes.get("provider")) or block.labels[0].partition("_")[0]
    else:
        return None
    if not name or name == _BUILT_IN:
        return None
    return Requirement(name=name, source=_default_source(name), version=version, origin=block.origin, implied=True)


def with_implied(known: Requirement | None, more: Requirement) -> Requirement:
    """A requirement and what another block adds to it: its version constraint."""
    if known is None:
        return more
    versions = [one for one in (known.version, more.version) if one]
    return Requirement(
        name=known.name,
        source=known.source,
        version=", ".join(dict.fromkeys(versions)),
        origin=known.origin,
        aliases=known.aliases,
        implied=known.implied,
    )


def _default_source(name: str) -> str:
    return f"hashicorp/{name}"


def _named(attribute: Attribute | None) -> str:
    """The provider in `provider = aws.west`, also as a text, as older configurations write it."""
    if attribute is None:
        return ""
    value = attribute.literal()
    words = value.value if isinstance(value, Scalar) and isinstance(value.value, str) else attribute.text
    found = _REFERENCE.fullmatch(words)
    return found[1] if found else ""


#: `aws`, `aws.west`, and `${aws.west}` in the JSON syntax.
_REFERENCE: Final = re.compile(r"(?:\$\{)?([A-Za-z_][\w-]*)(?:\.[\w-]+)?\}?")


def _word(node: Node) -> str:
    if not isinstance(node, Scalar) or node.value is None:
        return ""
    return node.value if isinstance(node.value, str) else node.text or str(node.value)


def _listed(node: Node | None) -> tuple[str, ...]:
    return tuple(_word(one) for one in node.items) if isinstance(node, ListNode) else ()
