"""From what Terraform wrote while it looked to the report of a check. Pure.

    plan -refresh-only   what was read, and what differs from the state (`resource_drift`)
    plan                 the same once more, and what an apply would do
    the state            before all that: everything that has to be read, and what data sources said

A resource is in sync only where the stream of the first plan says that it was read. Where the two plans do not agree
about a resource, it was changing while it was looked at, and nothing is said about it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shared.drift.changes import Difference, Step
from shared.drift.evidence import Evidence
from shared.drift.finding import Finding, listed
from shared.drift.instances import Instance, Key, instances, label
from shared.drift.observed import (
    DELETED,
    GONE,
    Observed,
    compared,
    moved_on,
    observed,
    unreported,
    zero_for_nothing,
)
from shared.drift.pending import Surroundings, add_pending
from shared.drift.reflections import Reflections
from shared.drift.report import MAX_GAPS, MAX_REASON, Cause, DriftReport, ResourceStatus
from shared.drift.schemas import Shape
from shared.safety.plan_document import PlanDocument, read, without_keys

#: Types whose provider reads nothing after the creation: nobody can say what became of them.
READS_NOTHING: Final = frozenset(
    {
        "aws_grafana_workspace_api_key",
        "aws_lambda_invocation",
        "aws_networkmanager_attachment_accepter",
        "aws_ram_sharing_with_organization",
    }
)
_UNCHANGED: Final = ("no-op",)
_UPDATED: Final = ("update",)


@dataclass(frozen=True, kw_only=True)
class Look:
    """One plan of a check."""

    plan: Mapping[str, Any] | None = None
    """`terraform show -json` of it; None where there is none."""
    evidence: Evidence = field(default_factory=Evidence)
    """What Terraform said meanwhile."""
    empty: bool = False
    """Terraform's exit code said that an apply would do nothing, so `plan` was not asked for."""


def drift_report(
    refreshed: Look,
    planned: Look | None = None,
    *,
    state: Mapping[str, Any] | None = None,
    shapes: Mapping[str, Shape] | None = None,
    gaps: Sequence[str] = (),
) -> DriftReport:
    """What a check found.

    Args:
        refreshed: `plan -refresh-only`.
        planned: the plan proper; None: it was not made.
        state: `terraform show -json` before the plans; None: it cannot be had.
        shapes: of the types of `types_to_judge`.
        gaps: why the check is not complete, as far as that is known already.

    Raises:
        ConfigurationError: a document that cannot be read, or of an unknown format.
    """
    before = instances(state)
    if refreshed.plan is None:
        return _nothing_read(before, refreshed.evidence, gaps)
    shapes = shapes or {}
    document = read(refreshed.plan)
    prior = instances(refreshed.plan.get("prior_state"))
    held = {key: instance for key, instance in prior.items() if instance.mode == "managed"}
    seen = observed(document, refreshed.plan, shapes)
    seen |= {one.key: one for one in unreported(before, prior, seen, shapes)}

    findings = {key: Finding(address=label(*key), type=instance.type) for key, instance in held.items()}
    reflections = Reflections(held.values(), before or None)
    for key, one in seen.items():
        _judge(findings.setdefault(key, Finding(address=label(*key), type=one.type)), one, held.get(key), reflections)
    _require_evidence(findings, refreshed.evidence)
    _mark_unsupported(findings, document)
    data = list(_data_sources(before, prior, refreshed.evidence))
    if planned is not None and planned.plan is not None:
        second = read(planned.plan)
        if not second.errored:
            _require_agreement(findings, seen, observed(second, planned.plan, shapes))
            around = Surroundings(
                held=held,
                observed=seen,
                drifted=frozenset(without_keys(key[0]) for key, one in findings.items() if one.status.drifted),
                data=frozenset(without_keys(one.address) for one in data),
                shapes=shapes,
            )
            add_pending(findings, second, planned.plan, around)
    everything = [*findings.values(), *data]
    said = [*gaps, *_gaps(document, {one.address for one in everything}, refreshed, planned)]
    if refreshed.evidence.failures and not said and all(one.status.checked for one in everything):
        # Whatever it was about: a look that ended with an error was none at everything.
        said = [_said(failure.address, failure.text) for failure in refreshed.evidence.failures]
    return _report(everything, said, version=document.terraform_version)


