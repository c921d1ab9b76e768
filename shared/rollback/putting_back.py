"""A state in which a replacement did not come to its end -> one from which the way back is short. Pure.

A replacement that creates first leaves both objects: the new one at the address, the old one deposed. Terraform only
knows the way ahead from there, and destroys the old one. A rollback keeps what existed: the old one is at its address
again, so the first configuration finds it as it was, and the new one is what has to go.

Where the worker was killed in between, the state may not know of the new one at all. It is put where Terraform itself
would have kept it. What the deployment made in place of what existed goes beside that, to be destroyed. What a try of
the rollback made in place of what the deployment made has the address, and that one goes beside it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from shared.errors import ConfigurationError
from shared.rollback.importing import import_name
from shared.rollback.records import FirstResource
from shared.rollback.states import id_of, instances, load_state

type _Object = Mapping[str, Any]
#: Objects of one address.
type _Change = Callable[[str, str, Sequence[_Object]], Sequence[_Object]]


def put_back(content: bytes, first: Iterable[FirstResource]) -> bytes | None:
    """What existed before has its address again wherever its successor has it; what had it is deposed.

    Args:
        content: the state, as Terraform wrote it; empty: there is none.
        first: what existed before the deployment.

    Returns:
        The state to store instead, with the next serial; None where nothing has to change places.

    Raises:
        ConfigurationError: the state cannot be read, or not be written again as it was.
    """
    existed = {(one.type, one.id) for one in first if one.id is not None and one.deposed is None}

    def swapped(kind: str, _address: str, here: Sequence[_Object]) -> Sequence[_Object]:
        old = [one for one in here if "deposed" in one and (kind, _id(one)) in existed]
        if len(old) != 1 or any("deposed" not in one and (kind, _id(one)) in existed for one in here):
            return here
        (was,) = old
        key = was["deposed"]
        back = {name: value for name, value in was.items() if name != "deposed"}
        return [back if one is was else one if "deposed" in one else {**one, "deposed": key} for one in here]

    return _rewritten(content, swapped)


def put_beside(
    content: bytes, halves: Mapping[str, tuple[str, str]], *, existed: Container[tuple[str, str]]
) -> bytes | None:
    """What was made in place of something that is still there is held beside it, as deposed.

    Args:
        content: the state, as Terraform wrote it; empty: there is none.
        halves: what an import of what was made takes, and the region where it was made, by the address of that in
            whose place it was made.
        existed: types and ids of what is not to be destroyed.

    Returns:
        The state to store instead, with the next serial; None where nothing is to be added.

    Raises:
        ConfigurationError: the state cannot be read, or not be written again as it was.
    """

    def beside(kind: str, current: _Object, made: _Object) -> Sequence[_Object] | None:
        if (kind, _id(made)) in existed:
            return None
        return [current, {**made, "deposed": _key(_id(made))}]

    return _added(content, halves, beside)


def put_in_place(
    content: bytes, halves: Mapping[str, tuple[str, str]], *, existed: Container[tuple[str, str]]
) -> bytes | None:
    """What was made in place of something that is still there has its address, and that one is held beside it.

    As `put_beside` in all else.
    """

    def in_place(kind: str, current: _Object, made: _Object) -> Sequence[_Object] | None:
        if (kind, _id(current)) in existed:
            return None
        return [made, {**current, "deposed": _key(_id(made))}]

    return _added(content, halves, in_place)


def taken_out(content: bytes) -> bytes | None:
    """The opposite of both, whoever did that: a provider may not be able to read what it is shown.

    Args:
        content: the state, as Terraform wrote it.

    Returns:
        The state to store instead, with the next serial; None where it holds nothing of that.

    Raises:
        ConfigurationError: the state cannot be read, or not be written again as it was.
    """

    def less(_kind: str, _address: str, here: Sequence[_Object]) -> Sequence[_Object]:
        keys = {_key(_id(one)) for one in here if "deposed" not in one}
        if not any(one.get("deposed") in keys for one in here):
            return [one for one in here if one.get("deposed") != _key(_id(one))]
        # What was put in place goes, and what had the address has it again.
        left = [one for one in here if "deposed" in one]
        return [
            {name: value for name, value in one.items() if name != "deposed"} if one["deposed"] in keys else one
            for one in left
        ]

    return _rewritten(content, less)


def untainted(content: bytes, addresses: Container[str]) -> bytes | None:
    """What is at these addresses is changed where it differs, instead of being replaced since its creation was cut.

    Args:
        content: the state, as Terraform wrote it.
        addresses: of instances.

    Returns:
        The state to store instead, with the next serial; None where nothing there is tainted.

    Raises:
        ConfigurationError: the state cannot be read, or not be written again as it was.
    """

    def kept(_kind: str, address: str, here: Sequence[_Object]) -> Sequence[_Object]:
        if address not in addresses:
            return here
        return [
            {name: value for name, value in one.items() if name != "status"}
            if "deposed" not in one and one.get("status") == "tainted"
            else one
            for one in here
        ]

    return _rewritten(content, kept)


def _added(
    content: bytes,
    halves: Mapping[str, tuple[str, str]],
    arranged: Callable[[str, _Object, _Object], Sequence[_Object] | None],
) -> bytes | None:
    known = instances(load_state(content) if content.strip() else {})
    held = {(one.type, id_of(one.attributes)) for one in known}

    def more(kind: str, address: str, here: Sequence[_Object]) -> Sequence[_Object]:
        name, region = halves.get(address, ("", ""))
        current = next((one for one in here if "deposed" not in one), None)
        # An import may take another name than the id that a state has.
        if not name or current is None or import_name(kind, name, {}) != name:
            return here
        if (kind, name) in held or _region(current) not in ("", region):
            return here
        # No more than its id, as for an import: the provider reads the rest before anything is planned.
        made = {"schema_version": current.get("schema_version", 0), "attributes": {"id": name}}
        made |= {key: current[key] for key in ("index_key",) if key in current}
        pair = arranged(kind, current, made)
        return here if pair is None else [*pair, *(one for one in here if one is not current)]

    return _rewritten(content, more)


def _rewritten(content: bytes, change: _Change) -> bytes | None:
    state = load_state(content) if content.strip() else {}
    known = list(instances(state))
    resources, at, changed = [], 0, False
    for resource in state.get("resources") or ():
        by_address: dict[str, list[_Object]] = {}
        for one in resource.get("instances") or ():
            by_address.setdefault(known[at].address, []).append(one)
            at += 1
        new: list[_Object] = []
        for address, here in by_address.items():
            becomes = change(resource["type"], address, here) if resource["mode"] == "managed" else here
            changed = changed or list(becomes) != here
            new += becomes
        resources.append({**resource, "instances": new})
    if not changed:
        return None
    json.loads(content, parse_float=_require_exact)
    return json.dumps({**state, "serial": int(state["serial"]) + 1, "resources": resources}).encode()


def _require_exact(text: str) -> float:
    """Other resources keep their values to the last digit."""
    number = float(text)
    if not math.isfinite(number) or Decimal(text) != Decimal(repr(number)):
        raise ConfigurationError(
            f"the state holds {text[:40]}, which would be rounded", hint="nothing of it was changed"
        )
    return number


def _region(one: _Object) -> str:
    """Where it is, as its ARN says; empty: it has none, or is everywhere."""
    attributes = one.get("attributes")
    parts = str(attributes.get("arn") or "").split(":") if isinstance(attributes, Mapping) else []
    return parts[3] if len(parts) > 5 and parts[0] == "arn" else ""


def _id(one: _Object) -> str | None:
    return id_of(one.get("attributes"))


def _key(name: str | None) -> str:
    """Eight hexadecimal digits, as Terraform has for what it keeps beside something; tells what was put here."""
    return hashlib.sha256((name or "").encode()).hexdigest()[:8]
