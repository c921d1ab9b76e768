"""A state where a replacement left (deposed) what existed before a deployment -> the two change places. Pure.

A replacement that creates first and does not come to its end leaves both objects: the new one at the address, the old
one deposed. Terraform only knows the way ahead from there, and destroys the old one. A rollback keeps what existed: the
old one is at its address again, so the first configuration finds it as it was, and the new one is what has to go.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from shared.rollback.records import FirstResource
from shared.rollback.states import id_of, instances, load_state


def put_back(content: bytes, first: Iterable[FirstResource]) -> tuple[bytes, tuple[str, ...]] | None:
    """The state to store instead, with the next serial, and the addresses at which something was put back.

    Args:
        content: the state, as Terraform wrote it; empty: there is none.
        first: what existed before the deployment.

    Returns:
        None where nothing has to change places.

    Raises:
        ConfigurationError: the state cannot be read.
    """
    state = load_state(content) if content.strip() else {}
    existed = {(one.type, one.id) for one in first if one.id is not None and one.deposed is None}
    # In the same order as the objects themselves, and it refuses what is not as agreed.
    known = iter(list(instances(state)))
    addresses: dict[str, None] = {}
    resources = []
    for resource in state.get("resources") or ():
        managed = resource["mode"] == "managed"
        listed = [(next(known).address, one) for one in resource.get("instances") or ()]
        for address in dict(listed) if managed else ():
            here = [one for other, one in listed if other == address]
            if (pair := _swapped(resource["type"], here, existed)) is not None:
                addresses[address] = None
                listed = [(other, pair.get(id(one), one)) for other, one in listed]
        resources.append({**resource, "instances": [one for _, one in listed]})
    if not addresses:
        return None
    stored = {**state, "serial": int(state["serial"]) + 1, "resources": resources}
    return json.dumps(stored).encode(), tuple(addresses)


def _swapped(
    kind: str, here: list[Mapping[str, Any]], existed: set[tuple[str, str]]
) -> dict[int, Mapping[str, Any]] | None:
    """What the objects at one address become, by what they are now; None: they stay."""
    current = [one for one in here if not one.get("deposed")]
    old = [one for one in here if one.get("deposed") and (kind, id_of(one.get("attributes"))) in existed]
    if len(old) != 1 or any((kind, id_of(one.get("attributes"))) in existed for one in current):
        return None
    (was,) = old
    key = was["deposed"]
    found: dict[int, Mapping[str, Any]] = {id(was): {name: value for name, value in was.items() if name != "deposed"}}
    found |= {id(one): {**one, "deposed": key} for one in current}
    return found
