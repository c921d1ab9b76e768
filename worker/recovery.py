"""What to do about the creates of a run that was cut: pure, from the journal, a plan and what the cloud says exists.

Terraform saves its state at most every 20 s, and a killed one not at all: what it made since is in the cloud and in no
state. Each such create of the journal becomes exactly one of

    settled        the state holds it, or it never happened, or it is gone, or repeating it is answered with what exists
    an import      the plan would make it again: an import block binds the planned address to it
    deferred       it may become an import once an earlier import has made more of the plan known
    unimportable   it exists, or may exist, and nothing above applies: the run lists it and stops
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.models import JournalRecord
from worker.recovery_rules import RULES, Rule, makes_something


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource in a plan: planned to be created, or held by the state."""

    address: str
    """Terraform's address."""
    type: str
    """Terraform's type."""
    values: Mapping[str, Any]
    """Attributes that are known."""


@dataclass(frozen=True, kw_only=True)
class PlanView:
    """What recovery needs of a plan."""

    creates: tuple[Resource, ...]
    """What the plan would make."""
    held: tuple[Resource, ...]
    """What the state holds already, or will by an import of this plan."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Something that the cloud says exists."""

    id: str
    """What `terraform import` takes."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """By Terraform's names; compared as text."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Its tags."""


@dataclass(frozen=True, kw_only=True)
class Import:
    """One import block."""

    address: str
    """To where in the configuration."""
    id: str
    """Of what in the cloud."""
    call_id: str
    """The journaled call that made it."""
    certain: bool
    """Whether the call was answered; if not, the target may not exist and the import may be dropped."""


@dataclass(frozen=True, kw_only=True)
class Unimportable:
    """A create that stops the run."""

    record: JournalRecord
    """The call."""
    why: str
    """What is in the way."""

    def __str__(self) -> str:
        """One line for the log and the run's reason."""
        names = {**self.record.resource, **self.record.outcome_resource}
        shown = ", ".join(f"{key}={value}" for key, value in list(names.items())[:6])
        return f"{self.record.service}:{self.record.operation} ({shown}) by {self.record.run_id}: {self.why}"


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """The decision about all creates."""

    imports: tuple[Import, ...] = ()
    """New ones."""
    deferred: tuple[Unimportable, ...] = ()
    """Unimportable unless another import makes more of the plan known."""
    unimportable: tuple[Unimportable, ...] = ()
    """These stop the run."""


def read_plan(plan: Mapping[str, Any]) -> PlanView:
    """Take what recovery needs out of `terraform show -json`.

    Args:
        plan: format 1.x.
    """
    creates, held = [], []
    for change in plan.get("resource_changes", []):
        if change.get("mode") != "managed":
            continue
        detail = change.get("change", {})
        if detail.get("actions") == ["create"]:
            creates.append(Resource(address=change["address"], type=change["type"], values=detail.get("after") or {}))
        elif detail.get("importing"):
            held.append(Resource(address=change["address"], type=change["type"], values=detail.get("before") or {}))
    prior = plan.get("prior_state", {}).get("values", {}).get("root_module", {})
    known = {resource.address for resource in held}
    held += [resource for resource in _modules(prior) if resource.address not in known]
    return PlanView(creates=tuple(creates), held=tuple(held))


def _modules(module: Mapping[str, Any]) -> Iterator[Resource]:
    for resource in module.get("resources", []):
        if resource.get("mode") == "managed":
            yield Resource(address=resource["address"], type=resource["type"], values=resource.get("values") or {})
    for child in module.get("child_modules", []):
        yield from _modules(child)


def unsettled(records: Iterable[JournalRecord]) -> list[JournalRecord]:
    """The records that have to be accounted for: calls that make something and may have been carried out.

    Args:
        records: as the recovery endpoint returns them.
    """
    return [
        record
        for record in records
        if record.access == "write"
        and record.outcome != "refused"
        and not (record.http_status is not None and 400 <= record.http_status < 500)
        and makes_something(record.service, record.operation)
    ]


def was_answered(record: JournalRecord) -> bool:
    """Whether the cloud said that it did it."""
    return record.outcome == "answered" and record.http_status is not None and record.http_status < 300


def reconcile(
    records: Sequence[JournalRecord],
    view: PlanView,
    candidates: Mapping[str, Sequence[Candidate]],
    *,
    destroying: bool = False,
    dropped: frozenset[str] = frozenset(),
) -> Reconciliation:
    """Decide about every create.

    Args:
        records: result of `unsettled`.
        view: the plan as it is now, imports found earlier included.
        candidates: by Terraform type, what the cloud says exists; a type that is missing could not be asked for.
        destroying: nothing will be made, so nothing can be adopted: what exists has to be imported first.
        dropped: call ids whose import was tried and whose target does not exist.
    """
    state = _Books(view, candidates, destroying)
    # Answered ones first: they say which ids are taken, before a lost answer is given what is left.
    for record in sorted(records, key=lambda record: not was_answered(record)):
        if record.call_id not in dropped:
            state.account_for(record)
    return Reconciliation(
        imports=tuple(state.imports), deferred=tuple(state.deferred), unimportable=tuple(state.unimportable)
    )


