"""Whether a call can have made a thing: by when it was made, and by what it lies in. Pure.

That something exists does not say that the run made it: a create whose answer was lost may have been refused because
the thing was there before, and somebody else's may look alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta

from shared.models import JournalRecord
from shared.recovery.calls import was_answered
from shared.recovery.rules import names_of, rule_of
from shared.recovery.table import Rule
from shared.recovery.views import Candidate

#: Clocks of the proxy and of the cloud may differ by so much; AWS refuses signatures beyond it.
SKEW = timedelta(minutes=5)
#: Names that say nothing about of what.
_VAGUE = frozenset({"name", "id", "arn"})

Made = frozenset[tuple[str, str, str]]


def things_made(records: Iterable[JournalRecord]) -> Made:
    """Service, name in the journal and value of everything that these calls surely made themselves.

    A create that is answered with what exists (`Rule.adopts`) says nothing about that.

    Args:
        records: calls.
    """
    found = set()
    for record in records:
        rule = rule_of(record)
        if rule is None or rule.adopts or rule.part or not was_answered(record):
            continue
        names = names_of(record)
        own = _own_name(rule)
        if own is not None and own not in _VAGUE and names.get(own):
            found.add((record.service, own, names[own]))
    return frozenset(found)


def is_older(item: Candidate, record: JournalRecord) -> bool:
    """Whether it existed before the call, which then cannot have made it; an answered one speaks for itself.

    Args:
        item: exists.
        record: the call.
    """
    return not was_answered(record) and item.created_at is not None and item.created_at < record.at_wall - SKEW


def is_ours(rule: Rule, record: JournalRecord, item: Candidate | None, made: Made, *, answered: bool = True) -> bool:
    """Whether what the call would have made is known to be what exists, not something that was there before.

    Args:
        rule: of the call.
        record: the call.
        item: what exists, where the cloud was asked; not older than the call.
        made: result of `things_made`.
        answered: whether an answer is enough; else only what it lies in counts.
    """
    if (answered and was_answered(record)) or (item is not None and item.created_at is not None):
        return True
    return _lies_in(rule, names_of(record), item, made, record.service)


def _lies_in(rule: Rule, names: Mapping[str, str], item: Candidate | None, made: Made, service: str) -> bool:
    """Whether it is in, or of, something that the runs made themselves: then it was not there before that was."""
    for name, attribute in rule.same:
        key = name.lower()
        # What is set on something is named after that.
        if (key == _own_name(rule) and not rule.part) or (service, key, names.get(key, "")) not in made:
            continue
        if item is None or not rule.anonymous or item.attributes.get(attribute) == names[key]:
            return True
    return False


def _own_name(rule: Rule) -> str | None:
    """The one name that a rule's import is made of."""
    wanted = re.findall(r"\{(\w+)\}", rule.import_id)
    return wanted[0].lower() if len(wanted) == 1 else None
