"""The shapes of resource types that checks of a release have learnt, so that the next one need not ask for them again.

They come from the providers that the release's lock file names by their hashes, and from inside its sandbox: so they
hold for that release and for no other, whose checks somebody who wrote this one could mislead.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from shared.drift.schemas import Shape

#: Types of one release beyond which the next check begins anew: what plans name has no other bound.
MAX_TYPES: Final = 200
#: Releases whose shapes are kept; what was used least recently goes first.
MAX_RELEASES: Final = 8


class KnownShapes:
    """What one process knows; it is lost with it."""

    def __init__(self) -> None:
        self._releases: OrderedDict[str, dict[str, Shape]] = OrderedDict()

    def of(self, release: str | None) -> dict[str, Shape]:
        """Shapes by resource type, to be read and added to.

        Args:
            release: its digest; None: nobody knows it, and nothing is kept.
        """
        if release is None:
            return {}
        known = self._releases.setdefault(release, {})
        self._releases.move_to_end(release)
        if len(known) > MAX_TYPES:
            known.clear()
        while len(self._releases) > MAX_RELEASES:
            self._releases.popitem(last=False)
        return known
