"""What to do about the creates of a run that was cut: pure, from the journal, a plan and what the cloud says exists.

Terraform saves its state at most every 20 s, and a killed one not at all: what it made since is in the cloud and in no
state. Each such create of the journal becomes exactly one of

    settled        the state holds it, or it never happened, or it is gone, or repeating it is answered with what exists
    an import      the plan would make it again: an import block binds the planned address to it
    deferred       it may become an import once an earlier import has made more of the plan known
    unimportable   it exists, or may exist, and nothing above applies: the run lists it and stops
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shared.models import JournalRecord
from shared.recovery.calls import was_answered
from shared.recovery.described import RULE_ATTRIBUTES, RULE_DIRECTIONS
from shared.recovery.imports import Import
from shared.recovery.older_rules import OLDER_RULE, older_rule_id, older_rule_is
from shared.recovery.ownership import is_older, is_ours, things_made
from shared.recovery.rules import as_planned, differs, import_id, named, names_of, rule_of, rules_of, same, text_of
from shared.recovery.shelves import Shelves
from shared.recovery.table import Rule
from shared.recovery.views import Candidate, PlanView, Resource, tags_of

type Goes = Literal["nothing", "made", "all"]


@dataclass(frozen=True, kw_only=True)
class Half:
    """What was made in place of something that is still there."""

    address: str
    """Where the state holds that."""
    type: str
    """Of both."""
    id: str
    """By which an import takes the new one: it answered the call, so it is surely the run's own."""
    region: str
    """Where the call was made."""


@dataclass(frozen=True, kw_only=True)
class Unimportable:
    """A create that stops the run."""

    record: JournalRecord
    """The call."""
    why: str
    """What is in the way."""
    half: Half | None = None
    """It is the new half of a replacement whose old half the state still holds."""

    @property
    def call(self) -> str:
        """The operation, and what it named."""
        names = {**self.record.resource, **self.record.outcome_resource}
        shown = ", ".join(f"{key}={value}" for key, value in list(names.items())[:6])
        return f"{self.record.service}:{self.record.operation} ({shown})"

    def __str__(self) -> str:
        """One line for the log and the run's reason."""
        return f"{self.call} by {self.record.run_id}: {self.why}"


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """The decision about all creates."""

    imports: tuple[Import, ...] = ()
    """New ones."""
    deferred: tuple[Unimportable, ...] = ()
    """Unimportable unless another import makes more of the plan known."""
    unimportable: tuple[Unimportable, ...] = ()
    """These stop the run."""


def reconcile(
    records: Sequence[JournalRecord],
    view: PlanView,
    candidates: Mapping[str, Sequence[Candidate]],
    *,
    destroying: bool = False,
    dropped: frozenset[str] = frozenset(),
    others: Collection[str] = (),
    parts: bool = False,
    restoring: Collection[str] = (),
    named: Collection[str] = (),
    goes: Goes = "nothing",
) -> Reconciliation:
    """Decide about every create.

    Args:
        records: result of `calls.to_account_for`.
        view: the plan as it is now, imports found earlier included.
        candidates: by Terraform type, what the cloud says exists; a type that is missing could not be asked for.
        destroying: nothing will be made, so nothing can be adopted: what exists has to be imported first.
        dropped: call ids whose import was tried and whose target does not exist, or may be somebody else's.
        others: ids that answered calls of other runs made, as the journal says: no lost answer was about one of them.
        parts: name parts of other things as well, that go with them as a rule: nothing is planned for them here.
        restoring: addresses at which something was before that the plan makes again.
        goes: what is destroyed afterwards: what these calls made, or all that there is.
        named: call ids that another configuration did not settle: that this one plans nothing like it does not say that
            it was never made.
    """
    state = _Books(
        records,
        view,
        candidates,
        destroying=destroying,
        others=frozenset(others),
        parts=parts,
        restoring=frozenset(restoring),
        named=frozenset(named),
        goes=goes,
    )
    # Answered ones first: they say which ids are taken, before a lost answer is given what is left.
    for record in sorted(records, key=lambda record: not was_answered(record)):
        if record.call_id not in dropped:
            state.account_for(record)
    return Reconciliation(
        imports=tuple(state.imports), deferred=tuple(state.deferred), unimportable=tuple(state.unimportable)
    )


