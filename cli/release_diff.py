"""What differs between two releases, target by target: files, and the values inside rendered ones. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shared.release_manifest import Files, Manifest

Load = Callable[[str], Mapping[str, bytes]]


def compare(old: Manifest, new: Manifest, *, old_files: Load, new_files: Load) -> list[dict[str, Any]]:
    """Each target that differs, in the order of the ids.

    Args:
        old: the one release.
        new: the other.
        old_files: fetches the files of a target of `old`; asked only where rendered files differ.
        new_files: the same for `new`.
    """
    changes: list[dict[str, Any]] = []
    for name in sorted(old.targets.keys() | new.targets.keys()):
        before, after = old.targets.get(name), new.targets.get(name)
        if before is None or after is None:
            changes.append({"target": name, "change": "added" if before is None else "removed", "files": []})
        elif before.rendered_digest != after.rendered_digest:
            files = list(_files(old.files_of(name), new.files_of(name)))
            rendered = {*before.files, *after.files}
            if any(file["path"] in rendered for file in files):
                left, right = old_files(name), new_files(name)
                for file in files:
                    if file["path"] in rendered:
                        file["values"] = list(_values(left.get(file["path"]), right.get(file["path"])))
            changes.append({"target": name, "change": "changed", "files": files})
    return changes


def _files(old: Files, new: Files) -> Iterator[dict[str, Any]]:
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) != new.get(path):
            change = "added" if path not in old else "removed" if path not in new else "changed"
            yield {"path": path, "change": change, "values": []}


def _values(old: bytes | None, new: bytes | None) -> Iterator[dict[str, Any]]:
    left = dict(_leaves(json.loads(old or b"{}"), ()))
    right = dict(_leaves(json.loads(new or b"{}"), ()))
    for path in sorted(left.keys() | right.keys()):
        if left.get(path) != right.get(path) or (path in left) != (path in right):
            yield {"path": ".".join(path), "before": left.get(path), "after": right.get(path)}


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, str(key)))
    else:
        # Lists as a whole: an item that moved would otherwise look like a change of all behind it.
        yield path, value