def nothing_differs(plan: Mapping[str, Any]) -> bool:
    """Whether a plan is one at everything, and holds no difference from the state, not even one in spelling.

    Args:
        plan: of `plan -refresh-only`.
    """
    document = read(plan)
    whole = document.complete and not document.errored and not document.deferred_changes
    return whole and not observed(document, plan, {})


def types_to_judge(plan: Mapping[str, Any]) -> frozenset[str]:
    """Types of resources that differ from the state in more than the spelling: their schemas are worth fetching.

    Args:
        plan: of `plan -refresh-only`.
    """
    seen = observed(read(plan), plan, {})
    return frozenset(one.type for one in seen.values() if not all(other.same for other in one.differences))


def not_checked(reason: str, *, state: Mapping[str, Any] | None = None) -> DriftReport:
    """The report of a check that looked at nothing.

    Args:
        reason: why.
        state: `terraform show -json`, where it could be had.
    """
    return _nothing_read(instances(state), Evidence(), [reason])


def _nothing_read(before: Mapping[Key, Instance], evidence: Evidence, gaps: Sequence[str]) -> DriftReport:
    why = [*gaps, *(_said(failure.address, failure.text) for failure in evidence.failures)]
    if not why:
        why = ["Terraform made no plan; the run's log says why"]
    reasons = {failure.address: failure.text for failure in reversed(evidence.failures)}
    return _report(
        (
            Finding(
                address=label(*key),
                type=one.type,
                status=ResourceStatus.NOT_CHECKED,
                reason=reasons.get(one.address, why[0]),
            )
            for key, one in before.items()
            if one.mode == "managed"
        ),
        why,
    )


def _judge(finding: Finding, one: Observed, instance: Instance | None, reflections: Reflections) -> None:
    """Say what a difference from the state means."""
    finding.previous_address = one.previous_address
    if one.previous_address is not None:
        finding.causes.add(Cause.MOVED)
    if one.actions == DELETED:
        finding.status = ResourceStatus.DELETED
        finding.causes.add(Cause.CHANGED_OUTSIDE)
    elif one.actions == GONE:
        finding.decide(
            ResourceStatus.UNKNOWN, "the state holds it, and Terraform neither read it nor says that it is gone"
        )
    elif one.actions not in (_UPDATED, _UNCHANGED):
        finding.decide(
            ResourceStatus.UNKNOWN, f"Terraform reports {'/'.join(one.actions)}, which is not known as drift"
        )
    elif one.actions == _UPDATED and not one.differences:
        finding.decide(ResourceStatus.UNKNOWN, "Terraform reports a change and shows none")
    else:
        shown: dict[tuple[Step, ...], bool] = {}
        for other in one.differences:
            cause = Cause.CHANGED_OUTSIDE
            if other.same or moved_on(other, one.type) or zero_for_nothing(other):
                cause = Cause.NORMALISATION
            elif instance is not None and other.path:
                path, was, now = _whole(other, one)
                if path not in shown:
                    shown[path] = reflections.explain(instance, other.top, was, now)
                cause = Cause.REFLECTION if shown[path] else cause
            finding.attributes.append((other, cause))
            if cause is Cause.CHANGED_OUTSIDE:
                finding.status = ResourceStatus.MODIFIED


def _whole(one: Difference, seen: Observed) -> tuple[tuple[Step, ...], Any, Any]:
    """What is to be explained of a difference: an element that is new or gone, else all of its attribute.

    A part of an element only makes sense with what is around it.
    """
    if len(one.path) == 2 and (one.before is None) != (one.after is None):
        if isinstance(one.path[1], int):
            return one.path, _some(one.before), _some(one.after)
        return one.path, _entry(one.path[1], one.before), _entry(one.path[1], one.after)
    return one.path[:1], seen.before.get(one.top), seen.after.get(one.top)


def _some(value: Any) -> list[Any]:
    return [] if value is None else [value]


def _entry(key: str, value: Any) -> dict[str, Any]:
    return {} if value is None else {key: value}