class _Books:
    """What has been given to whom so far."""

    def __init__(self, view: PlanView, candidates: Mapping[str, Sequence[Candidate]], destroying: bool) -> None:
        self._view = view
        self._candidates = candidates
        self._destroying = destroying
        self._free = list(view.creates)
        self._taken_ids: set[tuple[str, str]] = set()
        self.imports: list[Import] = []
        self.deferred: list[Unimportable] = []
        self.unimportable: list[Unimportable] = []

    def account_for(self, record: JournalRecord) -> None:
        rule = RULES.get((record.service, record.operation))
        if rule is None:
            if not self._held_by_noun(record):
                self._stop(record, "there is no rule to import what it makes")
            return
        names = _names(record)
        identifier = _fill(rule.import_id, names)
        if rule.anonymous:
            self._anonymous(record, rule, identifier)
        else:
            self._named(record, rule, names, identifier)

    def _named(self, record: JournalRecord, rule: Rule, names: Mapping[str, str], identifier: str | None) -> None:
        held = [resource for resource in self._view.held if resource.type == rule.type]
        if any(_same(rule, names, resource.values) or _is(resource, identifier) for resource in held):
            return
        if rule.adopts and not self._destroying and not any(names.get(name.lower()) for name, _ in rule.same):
            return  # written in a protocol that the journal cannot read; repeating it converges
        known = self._candidates.get(rule.type)
        if known is not None:
            found = [item for item in known if item.id == identifier or _same(rule, names, item.attributes)]
            if not found:
                return  # the cloud does not have it: never made, or gone
            identifier = found[0].id
        if (rule.type, identifier or "") in self._taken_ids and identifier:
            return  # made, deleted and made again: one import serves both
        planned = next(
            (item for item in self._free if item.type == rule.type and _same(rule, names, item.values)), None
        )
        if planned is None:
            self._stop(record, "neither the state nor the plan has a resource of that name", may_defer=True)
        elif rule.adopts and not self._destroying:
            return  # repeating the call is answered with what exists
        elif identifier is None:
            self._stop(record, "its answer was lost, and with it the id that an import needs")
        else:
            self._bind(record, rule, planned, identifier)

    def _anonymous(self, record: JournalRecord, rule: Rule, identifier: str | None) -> None:
        held_ids = {str(item.values.get("id", "")) for item in self._view.held if item.type == rule.type}
        if identifier is not None and (identifier in held_ids or _short(identifier) in held_ids):
            return
        if rule.operation.startswith("Authorize") and self._inline_rule(record):
            return
        known = self._candidates.get(rule.type)
        if known is None:
            self._without_query(record, rule, identifier)
            return
        possible = [
            item
            for item in known
            if item.id not in held_ids
            and (rule.type, item.id) not in self._taken_ids
            and (item.id in (identifier, _short(identifier)) if identifier is not None else True)
        ]
        if identifier is not None and not possible:
            return  # gone
        for item in possible:
            planned = [res for res in self._free if res.type == rule.type and _fits(item, res.values)]
            if identifier is None:
                # Somebody else's may look alike: only what carries our tags, or lies in what is ours, is taken.
                planned = [res for res in planned if res.values.get("tags") or rule.operation.startswith("Authorize")]
            if len(planned) == 1:
                self._bind(record, rule, planned[0], item.id)
                return
            if planned:
                self._stop(record, f"{item.id} fits {len(planned)} planned resources", may_defer=True)
                return
        if identifier is not None:
            self._stop(record, "no planned resource fits it", may_defer=True)
        elif any(
            _alike(item, resource)
            for item in possible
            for resource in self._view.held + self._view.creates
            if resource.type == rule.type
        ):
            self._stop(record, "its answer was lost, and something like it exists that nobody holds", may_defer=True)
        # else: nothing like it exists, so it was never made

    def _without_query(self, record: JournalRecord, rule: Rule, identifier: str | None) -> None:
        planned = [item for item in self._free if item.type == rule.type]
        if identifier is not None and len(planned) == 1:
            self._bind(record, rule, planned[0], identifier)
        elif identifier is None:
            self._stop(record, "its answer was lost, and the cloud could not be asked whether it exists")
        else:
            self._stop(record, f"{len(planned)} planned resources could be {identifier}", may_defer=True)

    def _inline_rule(self, record: JournalRecord) -> bool:
        """Whether the rule belongs to a security group that lists its rules itself."""
        group = _names(record).get("groupid")
        return any(
            item.type == "aws_security_group" and item.values.get("id") == group
            and (item.values.get("ingress") or item.values.get("egress"))
            and not any(other.type.startswith("aws_vpc_security_group_") for other in self._view.creates)
            for item in self._view.held
        )  # fmt: skip

    def _held_by_noun(self, record: JournalRecord) -> bool:
        """Whether the state holds a resource of a type named like the operation, with a name or id of the record."""
        noun = re.sub(r"^[A-Z][a-z]+", "", record.operation).lower()
        values = {value for value in _names(record).values() if len(value) > 2}
        return bool(noun) and any(
            noun in item.type.replace("_", "")
            and values & {str(item.values.get(key)) for key in ("id", "arn", "name", "url", "identifier")}
            for item in self._view.held
        )

    def _bind(self, record: JournalRecord, rule: Rule, planned: Resource, identifier: str) -> None:
        self._free.remove(planned)
        self._taken_ids.add((rule.type, identifier))
        self.imports.append(
            Import(
                address=planned.address,
                id=_short(identifier),
                call_id=record.call_id,
                certain=was_answered(record) or rule.type in self._candidates,
            )
        )

    def _stop(self, record: JournalRecord, why: str, *, may_defer: bool = False) -> None:
        (self.deferred if may_defer else self.unimportable).append(Unimportable(record=record, why=why))


