"""May this plan be applied?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.safety.entries import Existing, SafetyPlan
from shared.safety.rules import Demand, SafetyRules
from shared.safety.verdict import Approval, Decision, consentable, judge, unconsented
from tests.unit.shared.safety.support import AMERICA, EUROPE, entry, plan
from tests.unit.shared.safety.test_entries import plans

CREATE, UPDATE, DELETE = (entry(word, "aws_x.a") for word in ("create", "update", "delete"))
SECRET = entry("update", "aws_kms_key.k")
RULES = SafetyRules.model_validate(
    {
        "auto": [{"operations": ["create", "update"]}],
        "two_persons": [{"operations": ["forget"]}],
        "never": [{"operations": ["delete"], "types": ["aws_db"]}],
        "protected_types": ["aws_kms_key"],
    }
)


def approved(what: SafetyPlan, *names: str) -> Approval:
    return Approval(plan=what.normalised(EUROPE), approvers=names or ("anna",))


def test_what_the_rules_approve_needs_nobody() -> None:
    verdict = judge(plan(CREATE, UPDATE), EUROPE, RULES, [])
    assert (verdict.decision, verdict.needed, verdict.approvers) == (Decision.ACCEPTED, 0, ())


def test_what_needs_a_person_is_held_and_only_that_is_named() -> None:
    verdict = judge(plan(CREATE, SECRET), EUROPE, RULES, [])
    assert (verdict.decision, verdict.entries, verdict.needed) == (Decision.HELD, (SECRET,), 1)
    assert verdict.why == "1 person has to approve: update aws_kms_key.k"


def test_an_identical_plan_needs_no_second_approval() -> None:
    one = plan(CREATE, SECRET)
    verdict = judge(one, EUROPE, RULES, [approved(one)])
    assert (verdict.decision, verdict.approvers) == (Decision.ACCEPTED, ("anna",))


def test_a_plan_for_another_target_that_does_no_more_is_approved_by_it() -> None:
    here = plan(
        entry("delete", 'aws_x.zone["eu-west-1a"]', "aws_x"), entry("delete", 'aws_x.zone["eu-west-1b"]', "aws_x")
    )
    there = plan(entry("delete", 'aws_x.zone["us-east-1a"]', "aws_x"))
    assert judge(there, AMERICA, RULES, [approved(here)]).decision is Decision.ACCEPTED


def test_one_that_does_more_is_held_and_says_what_is_new() -> None:
    more = entry("delete", "aws_x.b")
    verdict = judge(plan(DELETE, more), AMERICA, RULES, [approved(plan(DELETE))])
    assert (verdict.decision, verdict.entries) == (Decision.HELD, (more,))


def test_new_entries_are_named_as_they_are_called_at_their_own_target() -> None:
    here = entry("delete", 'aws_x.zone["us-east-1a"]', "aws_x")
    assert judge(plan(here), AMERICA, RULES, []).entries == (here,)


def test_what_the_rules_approve_by_themselves_need_not_be_in_the_approved_plan() -> None:
    assert judge(plan(DELETE, CREATE), EUROPE, RULES, [approved(plan(DELETE))]).decision is Decision.ACCEPTED


def test_parts_of_two_approvals_do_not_make_up_one() -> None:
    other = entry("delete", "aws_x.b")
    approvals = [approved(plan(DELETE)), approved(plan(other), "bert")]
    assert judge(plan(DELETE, other), EUROPE, RULES, approvals).decision is Decision.HELD


def test_what_always_needs_two_is_held_until_a_second_person_approved_it() -> None:
    one = plan(entry("forget", "aws_x.a"))
    waiting = judge(one, EUROPE, RULES, [approved(one, "anna")])
    assert (waiting.decision, waiting.needed, waiting.approvers) == (Decision.HELD, 2, ("anna",))
    assert waiting.why == "approved by anna; 2 persons have to"
    mixed = plan(*one.entries, DELETE)
    assert judge(mixed, EUROPE, RULES, [approved(mixed, "anna")]).entries == tuple(one.entries), "the other has its one"
    assert judge(one, EUROPE, RULES, [approved(one, "anna", "bert")]).decision is Decision.ACCEPTED


def test_two_approvals_of_two_plans_are_not_two_of_one() -> None:
    small, large = plan(entry("forget", "aws_x.a")), plan(entry("forget", "aws_x.a"), DELETE)
    approvals = [approved(small, "anna"), approved(large, "bert")]
    assert judge(small, EUROPE, RULES, approvals).decision is Decision.HELD


def test_what_is_never_allowed_is_forbidden_whoever_approved_it() -> None:
    gone = entry("delete", "aws_db.main")
    verdict = judge(plan(gone), EUROPE, RULES, [approved(plan(gone), "anna", "bert")])
    assert (verdict.decision, verdict.entries) == (Decision.FORBIDDEN, (gone,))


def test_a_provisioner_that_no_rule_names_is_forbidden() -> None:
    ran = entry("provisioner", "aws_x.a", "local-exec")
    assert judge(plan(CREATE, ran), EUROPE, RULES, []).entries == (ran,)
    assert judge(plan(CREATE, ran), EUROPE, None, []).entries == (ran,), "nor without rules at all"


def test_a_phase_with_approval_holds_what_the_rules_would_let_pass() -> None:
    held = judge(plan(CREATE), EUROPE, None, [], gate=[])
    assert (held.decision, held.entries, held.needed) == (Decision.HELD, (CREATE,), 1)
    assert judge(plan(CREATE), EUROPE, None, [], gate=[approved(plan(CREATE))]).approvers == ("anna",)


def test_a_phase_with_approval_is_not_passed_by_an_approval_of_another_targets_plan() -> None:
    others = [approved(plan(CREATE, DELETE))]
    assert judge(plan(DELETE), EUROPE, RULES, others).decision is Decision.ACCEPTED
    assert judge(plan(DELETE), EUROPE, RULES, others, gate=[]).decision is Decision.HELD
    passed = judge(plan(DELETE), EUROPE, RULES, others, gate=[approved(plan(DELETE), "bert")])
    assert (passed.decision, passed.approvers) == (Decision.ACCEPTED, ("anna", "bert"))


def test_whoever_passes_the_gate_has_not_met_what_the_rules_ask_for() -> None:
    one = plan(entry("forget", "aws_x.a"))
    assert judge(one, EUROPE, RULES, [approved(one)], gate=[approved(one)]).needed == 2


KEY, TABLE = entry("delete", "aws_kms_key.k"), entry("replace_delete_first", "aws_dynamodb_table.t")


def test_what_cannot_be_undone_is_held_until_somebody_named_it() -> None:
    verdict = judge(plan(CREATE, KEY, TABLE), EUROPE, None, [], consents=())
    assert (verdict.decision, verdict.needed) == (Decision.HELD, 1)
    assert verdict.entries == verdict.unconsented == (TABLE, KEY)
    assert verdict.why == (
        "consent by name is wanted, since it cannot be undone: "
        "replace_delete_first aws_dynamodb_table.t, delete aws_kms_key.k"
    )
    half = judge(plan(CREATE, KEY, TABLE), EUROPE, None, [], consents={"aws_kms_key.k", "aws_x.a"})
    assert half.unconsented == (TABLE,)
    whole = judge(plan(CREATE, KEY, TABLE), EUROPE, None, [], consents={"aws_kms_key.k", "aws_dynamodb_table.t"})
    assert (whole.decision, whole.unconsented) == (Decision.ACCEPTED, ())


def test_a_flock_that_never_takes_back_asks_for_no_consent() -> None:
    assert judge(plan(KEY), EUROPE, None, [], consents=None).decision is Decision.ACCEPTED


def test_an_approval_is_no_consent_and_a_consent_no_approval() -> None:
    one = plan(KEY)
    held = judge(one, EUROPE, RULES, [approved(one)], consents=())
    assert (held.decision, held.unconsented, held.approvers) == (Decision.HELD, (KEY,), ("anna",))
    other = judge(one, EUROPE, RULES, [], consents={"aws_kms_key.k"})
    assert (other.decision, other.unconsented, other.why) == (
        Decision.HELD,
        (),
        "1 person has to approve: delete aws_kms_key.k",
    )
    assert judge(one, EUROPE, RULES, [approved(one)], consents={"aws_kms_key.k"}).decision is Decision.ACCEPTED


def test_whoever_is_held_by_both_hears_of_both() -> None:
    verdict = judge(plan(SECRET, TABLE, entry("forget", "aws_x.b")), EUROPE, RULES, [], consents=())
    assert verdict.why.startswith("consent by name is wanted, since it cannot be undone: replace_delete_first aws_dyn")
    assert verdict.why.endswith("; and 2 persons have to approve: replace_delete_first aws_dynamodb_table.t, "
                                "update aws_kms_key.k, forget aws_x.b")  # fmt: skip
    assert (verdict.needed, verdict.unconsented) == (2, (TABLE,))
    gate = judge(plan(CREATE, TABLE), EUROPE, None, [], gate=[], consents=())
    assert set(gate.entries) == {CREATE, TABLE}


def test_consent_makes_nothing_of_what_is_never_allowed() -> None:
    verdict = judge(plan(entry("delete", "aws_db.main")), EUROPE, RULES, [], consents={"aws_db.main"})
    assert verdict.decision is Decision.FORBIDDEN


def test_a_consent_is_to_one_address_and_not_to_its_like_elsewhere() -> None:
    one = plan(entry("delete", 'aws_kms_key.k["eu-west-1"]', "aws_kms_key"))
    assert judge(one, EUROPE, None, [], consents={'aws_kms_key.k["us-east-1"]'}).decision is Decision.HELD
    assert judge(one, EUROPE, None, [], consents={'aws_kms_key.k["<provider_region>"]'}).decision is Decision.HELD


def test_consent_to_a_resource_counts_for_what_a_replacement_left_of_it() -> None:
    left = plan(entry("delete", "aws_dynamodb_table.t (deposed)", "aws_dynamodb_table"))
    assert judge(left, EUROPE, None, [], consents={"aws_dynamodb_table.t"}).decision is Decision.ACCEPTED
    assert judge(left, EUROPE, None, [], consents=()).decision is Decision.HELD


def test_who_makes_something_that_will_hold_data_may_consent_before() -> None:
    one = plan(CREATE, KEY, entry("create", "aws_dynamodb_table.new"), entry("create", "aws_sqs_queue.q"))
    assert consentable(one) == {"aws_kms_key.k", "aws_dynamodb_table.new"}
    assert unconsented(one, ()) == [KEY]


def test_an_update_that_nothing_turns_around_wants_consent_as_well() -> None:
    grows = entry("update", "aws_ebs_volume.v")
    one = SafetyPlan(entries=frozenset({CREATE, grows}), one_way=frozenset({"aws_ebs_volume.v"}))
    verdict = judge(one, EUROPE, None, [], consents=())
    assert (verdict.decision, verdict.unconsented) == (Decision.HELD, (grows,))
    assert judge(one, EUROPE, None, [], consents={"aws_ebs_volume.v"}).decision is Decision.ACCEPTED
    assert judge(plan(CREATE, grows), EUROPE, None, [], consents=()).decision is Decision.ACCEPTED
    assert consentable(one) == {"aws_ebs_volume.v"}


def test_a_long_list_is_cut() -> None:
    many = plan(*(entry("delete", f"aws_kms_key.k{at:04}") for at in range(1200)))
    verdict = judge(many, EUROPE, None, [], consents=())
    assert (len(verdict.unconsented), len(verdict.entries)) == (1000, 1000)
    assert len(verdict.why) <= 1024


@given(plans, st.lists(plans, max_size=2), st.frozensets(st.sampled_from(["aws_x.a", "aws_x.b"])))
def test_consents_only_ever_hold_and_only_what_they_name_lets_go(
    one: SafetyPlan, others: list[SafetyPlan], consents: frozenset[str]
) -> None:
    approvals = [Approval(plan=other.normalised(EUROPE), approvers=("anna", "bert")) for other in others]
    plain = judge(one, EUROPE, RULES, approvals)
    asked = judge(one, EUROPE, RULES, approvals, consents=consents)
    missing = unconsented(one, consents)
    if asked.decision is Decision.ACCEPTED:
        assert plain.decision is Decision.ACCEPTED
        assert missing == []
    if missing and plain.decision is not Decision.FORBIDDEN:
        assert asked.decision is Decision.HELD
        assert set(asked.unconsented) == set(missing)
    if not missing:
        assert asked == plain


@given(plans, st.lists(plans, max_size=4), st.lists(plans, max_size=2) | st.none())
def test_accepted_means_that_nothing_needs_anybody_or_one_approval_holds_all_of_it(
    one: SafetyPlan, others: list[SafetyPlan], own: list[SafetyPlan] | None
) -> None:
    approvals = [Approval(plan=other.normalised(EUROPE), approvers=("anna", "bert")) for other in others]
    gate = None if own is None else [approved(other) for other in own]
    verdict = judge(one, EUROPE, RULES, approvals, gate=gate)
    needy = {item for item in one.entries if RULES.demand(item) > Demand.NOBODY}
    never = any(RULES.demand(item) is Demand.NEVER for item in one.entries)
    wanted = SafetyPlan(entries=frozenset(needy)).normalised(EUROPE).entries
    covered = not needy or any(wanted <= approval.plan.entries for approval in approvals)
    whole = one.normalised(EUROPE).entries
    covered = covered and (gate is None or any(whole <= approval.plan.entries for approval in gate))
    assert (verdict.decision is Decision.FORBIDDEN) == never
    assert (verdict.decision is Decision.ACCEPTED) == (covered and not never)
    assert set(verdict.entries) <= one.entries


@given(plans, st.frozensets(st.integers(0, 7)))
def test_less_than_an_approved_plan_is_always_approved(one: SafetyPlan, left_out: frozenset[int]) -> None:
    kept = frozenset(item for number, item in enumerate(sorted(one.entries, key=str)) if number not in left_out)
    approval = Approval(plan=one.normalised(EUROPE), approvers=("anna", "bert"))
    verdict = judge(SafetyPlan(entries=kept), EUROPE, RULES, [approval])
    assert verdict.decision in (Decision.ACCEPTED, Decision.FORBIDDEN)


def test_what_takes_something_over_is_held_until_somebody_names_it() -> None:
    there = Existing(address="aws_sns_topic.a", type="aws_sns_topic")
    one = SafetyPlan(entries=frozenset({entry("create", "aws_sns_topic.a"), CREATE}), existing=frozenset({there}))
    held = judge(one, EUROPE, None, [], consents=())
    assert (held.decision, held.unconsented) == (Decision.HELD, (entry("create", "aws_sns_topic.a"),))
    assert consentable(one) == {"aws_sns_topic.a"}
    assert judge(one, EUROPE, None, [], consents={"aws_sns_topic.a"}).decision is Decision.ACCEPTED
    assert judge(one, EUROPE, None, [], consents=None).decision is Decision.ACCEPTED
