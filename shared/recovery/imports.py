"""Import blocks: written from what was decided, and given up again where their target turns out not to exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: How providers say that there is nothing to import, where they say it themselves: hashicorp/aws 5.100 does for the
#: association of a route table ("No association found between route table ID … and target ID …").
_NOT_THERE = re.compile(
    r"(?i)non-existent|not ?found|does not exist|no such|couldn't find|cannot import|\bno association found\b"
)
_GONE = ("cannot import non-existent remote object", "no association found between ")


@dataclass(frozen=True, kw_only=True)
class Import:
    """One import block."""

    address: str
    """To where in the configuration."""
    id: str
    """Of what in the cloud."""
    call_id: str
    """The journaled call that made it."""
    certain: bool
    """Whether what it is about exists: the call was answered, or the cloud said so. If not, it may be dropped."""
    ours: bool
    """Whether the run made it, as is known, or it is kept whoever did. If not, it may have been there before."""


def block(address: str, identifier: str) -> str:
    """One import block.

    Args:
        address: to where.
        identifier: of what.
    """
    return f"import {{\n  to = {address}\n  id = {_hcl(identifier)}\n}}\n"


def render_imports(imports: Iterable[Import]) -> str:
    """Import blocks for a .tf file.

    Args:
        imports: what to import; an address comes once.
    """
    blocks = [block(item.address, item.id) for item in imports]
    return "# Written by Interlock: created by a run that was cut, held by no state.\n" + "\n".join(blocks)


def missing_imports(diagnostics: Iterable[Mapping[str, Any]], imports: Sequence[Import]) -> frozenset[str]:
    """The call ids of uncertain imports that a failed plan complains about: their target does not exist.

    Args:
        diagnostics: of `terraform plan -json`.
        imports: of that plan.
    """
    found = set()
    for item in diagnostics:
        if item.get("severity") != "error":
            continue
        text = f"{item.get('address', '')} {item.get('summary', '')} {item.get('detail', '')}"
        about = [imp for imp in imports if not imp.certain and _mentions(text, imp)]
        if _NOT_THERE.search(text):
            found |= {imp.call_id for imp in about}
    return frozenset(found)


def vanished_imports(diagnostics: Iterable[Mapping[str, Any]], imports: Sequence[Import]) -> frozenset[str]:
    """The call ids of certain imports of which Terraform or its provider says that their target does not exist.

    Args:
        diagnostics: of `terraform plan -json`.
        imports: of that plan.
    """
    texts = [
        f"{item.get('address', '')} {item.get('summary', '')} {item.get('detail', '')}"
        for item in diagnostics
        if item.get("severity") == "error" and str(item.get("summary", "")).lower().startswith(_GONE)
    ]
    return frozenset(imp.call_id for imp in imports if imp.certain and any(_mentions(text, imp) for text in texts))


def _mentions(text: str, imp: Import) -> bool:
    pattern = rf"(?<![\w.\]]){re.escape(imp.address)}(?![\w\[.])"
    if re.search(pattern, text) is not None or f'"{imp.id}"' in text or f"({imp.id})" in text:
        return True
    # An identifier made of several is named by its parts.
    parts = imp.id.split("/")
    return len(parts) > 1 and all(re.search(rf"(?<![\w-]){re.escape(part)}(?![\w-])", text) for part in parts)


def _hcl(text: str) -> str:
    """A quoted string of HCL: JSON's escapes, and no template in it."""
    return json.dumps(text).replace("${", "$${").replace("%{", "%%{")
