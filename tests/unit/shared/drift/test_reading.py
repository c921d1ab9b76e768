"""From what Terraform wrote while it looked to a report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.drift.instances import instances
from shared.drift.meaning import same
from shared.drift.reading import READS_NOTHING, Look, drift_report, not_checked, nothing_differs, types_to_judge
from shared.drift.report import Cause, DriftReport, ResourceDrift, ResourceStatus, RollUp
from shared.drift.schemas import Shape
from shared.errors import ConfigurationError
from shared.safety.plan_document import load
from tests import plan_corpus
from tests.unit.shared.drift.support import change, looks, plan, resource, seen, state

PLANS = Path(plan_corpus.__file__).parent / "plans"
ONE, TWO = resource("a_t.one", {"size": 1}), resource('a_t.two["b"]', {"size": 1})
DEFERRED = {"reason": "x", "resource_change": change("a_t.one", {}, {})}


def of(report: DriftReport, address: str) -> ResourceDrift:
    return next(one for one in report.resources if one.address == address)


def judged(*drift: Any, prior: Any = (ONE, TWO), **more: Any) -> DriftReport:
    refreshed, planned = looks(prior=prior, drift=drift)
    return drift_report(refreshed, planned, **more)


def test_what_was_read_and_does_not_differ_is_in_sync() -> None:
    report = judged()
    assert (report.roll_up, report.gaps) == (RollUp.IN_SYNC, ())
    assert [(one.address, one.status, one.type) for one in report.resources] == [
        ("a_t.one", ResourceStatus.IN_SYNC, "a_t"),
        ('a_t.two["b"]', ResourceStatus.IN_SYNC, "a_t"),
    ]


def test_what_was_changed_outside_is_modified_and_named() -> None:
    report = judged(change("a_t.one", {"size": 1}, {"size": 7}))
    found = of(report, "a_t.one")
    assert (report.roll_up, found.status, found.cause) == (
        RollUp.DRIFTED,
        ResourceStatus.MODIFIED,
        Cause.CHANGED_OUTSIDE,
    )
    assert [(one.path, one.before, one.after) for one in found.attributes] == [("size", "1", "7")]


def test_what_was_deleted_outside_is_deleted() -> None:
    report = judged(change("a_t.one", {"size": 1}, None, "delete"), prior=[TWO])
    assert of(report, "a_t.one").status is ResourceStatus.DELETED
    assert report.roll_up is RollUp.DRIFTED


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, {}),
        ("", None),
        ([], None),
        ('{"a": 1}', '{"a":1}'),
        ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"),
    ],
)
def test_what_the_provider_only_writes_otherwise_is_in_sync(before: Any, after: Any) -> None:
    report = judged(change("a_t.one", {"x": before}, {"x": after}))
    found = of(report, "a_t.one")
    assert (report.roll_up, found.status, found.cause) == (
        RollUp.IN_SYNC,
        ResourceStatus.IN_SYNC,
        Cause.NORMALISATION,
    )
    assert [one.path for one in found.attributes] == ["x"]


def test_a_secret_is_found_and_not_told() -> None:
    masks = ({"password": True}, {"password": True})
    report = judged(change("a_t.one", {"password": "hunter2"}, {"password": "stolen"}, masks=masks))
    (one,) = of(report, "a_t.one").attributes
    assert (one.path, one.sensitive, report.roll_up) == ("password", True, RollUp.DRIFTED)
    assert "hunter2" not in report.model_dump_json()
    assert "stolen" not in report.model_dump_json()


def test_a_move_is_no_drift() -> None:
    moved = change("a_t.one", {"size": 1}, {"size": 1}, "no-op", previous_address="a_t.old")
    report = judged(moved, state=state(resource("a_t.old", {"size": 1}), TWO))
    found = of(report, "a_t.one")
    assert (report.roll_up, found.cause, found.previous_address) == (RollUp.IN_SYNC, Cause.MOVED, "a_t.old")
    both = judged(change("a_t.one", {"size": 1}, {"size": 2}, previous_address="a_t.old"))
    assert (of(both, "a_t.one").status, of(both, "a_t.one").previous_address) == (ResourceStatus.MODIFIED, "a_t.old")


def test_an_element_of_the_configuration_that_somebody_removed_is_drift() -> None:
    """No resource of the state shows it, and an apply would put it back."""
    rule = [{"from_port": 443, "to_port": 443, "protocol": "tcp", "cidr_blocks": ["10.0.0.0/8"]}]
    group = resource("aws_security_group.g", {"id": "g", "ingress": []})
    lost = change("aws_security_group.g", {"id": "g", "ingress": rule}, {"id": "g", "ingress": []})
    back = change("aws_security_group.g", {"id": "g", "ingress": []}, {"id": "g", "ingress": rule})
    report = drift_report(*looks(prior=[group], drift=[lost], changes=[back]))
    assert (report.roll_up, of(report, "aws_security_group.g").status) == (RollUp.DRIFTED, ResourceStatus.MODIFIED)
    (one,) = of(report, "aws_security_group.g").attributes
    assert (one.cause, one.restored) == (Cause.CHANGED_OUTSIDE, True)


def test_what_shows_another_resource_of_the_state_is_no_drift() -> None:
    role = resource("aws_iam_role.r", {"id": "r", "name": "r", "inline_policy": [{"name": "p", "policy": "{}"}]})
    policy = resource("aws_iam_role_policy.p", {"id": "r:p", "role": "r", "name": "p", "policy": "{}"})
    own, evil = {"name": "p", "policy": "{}"}, {"name": "evil", "policy": "{}"}
    drift = change("aws_iam_role.r", {"inline_policy": []}, {"inline_policy": [own]})
    report = judged(drift, prior=[role, policy])
    assert (report.roll_up, of(report, "aws_iam_role.r").cause) == (RollUp.IN_SYNC, Cause.REFLECTION)
    # Beside it, somebody else's is named alone.
    report = judged(
        change("aws_iam_role.r", {"inline_policy": []}, {"inline_policy": [evil, own]}), prior=[role, policy]
    )
    causes = {one.path: one.cause for one in of(report, "aws_iam_role.r").attributes}
    assert causes == {"inline_policy[0]": Cause.CHANGED_OUTSIDE, "inline_policy[1]": Cause.REFLECTION}


def test_a_moment_that_only_the_service_sets_moves_on_by_itself() -> None:
    drift = change("a_t.one", {"at": "2026-01-01T00:00:00Z"}, {"at": "2026-01-02T00:00:00Z"})
    shapes = {"a_t": Shape(members={"at": Shape(computed_only=True)})}
    assert judged(drift, shapes=shapes).roll_up is RollUp.IN_SYNC
    assert judged(drift).roll_up is RollUp.DRIFTED, "without the schema nobody knows who sets it"


@given(st.sets(st.sampled_from(["a_t.one", 'a_t.two["b"]'])), st.booleans())
def test_nothing_is_in_sync_that_terraform_does_not_say_to_have_read(read: set[str], failed: bool) -> None:
    refreshed, planned = looks(prior=[ONE, TWO])
    errors = [("a_t.one", "no answer")] if failed else []
    report = drift_report(replace(refreshed, evidence=seen(*read, errors=errors)), planned)
    for resource_ in report.resources:
        assert (resource_.status is ResourceStatus.IN_SYNC) == (resource_.address in read)
    assert (report.roll_up is RollUp.IN_SYNC) == (len(read) == 2 and not failed)


def test_a_resource_that_could_not_be_read_has_terraforms_own_reason_and_those_behind_it_say_so() -> None:
    refreshed = Look(
        plan=plan(prior=[ONE, TWO], errored=True, complete=False),
        evidence=seen(errors=[("a_t.one", "AccessDenied: no")]),
    )
    report = drift_report(refreshed)
    assert [(one.status, one.reason) for one in report.resources] == [
        (ResourceStatus.NOT_CHECKED, "AccessDenied: no"),
        (ResourceStatus.NOT_CHECKED, "Terraform did not come to it after an error: a_t.one: AccessDenied: no"),
    ]
    assert report.roll_up is RollUp.NOT_CHECKED


def test_drift_beside_something_that_could_not_be_read_is_drift_and_both_are_told() -> None:
    refreshed = Look(
        plan=plan(prior=[ONE, TWO], drift=[change("a_t.one", {"size": 1}, {"size": 2})], errored=True),
        evidence=seen("a_t.one", errors=[('a_t.two["b"]', "throttled")]),
    )
    report = drift_report(refreshed)
    assert report.roll_up is RollUp.DRIFTED
    assert [one.address for one in report.not_checked] == ['a_t.two["b"]']


@pytest.mark.parametrize("address", [None, "data.a_d.x", "a_t.elsewhere"])
def test_an_error_about_nothing_that_is_listed_is_a_gap(address: str | None) -> None:
    refreshed, planned = looks(prior=[ONE])
    report = drift_report(replace(refreshed, evidence=seen("a_t.one", errors=[(address, "no credentials")])), planned)
    assert report.roll_up is RollUp.NOT_CHECKED
    assert "no credentials" in report.gaps[0]


def test_a_data_source_that_cannot_be_asked_was_not_checked() -> None:
    refreshed = Look(plan=plan(prior=[ONE], errored=True), evidence=seen("a_t.one", errors=[("data.a_d.x", "gone")]))
    report = drift_report(refreshed, state=state(ONE, resource("data.a_d.x", {"v": 1})))
    assert [(one.address, one.status, one.reason) for one in report.not_checked] == [
        ("data.a_d.x", ResourceStatus.NOT_CHECKED, "gone")
    ]


def test_without_any_plan_everything_in_the_state_was_not_checked() -> None:
    look = Look(evidence=seen(errors=[("a_t.one", "broken"), (None, "worse")]))
    report = drift_report(look, state=state(ONE, TWO, resource("data.a_d.x")))
    assert [(one.address, one.status, one.reason) for one in report.resources] == [
        ("a_t.one", ResourceStatus.NOT_CHECKED, "broken"),
        ('a_t.two["b"]', ResourceStatus.NOT_CHECKED, "a_t.one: broken"),
    ]
    assert report.gaps == ("a_t.one: broken", "worse")
    assert drift_report(Look()).roll_up is RollUp.NOT_CHECKED


def test_a_check_that_looked_at_nothing_says_why() -> None:
    report = not_checked("an earlier run was cut", state=state(ONE))
    assert (report.roll_up, report.gaps) == (RollUp.NOT_CHECKED, ("an earlier run was cut",))
    assert not_checked("x").resources == ()


def test_what_is_known_to_be_missing_keeps_the_whole_from_being_in_sync() -> None:
    assert judged(gaps=["an earlier run made something"]).roll_up is RollUp.NOT_CHECKED


@pytest.mark.parametrize("kind", sorted(READS_NOTHING))
def test_a_type_whose_provider_reads_nothing_is_unsupported(kind: str) -> None:
    report = judged(prior=[resource(f"{kind}.x", {"id": "1"})])
    assert (report.resources[0].status, report.roll_up) == (ResourceStatus.UNSUPPORTED, RollUp.NOT_CHECKED)


def test_what_terraform_puts_off_is_unsupported() -> None:
    refreshed, planned = looks(prior=[ONE])
    look = replace(refreshed, plan={**(refreshed.plan or {}), "deferred_changes": [DEFERRED], "complete": False})
    report = drift_report(look, planned)
    assert (report.resources[0].status, report.gaps) == (ResourceStatus.UNSUPPORTED, ())


def test_a_plan_that_is_not_complete_is_a_gap() -> None:
    refreshed, planned = looks(prior=[ONE])
    report = drift_report(replace(refreshed, plan={**(refreshed.plan or {}), "complete": False}), planned)
    assert (report.roll_up, report.gaps) == (RollUp.NOT_CHECKED, ("Terraform says that its plan is not complete",))
    errored = drift_report(replace(refreshed, plan={**(refreshed.plan or {}), "errored": True}), planned)
    assert errored.roll_up is RollUp.NOT_CHECKED


@pytest.mark.parametrize(
    "item",
    [
        change("a_t.one", {"size": 1}, {"size": 1}, "update"),
        change("a_t.one", {"size": 1}, {"size": 2}, "levitate"),
        change("a_t.one", None, {"size": 2}, "create"),
    ],
)
def test_drift_that_cannot_be_understood_is_unknown(item: Any) -> None:
    report = judged(item)
    assert (of(report, "a_t.one").status, report.roll_up) == (ResourceStatus.UNKNOWN, RollUp.NOT_CHECKED)


def test_what_is_neither_read_nor_told_to_be_gone_is_unknown() -> None:
    report = judged(prior=[TWO], state=state(ONE, TWO))
    assert of(report, "a_t.one").status is ResourceStatus.UNKNOWN


def test_a_terraform_that_reports_no_drift_at_all_is_seen_through() -> None:
    report = judged(prior=[ONE, TWO], state=state(resource("a_t.one", {"size": 9}), TWO))
    assert (of(report, "a_t.one").status, report.roll_up) == (ResourceStatus.MODIFIED, RollUp.DRIFTED)


def test_of_an_object_and_one_that_a_replacement_left_both_have_to_be_read() -> None:
    left = resource("a_t.one", {"size": 0}, deposed="abc")
    refreshed, planned = looks(prior=[ONE, left])
    assert drift_report(refreshed, planned).roll_up is RollUp.IN_SYNC
    report = drift_report(replace(refreshed, evidence=seen("a_t.one")), planned)
    assert [one.status for one in report.resources] == [ResourceStatus.NOT_CHECKED] * 2
    assert report.resources[1].address == "a_t.one (deposed)"


def test_where_two_looks_do_not_agree_nothing_is_said() -> None:
    first, _ = looks(prior=[ONE], drift=[change("a_t.one", {"size": 1}, {"size": 2})])
    _, still = looks(prior=[ONE])
    for report in (drift_report(first, still), drift_report(looks(prior=[ONE])[0], first)):
        assert (report.resources[0].status, report.roll_up) == (ResourceStatus.UNKNOWN, RollUp.NOT_CHECKED)
    # A value that went on changing in the meantime is agreed to have changed.
    _, later = looks(prior=[ONE], drift=[change("a_t.one", {"size": 1}, {"size": 3})])
    assert drift_report(first, later).resources[0].status is ResourceStatus.MODIFIED


def test_without_the_plan_proper_drift_is_told_and_the_rest_is_a_gap() -> None:
    refreshed, _ = looks(prior=[ONE], drift=[change("a_t.one", {"size": 1}, {"size": 2})])
    failing = Look(plan=None, evidence=seen(errors=[("a_t.one", "Invalid index")]))
    assert drift_report(refreshed, failing).gaps == ("the plan proper failed: a_t.one: Invalid index",)
    assert drift_report(refreshed, failing).roll_up is RollUp.DRIFTED
    assert drift_report(looks(prior=[ONE])[0], None).roll_up is RollUp.NOT_CHECKED
    half = Look(plan=plan(prior=[ONE], errored=True), evidence=seen("a_t.one"))
    assert drift_report(looks(prior=[ONE])[0], half).roll_up is RollUp.NOT_CHECKED


def test_an_empty_plan_proper_needs_no_document() -> None:
    refreshed, _ = looks(prior=[ONE])
    assert drift_report(refreshed, Look(empty=True)).roll_up is RollUp.IN_SYNC
    assert drift_report(refreshed, Look()).roll_up is RollUp.NOT_CHECKED


@pytest.mark.parametrize("damage", [{"complete": False}, {"errored": True}, {"deferred_changes": [DEFERRED]}])
def test_nothing_differs_only_where_everything_was_looked_at(damage: dict[str, Any]) -> None:
    assert nothing_differs(plan(prior=[ONE]))
    assert not nothing_differs({**plan(prior=[ONE]), **damage})
    assert not nothing_differs(plan(prior=[ONE], drift=[change("a_t.one", {"size": 1}, {"size": 2})]))


def test_schemas_are_worth_fetching_for_what_is_more_than_a_spelling() -> None:
    spelled = change("a_t.one", {"tags": None}, {"tags": {}})
    changed = change("b_t.one", {"size": 1}, {"size": 2})
    assert types_to_judge(plan(drift=[spelled, changed])) == {"b_t"}


def test_a_target_that_has_nothing_is_in_sync() -> None:
    assert judged(prior=[]).roll_up is RollUp.IN_SYNC


@pytest.mark.parametrize(
    "damaged",
    [{}, {"format_version": "2.0"}, {**plan(), "resource_drift": {}}, {**plan(), "prior_state": []}],
)
def test_a_plan_that_is_not_as_agreed_is_refused(damaged: Any) -> None:
    with pytest.raises((ConfigurationError, KeyError)):
        drift_report(Look(plan=damaged, evidence=seen()))


#: Of `tests.plan_corpus`: versions that know drift. The oldest ones have no -refresh-only either, and refuse it.
RECORDED = sorted(path for path in PLANS.glob("*.json") if b'"resource_drift"' in path.read_bytes())


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_what_each_published_version_says_of_one_and_the_same_drift_is_read_the_same(path: Path) -> None:
    recorded = load(path.read_bytes())
    read = [address for (address, _) in instances(recorded["prior_state"])]
    look = Look(plan=recorded, evidence=seen(*read, "aws_sqs_queue.removed_in_the_cloud"))
    report = drift_report(look, look)
    assert {(one.address, one.status) for one in report.drifted} == {
        ("aws_sqs_queue.altered", ResourceStatus.MODIFIED),
        ("aws_sqs_queue.removed_in_the_cloud", ResourceStatus.DELETED),
    }
    assert report.terraform_version == path.stem
    assert report.not_checked == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "{}", '{"Statement": 1}']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abx"), inner, max_size=3),
    max_leaves=8,
)
OBJECT = st.dictionaries(st.sampled_from("abx"), JSON, max_size=3)


@given(OBJECT, OBJECT, OBJECT, JSON, JSON, JSON, st.sampled_from(["update", "no-op", "delete", "read"]))
def test_whatever_the_values_are_a_report_is_made_and_a_difference_in_meaning_is_told(
    before: Any, after: Any, planned_as: Any, mask: Any, other_mask: Any, unknown: Any, action: str
) -> None:
    prior = [resource("a_t.one", after, mask=mask)]
    drift = [change("a_t.one", before, after, masks=(mask, other_mask))]
    pending = [change("a_t.one", after, planned_as, action, masks=(mask, other_mask), unknown=unknown)]
    report = drift_report(*looks(prior=prior, drift=drift, changes=pending), state=state(resource("a_t.one", before)))
    found = of(report, "a_t.one")
    outside = [one for one in found.attributes if one.cause is Cause.CHANGED_OUTSIDE]
    assert (found.status is ResourceStatus.MODIFIED) == bool(outside)
    if not same(before, after) and not any(
        isinstance(value, (dict, list)) for value in (*before.values(), *after.values())
    ):
        assert found.status is ResourceStatus.MODIFIED


@given(JSON, JSON)
def test_a_secret_never_leaves_wherever_it_is(before: Any, after: Any) -> None:
    hidden = {"key": {"deep": [{"SECRET": before}, "SECRET-1"]}}, {"key": {"deep": [{"SECRET": after}, "SECRET-2"]}}
    masks: list[Any] = [
        {"key": True},
        {"key": {"deep": True}},
        {"key": {"deep": [True, True]}},
        True,
        None,
        "?",
        {"key": []},
    ]
    for mask in masks:
        report = drift_report(
            *looks(
                prior=[resource("a_t.one", hidden[1], mask=mask)],
                drift=[change("a_t.one", *hidden, masks=(mask, mask))],
                changes=[change("a_t.one", hidden[1], hidden[0], masks=(mask, mask))],
            ),
            state=state(resource("a_t.one", hidden[0], mask=mask)),
        )
        assert of(report, "a_t.one").status is ResourceStatus.MODIFIED
        assert "SECRET" not in report.model_dump_json()
