"""What a deployment set on something that stays, and no plan of the first configuration takes back. Pure.

Where a configuration says nothing of an attribute, many providers keep what is there (an attribute that is optional
and computed), and `ignore_changes` has Terraform keep it. So after an empty plan the values are compared, of those
attributes that the deployment's own plans gave other values.

What names another object that was made again, or another version of one, is as it was: the version of a launch
template, the ARN of a task definition, the id of a group.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from shared.rollback.rearranging import same_values
from shared.rollback.records import MAX_ID, Changed, Kept
from shared.rollback.states import Instance, id_of

#: Shorter texts are looked for as whole values only.
_LONG: Final = 8


def kept(first: Collection[Instance], final: Collection[Instance], changed: Collection[Changed]) -> Iterator[Kept]:
    """Objects of which some of these attributes are not as they were.

    Args:
        first: objects of the first state.
        final: objects of the final one.
        changed: what the deployment's plans set.
    """
    was, now = ({one.address: one for one in state if one.deposed is None} for state in (first, final))
    renamed = {address: _renamed(one, now[address]) for address, one in was.items() if address in now}
    for item in changed:
        before, after = was.get(item.address), now.get(item.address)
        if before is None or after is None or before.type != after.type:
            continue
        if id_of(before.attributes) != id_of(after.attributes):
            continue  # made again, from the first configuration alone
        left = [
            name
            for name in item.attributes
            if not same_values(before.attributes.get(name), after.attributes.get(name))
            and not same_values(
                _with(before.attributes.get(name), _others(renamed, item.address)), after.attributes.get(name)
            )
        ]
        if left:
            yield Kept(address=item.address, type=after.type, id=_shown_id(after), attributes=tuple(left))


def _renamed(before: Instance, after: Instance) -> dict[str, str]:
    """What single values of an object are now, of those that are others."""
    pairs = ((value, after.attributes.get(name)) for name, value in before.attributes.items())
    scalar = ((old, new) for old, new in pairs if _is_scalar(old) and _is_scalar(new) and old != new)
    return {str(old): str(new) for old, new in scalar}


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""


def _others(renamed: Mapping[str, Mapping[str, str]], own: str) -> dict[str, str]:
    return {old: new for address, pairs in renamed.items() if address != own for old, new in pairs.items()}


def _with(value: Any, renamed: Mapping[str, str]) -> Any:
    """A value in which what others are called is what they are called now."""
    if isinstance(value, dict):
        return {key: _with(one, renamed) for key, one in value.items()}
    if isinstance(value, list):
        return [_with(one, renamed) for one in value]
    if not _is_scalar(value):
        return value
    if (whole := renamed.get(str(value))) is not None:
        return whole if isinstance(value, str) else json.loads(whole) if whole.isdigit() else whole
    if isinstance(value, str) and len(value) > _LONG:
        for old, new in renamed.items():
            if len(old) >= _LONG:
                value = value.replace(old, new)
    return value


def _shown_id(one: Instance) -> str | None:
    """Its id, unless that is a secret."""
    hidden = one.sensitive is None or any(not path or path[0] == "id" for path in one.sensitive)
    found = None if hidden else id_of(one.attributes)
    return found if found is not None and len(found) <= MAX_ID else None