def render_imports(imports: Iterable[Import]) -> str:
    """Import blocks for a .tf file.

    Args:
        imports: what to import; an address comes once.
    """
    blocks = [f"import {{\n  to = {item.address}\n  id = {_hcl(item.id)}\n}}\n" for item in imports]
    return "# Written by Interlock: created by a run that was cut, held by no state.\n" + "\n".join(blocks)


def missing_imports(diagnostics: Iterable[Mapping[str, Any]], imports: Sequence[Import]) -> frozenset[str]:
    """The call ids of uncertain imports that a failed plan complains about: their target does not exist.

    Args:
        diagnostics: of `terraform plan -json`.
        imports: of that plan.
    """
    found = set()
    for item in diagnostics:
        if item.get("severity") != "error":
            continue
        text = f"{item.get('address', '')} {item.get('summary', '')} {item.get('detail', '')}"
        about = [imp for imp in imports if not imp.certain and _mentions(text, imp)]
        if re.search(r"(?i)non-existent|not ?found|does not exist|no such|couldn't find|cannot import", text):
            found |= {imp.call_id for imp in about}
    return frozenset(found)


def _mentions(text: str, imp: Import) -> bool:
    pattern = rf"(?<![\w.\]]){re.escape(imp.address)}(?![\w\[.])"
    return re.search(pattern, text) is not None or f'"{imp.id}"' in text or f"({imp.id})" in text


def _names(record: JournalRecord) -> dict[str, str]:
    """Names of a call by their last part, in lower case; what the answer says wins over the request."""
    names: dict[str, str] = {}
    for source in (record.outcome_resource, record.resource):
        for key, value in source.items():
            names.setdefault(key.rpartition(".")[2].lower(), value)
    return names


def _fill(template: str, names: Mapping[str, str]) -> str | None:
    """The template with every name filled in; None when one is not known."""
    wanted = re.findall(r"\{(\w+)\}", template)
    if not wanted or not all(names.get(name.lower()) for name in wanted):
        return None
    return re.sub(r"\{(\w+)\}", lambda match: names[match[1].lower()], template)


def _same(rule: Rule, names: Mapping[str, str], values: Mapping[str, Any]) -> bool:
    """Whether all identifying attributes that both sides know are equal, and there is at least one."""
    pairs = [(names.get(name.lower()), values.get(attribute)) for name, attribute in rule.same]
    known = [(left, right) for left, right in pairs if left and right is not None]
    return bool(known) and all(left == str(right) for left, right in known)


def _is(resource: Resource, identifier: str | None) -> bool:
    return identifier is not None and identifier in (resource.values.get("id"), resource.values.get("arn"))


def _fits(item: Candidate, values: Mapping[str, Any]) -> bool:
    """Whether a planned resource could be this one: nothing known differs, and something known is equal."""
    equal = 0
    for attribute, actual in item.attributes.items():
        wanted = values.get(attribute)
        if wanted is None:
            continue
        if str(wanted) != actual:
            return False
        equal += 1
    tags = values.get("tags") or {}
    if any(item.tags.get(key) != str(value) for key, value in tags.items() if value is not None):
        return False
    return equal > 0 or bool(tags)


def _alike(item: Candidate, resource: Resource) -> bool:
    tags = resource.values.get("tags") or {}
    return bool(tags) and all(item.tags.get(key) == str(value) for key, value in tags.items())


def _hcl(text: str) -> str:
    """A quoted string of HCL: JSON's escapes, and no template in it."""
    return json.dumps(text).replace("${", "$${").replace("%{", "%%{")


def _short(identifier: str) -> str:
    """Route 53 answers with `/hostedzone/Z…` and takes the last part."""
    return identifier.rpartition("/")[2] if identifier.startswith("/hostedzone/") else identifier
