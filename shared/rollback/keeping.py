"""What a deployment set on something that stays, and no plan of the first configuration takes back. Pure.

Where a configuration says nothing of an attribute, many providers keep what is there (an attribute that is optional
and computed), and `ignore_changes` has Terraform keep it. So after an empty plan the values are compared, of those
attributes that the deployment's own plans gave other values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from shared.rollback.rearranging import same_values
from shared.rollback.records import Changed, Kept
from shared.rollback.states import Instance, id_of


def kept(first: Collection[Instance], final: Collection[Instance], changed: Collection[Changed]) -> Iterator[Kept]:
    """Objects of which some of these attributes are not as they were.

    Args:
        first: objects of the first state.
        final: objects of the final one.
        changed: what the deployment's plans set.
    """
    was, now = ({one.address: one for one in state if one.deposed is None} for state in (first, final))
    for item in changed:
        before, after = was.get(item.address), now.get(item.address)
        if before is None or after is None or before.type != after.type:
            continue
        if id_of(before.attributes) != id_of(after.attributes):
            continue  # made again, from the first configuration alone
        left = [
            name for name in item.attributes if not same_values(before.attributes.get(name), after.attributes.get(name))
        ]
        if left:
            yield Kept(address=item.address, type=after.type, id=id_of(after.attributes), attributes=tuple(left))
