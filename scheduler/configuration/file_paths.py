"""Files that a configuration reads by itself: `file("…")` and its like. A worker has nothing but the configuration."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from scheduler.configuration.hcl import Block, Syntax, text_of, unwrapped, walk
from scheduler.configuration.nodes import Origin
from scheduler.configuration.report import Finding, Kind

_READERS: Final = frozenset(
    {"file", "fileexists", "filebase64", "templatefile", "filemd5", "filesha1", "filesha256", "filesha512"}
    | {"filebase64sha256", "filebase64sha512", "fileset"}
)
_MODULE, _ROOT = "${path.module}", re.compile(r"\$\{path\.(?:root|cwd)\}")


def escaping_paths(block: Block, file: str, module: PurePosixPath) -> Iterator[Finding]:
    """Paths that certainly lead out of the configuration; one that is computed is left to Terraform.

    Args:
        block: a top-level block.
        file: its file, for messages.
        module: its module's folder, relative to the configuration's.
    """
    for node in walk(block.syntax):
        if node.type != "function_call" or text_of(node.named_children[0]) not in _READERS:
            continue
        written = _first_text(node)
        path = _ROOT.sub(".", written.replace(_MODULE, f"./{module}")) if written else "."
        if "${" in path or "%{" in path:
            continue
        if path.startswith(("/", "~")) or posixpath.normpath(path).split("/")[0] == "..":
            yield Finding(
                kind=Kind.OUTSIDE,
                origin=Origin(file, node.start_point.row + 1, node.start_point.column + 1),
                message=f"{written} leads out of the generic configuration",
                hint="a worker gets only that folder: copy the file into it",
            )


def _first_text(call: Syntax) -> str:
    """The first argument as it is written between its quotes; empty: it is no text."""
    arguments = next((one for one in call.named_children if one.type == "function_arguments"), None)
    first = next((one for one in arguments.named_children if one.type == "expression"), None) if arguments else None
    if first is None:
        return ""
    text = text_of(unwrapped(first))
    return text[1:-1] if text.startswith('"') and text.endswith('"') else ""
