"""Which entries of a plan left no trace in the journal of the run that applied it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from shared.safety.entries import Entry, in_order
from signing_proxy.access import class_of
from signing_proxy.needs import needs_of

if TYPE_CHECKING:
    from shared.models import JournalRecord


def without_a_call(entries: Iterable[Entry], journal: Iterable[JournalRecord]) -> list[Entry]:
    """The entries that need calls which change something, while the journal has none of those as answered.

    A call that several entries need counts for each of them: what is listed was surely not done, what is not listed may
    not have been either.

    Args:
        entries: of the plan that was applied.
        journal: of the run.
    """
    made = {(call.service, call.operation) for call in journal if call.access == "write" and call.outcome == "answered"}
    classes = {(service, class_of(service, operation)) for service, operation in made}
    silent = []
    for entry in in_order(entries):
        needs = needs_of(entry.type, entry.operation)
        if (needs.operations or needs.classes) and not (needs.operations & made or needs.classes & classes):
            silent.append(entry)
    return silent