class _Books:
    """What has been given to whom so far."""

    def __init__(
        self,
        records: Sequence[JournalRecord],
        view: PlanView,
        candidates: Mapping[str, Sequence[Candidate]],
        *,
        destroying: bool,
        others: frozenset[str],
        parts: bool,
        restoring: frozenset[str],
        named: frozenset[str],
        goes: Goes,
    ) -> None:
        self._all = view.held + view.creates
        self._candidates = candidates
        self._destroying = destroying
        self._others = others
        self._parts = parts
        self._restoring = restoring
        self._named_before = named
        self._goes = goes
        self._made = things_made(records)
        self._held = Shelves(view.held)
        self._free = Shelves(view.creates)
        self._successors = Shelves(view.successors)
        self._taken_ids: set[tuple[str, str]] = set()
        self.imports: list[Import] = []
        self.deferred: list[Unimportable] = []
        self.unimportable: list[Unimportable] = []

    def account_for(self, record: JournalRecord) -> None:
        names = names_of(record)
        rule = self._rule(record, names)
        if rule is None:
            if not self._held_by_noun(record):
                self._stop(record, "there is no rule to import what it makes")
            return
        identifier = import_id(rule, names)
        if rule.anonymous:
            self._anonymous(record, rule, names, identifier)
        else:
            self._named(record, rule, names, identifier)

    def _rule(self, record: JournalRecord, names: Mapping[str, str]) -> Rule | None:
        """What the call makes; where types share an operation, the one that something is held or planned of."""
        rules = rules_of(record)
        if len(rules) > 1:
            for shelves in (self._held, self._free):
                if found := next(
                    (rule for rule in rules if shelves.like(rule, names, record.region) is not None), None
                ):
                    return found
        return next(iter(rules), None)

    def _named(self, record: JournalRecord, rule: Rule, names: Mapping[str, str], identifier: str | None) -> None:
        if self._held.like(rule, names, record.region) or self._held.with_id(rule.type, identifier, record.region):
            return
        if rule.adopts and not self._destroying and not any(named(names, name) for name, _ in rule.same):
            return  # written in a protocol that the journal cannot read; repeating it converges
        known, item = self._candidates.get(rule.type), None
        if known is not None:
            item = next((item for item in known if item.id == identifier), None)
            item = item or next((item for item in known if same(rule, names, item.attributes)), None)
            if item is None or is_older(item, record):
                return  # the cloud does not have it: never made, or gone; or it had it before, and the call failed
            identifier = item.id
        if (rule.type, identifier or "") in self._taken_ids and identifier:
            return  # made, deleted and made again: one import serves both
        planned = self._free.like(rule, names)
        if planned is None:
            # A part that another configuration did not settle is more than that, whatever this one plans.
            counts = not rule.part or self._parts or record.call_id in self._named_before
            if counts or self._successors.like(rule, names) is not None:
                self._stop(record, "neither the state nor the plan has a resource of that name", may_defer=True)
        elif rule.adopts and not self._destroying:
            return  # repeating the call is answered with what exists
        elif not rule.import_id:
            # It goes with what it is part of, where that goes.
            within_ours = self._goes == "made" and is_ours(rule, record, None, self._made, answered=False)
            if not (self._goes == "all" or within_ours):
                self._stop(record, f"it is {planned.address}, of a type that cannot be imported")
        elif identifier is None:
            self._stop(record, "its answer was lost, and with it the id that an import needs")
        else:
            # What a rollback takes in it destroys: that is named as the call named it.
            written = rule.as_planned and not self._destroying
            own = import_id(rule, {**names, **as_planned(rule, planned.values)}) if written else None
            self._taken_ids.add((rule.type, identifier))
            self._bind(record, rule, planned, own or identifier, item)

    def _anonymous(self, record: JournalRecord, rule: Rule, names: Mapping[str, str], identifier: str | None) -> None:
        if self._held.with_id(rule.type, identifier):
            return
        known = self._candidates.get(rule.type)
        if rule.operation.startswith("Authorize") and self._is_settled_rule(record, rule, known, identifier):
            return
        if known is None:
            self._without_query(record, rule, names, identifier)
            return
        possible = [
            item
            for item in known
            if not self._held.with_id(rule.type, item.id)
            and (rule.type, item.id) not in self._taken_ids
            and (item.id == identifier if identifier is not None else self._may_be(item, record, rule, names))
        ]
        if identifier is not None and not possible:
            return  # gone
        for item in sorted(possible, key=lambda item: not is_ours(rule, record, item, self._made)):
            planned = self._planned_for(item, record, rule, certain=identifier is not None)
            older = None if planned else self._older_rule(rule, item)
            if not planned and older is None:
                continue
            kept = self._restored(item, planned)
            if not kept and not is_ours(rule, record, item, self._made):
                self._stop(record, f"its answer was lost, and {item.id}, which looks like it, may be somebody else's")
            elif older is not None:
                self._bind(record, rule, older, older_rule_id(older.values), item)
            elif len(planned) == 1:
                self._bind(record, rule, planned[0], item.id, item, kept=kept)
            else:
                self._stop(record, f"{item.id} fits {len(planned)} planned resources", may_defer=True)
            return
        if identifier is not None:
            if not (rule.operation.startswith("Authorize") and self._is_inline(record)):
                self._stop(record, "no planned resource fits it", may_defer=True)
        elif self._something_like_it(record, rule, possible):
            self._stop(record, "its answer was lost, and something like it exists that nobody holds", may_defer=True)
        # else: nothing like it exists, so it was never made

    def _something_like_it(self, record: JournalRecord, rule: Rule, possible: Sequence[Candidate]) -> bool:
        """Whether a call without an answer may have made what nobody holds."""
        if rule.operation.startswith("Authorize"):
            return bool(possible)  # all of the group's rules are known
        alike = any(_alike(item, other) for item in possible for other in self._all if other.type == rule.type)
        return alike or record.call_id in self._named_before

    def _may_be(self, item: Candidate, record: JournalRecord, rule: Rule, names: Mapping[str, str]) -> bool:
        """Whether a call without an answer can have made it: it is not older, not another run's, and no other thing."""
        return item.id not in self._others and not is_older(item, record) and not differs(rule, names, item.attributes)

    def _planned_for(self, item: Candidate, record: JournalRecord, rule: Rule, *, certain: bool) -> list[Resource]:
        """The planned resources that an existing thing could be."""
        within = rule.operation.startswith("Authorize")
        # A rule of a group that is still to be made is another one.
        free = [res for res in self._free.of(rule.type) if not within or res.values.get("security_group_id")]
        fitting = [res for res in free if _fits(item, res.values, tags=not within)]
        if not certain:
            # Somebody else's may look alike: only what carries our tags, or lies in what is ours, is taken.
            return [res for res in fitting if within or tags_of(res.values)]
        if fitting or within:
            return fitting
        # Surely the run's own: tags that it does not carry (yet) do not speak against it.
        return [res for res in free if not _contradicts(item, res.values)]

    def _restored(self, item: Candidate, planned: Sequence[Resource]) -> bool:
        """Whether a group's rule is, in every value, what was there before and is to be there again.

        EC2 has no two such rules in one group. So it can only be kept, whoever made it, and cannot be made beside it.
        """
        return (
            len(planned) == 1
            and planned[0].address in self._restoring
            and planned[0].type in RULE_DIRECTIONS
            and all(text_of(planned[0].values.get(name)) == item.attributes.get(name, "") for name in RULE_ATTRIBUTES)
        )

    def _older_rule(self, rule: Rule, item: Candidate) -> Resource | None:
        """The planned resource of the older type, which is named by its values, that a security group's rule is."""
        free = self._free.of(OLDER_RULE) if rule.operation.startswith("Authorize") else ()
        return next((res for res in free if older_rule_is(res.values, rule.type, item.attributes)), None)

    def _without_query(
        self, record: JournalRecord, rule: Rule, names: Mapping[str, str], identifier: str | None
    ) -> None:
        planned = [item for item in self._free.of(rule.type) if not differs(rule, names, item.values)]
        certain = [item for item in planned if same(rule, names, item.values)]
        if rule.operation.startswith("Authorize"):
            planned = certain  # a group may list its rules itself: that there is one rule left to make says nothing
        if identifier is not None and (rule.type, identifier) in self._taken_ids:
            return
        if identifier is not None and len(certain or planned) == 1:
            self._bind(record, rule, (certain or planned)[0], identifier, None)
        elif identifier is None:
            self._stop(record, "its answer was lost, and the cloud could not be asked whether it exists")
        else:
            self._stop(record, f"{len(certain or planned)} planned resources could be {identifier}", may_defer=True)

    def _is_settled_rule(
        self, record: JournalRecord, rule: Rule, known: Sequence[Candidate] | None, identifier: str | None
    ) -> bool:
        """Whether a resource of the older type holds the rule, or a group that lists its rules itself.

        The older type's id is a checksum of its values: those are compared. What could not be asked for, or got no
        answer, is settled where no planned resource can be meant.
        """
        item = next((one for one in known or () if one.id == identifier), None)
        if item is not None:
            return any(older_rule_is(held.values, rule.type, item.attributes) for held in self._held.of(OLDER_RULE))
        return (known is None or identifier is None) and self._is_inline(record)

    def _is_inline(self, record: JournalRecord) -> bool:
        """Whether a rule belongs to its group: to one that lists its rules, and none of them is still to be made."""
        group = names_of(record).get("groupid")
        planned = (item for kind in (OLDER_RULE, *RULE_DIRECTIONS) for item in self._free.of(kind))
        if any(item.values.get("security_group_id") in (None, "", group) for item in planned):
            return False
        lists = any(
            item.values.get("id") == group and (item.values.get("ingress") or item.values.get("egress"))
            for item in self._held.of("aws_security_group")
        )
        return lists or any(item.values.get("security_group_id") == group for item in self._held.of(OLDER_RULE))

    def _held_by_noun(self, record: JournalRecord) -> bool:
        """Whether the state holds a resource of a type named like the operation, with a name or id of the record."""
        noun = re.sub(r"^[A-Z][a-z]+", "", record.operation).lower()
        values = {value for value in names_of(record).values() if len(value) > 2}
        return bool(noun) and any(
            values & {str(item.values.get(key)) for key in ("id", "arn", "name", "url", "identifier")}
            for kind in self._held.types
            if noun in kind.replace("_", "")
            for item in self._held.of(kind)
        )

    def _bind(
        self,
        record: JournalRecord,
        rule: Rule,
        planned: Resource,
        identifier: str,
        item: Candidate | None,
        *,
        kept: bool = False,
    ) -> None:
        self._free.take(planned)
        self._taken_ids.add((rule.type, identifier))
        self.imports.append(
            Import(
                address=planned.address,
                id=identifier,
                call_id=record.call_id,
                certain=was_answered(record) or item is not None,
                ours=kept or is_ours(rule, record, item, self._made),
            )
        )

    def _stop(self, record: JournalRecord, why: str, *, may_defer: bool = False) -> None:
        stopped = Unimportable(record=record, why=why, half=self._half(record))
        (self.deferred if may_defer else self.unimportable).append(stopped)

    def _half(self, record: JournalRecord) -> Half | None:
        rule = rule_of(record)
        # What a second create is answered with may be somebody else's, whatever it was asked for.
        if rule is None or rule.adopts or not was_answered(record):
            return None
        names = names_of(record)
        identifier = import_id(rule, names)
        fitting = [
            item
            for item in self._successors.of(rule.type)
            if (not differs(rule, names, item.values) if rule.anonymous else same(rule, names, item.values))
        ]
        if identifier is None or len(fitting) != 1:
            return None
        self._successors.take(fitting[0])
        return Half(address=fitting[0].address, type=rule.type, id=identifier, region=record.region)


def _contradicts(item: Candidate, values: Mapping[str, Any]) -> bool:
    """Whether an attribute that both sides know is another one."""
    known = ((values.get(attribute), actual) for attribute, actual in item.attributes.items())
    return any(wanted is not None and str(wanted) != actual for wanted, actual in known)


def _fits(item: Candidate, values: Mapping[str, Any], *, tags: bool) -> bool:
    """Whether a planned resource could be this one: nothing known differs, and something known is equal."""
    if _contradicts(item, values):
        return False
    equal = any(values.get(attribute) is not None for attribute in item.attributes)
    wanted = tags_of(values) if tags else {}
    if any(item.tags.get(key) != value for key, value in wanted.items()):
        return False
    return equal or bool(wanted)


def _alike(item: Candidate, resource: Resource) -> bool:
    tags = tags_of(resource.values)
    return bool(tags) and all(item.tags.get(key) == value for key, value in tags.items())