def _require_evidence(findings: Mapping[Key, Finding], evidence: Evidence) -> None:
    """What Terraform does not say to have read is not in sync."""
    failures = {failure.address: failure.text for failure in reversed(evidence.failures) if failure.address}
    objects = Counter(address for address, _ in findings)
    for (address, _), finding in findings.items():
        if finding.status is not ResourceStatus.IN_SYNC or evidence.refreshed.get(address, 0) >= objects[address]:
            continue
        if address in failures:
            why = failures[address]
        elif evidence.failures:
            first = evidence.failures[0]
            why = f"Terraform did not come to it after an error: {_said(first.address, first.text)}"
        else:
            why = "Terraform does not say that it read it"
        finding.decide(ResourceStatus.NOT_CHECKED, why)


def _mark_unsupported(findings: dict[Key, Finding], document: PlanDocument) -> None:
    deferred = {change.address: change for change in document.deferred_changes}
    for (address, _), finding in findings.items():
        if finding.status.drifted:
            continue
        if address in deferred:
            finding.decide(ResourceStatus.UNSUPPORTED, "Terraform put it off until more is known")
        elif finding.type in READS_NOTHING and finding.status is ResourceStatus.IN_SYNC:
            finding.decide(ResourceStatus.UNSUPPORTED, "its provider reads nothing of it after the creation")


def _require_agreement(
    findings: Mapping[Key, Finding], first: Mapping[Key, Observed], second: Mapping[Key, Observed]
) -> None:
    """Two looks that differ say that something is going on, and not what."""
    for key, finding in findings.items():
        if not finding.status.checked:
            continue
        if key in first and first[key].unreported:
            # Which `resource_drift` of the second plan leaves out as well.
            continue
        if (first[key].apparent if key in first else ()) != (second[key].apparent if key in second else ()):
            finding.decide(
                ResourceStatus.UNKNOWN, "the two plans of this check do not agree: it changed while it was looked at"
            )


def _data_sources(before: Mapping[Key, Instance], now: Mapping[Key, Instance], evidence: Evidence) -> Iterator[Finding]:
    """Data sources that say something new, or that could not be asked."""
    failures = {failure.address: failure.text for failure in reversed(evidence.failures)}
    for key, was in before.items():
        if was.mode != "data":
            continue
        finding = Finding(address=was.address, type=was.type)
        if was.address in failures:
            finding.decide(ResourceStatus.NOT_CHECKED, failures[was.address])
            yield finding
        elif key in now:
            finding.attributes = [
                (one, Cause.NORMALISATION if one.same else Cause.DATA_SOURCE) for one in compared(was, now[key])
            ]
            if any(cause is Cause.DATA_SOURCE for _, cause in finding.attributes):
                yield finding


def _gaps(document: PlanDocument, known: set[str], refreshed: Look, planned: Look | None) -> Iterator[str]:
    """Why not everything was looked at, beside what is said of single resources."""
    failures = refreshed.evidence.failures
    for failure in failures:
        if failure.address not in known:
            yield _said(failure.address, failure.text)
    if document.errored and not failures:
        yield "the refresh ended with an error that Terraform does not explain"
    if not document.complete and not document.errored and not document.deferred_changes:
        yield "Terraform says that its plan is not complete"
    if document.errored or failures:
        # The plan proper reads everything again: it would fail in the same way, and was not made.
        return
    if planned is None:
        yield "the plan proper was not made, so nothing is known of what is not applied"
    elif not planned.empty and (planned.plan is None or read(planned.plan).errored):
        said = [_said(one.address, one.text) for one in planned.evidence.failures]
        yield "the plan proper failed: " + (said[0] if said else "the run's log says why")


def _report(findings: Iterable[Finding], gaps: Iterable[str], *, version: str = "") -> DriftReport:
    resources, left = listed(findings)
    said = list(dict.fromkeys(gap[:MAX_REASON] for gap in gaps))
    if left:
        said.insert(0, f"{left} more resources are not listed")
    return DriftReport(terraform_version=version[:64], resources=resources, gaps=tuple(said[:MAX_GAPS]))


def _said(address: str | None, text: str) -> str:
    return f"{address}: {text}" if address else text
