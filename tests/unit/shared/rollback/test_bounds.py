"""What a rollback may do: nothing that existed before is destroyed, and no data, unless somebody named it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rollback.bounds import verdict
from shared.rollback.guarding import keeps_data
from shared.rollback.lasting import LOSES, STAYS
from shared.rollback.records import FirstResource, Imported, Moved, Rearrangement, RollbackPlanItem, RollbackVerdict
from shared.safety.entries import Existing, Operation
from tests.unit.shared.rollback.support import first_state, item, plan_of, was

DESTROYS = ("delete", "replace_delete_first", "replace_create_first")


def judged(
    *items: RollbackPlanItem,
    first: Collection[FirstResource] = (),
    touched: Collection[str] | None = None,
    consents: Collection[str] = (),
    new: Rearrangement | None = None,
    replaced: Collection[str] = (),
    existing: Collection[Existing] = (),
) -> RollbackVerdict:
    """The verdict; unless said otherwise the deployment touched everything."""
    everything = {one.address for one in items} if touched is None else touched
    return verdict(
        plan_of(*items),
        first_state(*first),
        consents=consents,
        touched=everything,
        new=new or Rearrangement(),
        replaced=replaced,
        existing=existing,
    )


def allowed(one: RollbackPlanItem, **more: Any) -> bool:
    found = judged(one, **more)
    assert len(found.allowed) + len(found.refused) == 1
    return found.whole


def why(one: RollbackPlanItem, **more: Any) -> str:
    (refusal,) = judged(one, **more).refused
    return refusal.reason


def test_what_the_deployment_made_is_deleted() -> None:
    assert allowed(item("delete", "aws_vpc.new", "vpc-new"), first=[was("aws_vpc.old")])
    assert allowed(item("delete", "aws_vpc.new", None))


@pytest.mark.parametrize("operation", DESTROYS)
def test_what_existed_before_is_never_destroyed_wherever_it_is_now(operation: str) -> None:
    old = was("aws_vpc.old", "vpc-old")
    for address in ("aws_vpc.old", "aws_vpc.elsewhere"):
        one = item(operation, address, "vpc-old")
        assert "existed before" in why(one, first=[old, was("aws_vpc.elsewhere", "vpc-2")])


@pytest.mark.parametrize("operation", DESTROYS)
def test_an_object_left_behind_by_a_replacement_is_told_by_its_id(operation: str) -> None:
    old = was("aws_vpc.a", "vpc-old")
    assert "existed before" in why(item(operation, "aws_vpc.a", "vpc-old", deposed="00c0ffee"), first=[old])
    assert allowed(item(operation, "aws_vpc.a", "vpc-new", deposed="00c0ffee"), first=[old])


def test_an_object_that_was_left_behind_before_the_deployment_existed() -> None:
    old = was("aws_vpc.a", "vpc-old", deposed="00c0ffee")
    assert "existed before" in why(item("delete", "aws_vpc.a", "vpc-old", deposed="00c0ffee"), first=[old])


def test_the_same_id_of_another_type_is_another_object() -> None:
    assert allowed(item("delete", "aws_iam_role.web", "web"), first=[was("aws_iam_group.web", "web")])


def test_an_id_that_is_unique_only_within_something_is_told_apart_by_what_an_import_takes() -> None:
    old = was("aws_lambda_permission.a", "AllowInvoke", import_id="f/AllowInvoke")
    other = item("delete", "aws_lambda_permission.b", "AllowInvoke", import_id="g/AllowInvoke")
    same = item("delete", "aws_lambda_permission.b", "AllowInvoke", import_id="f/AllowInvoke")
    assert allowed(other, first=[old])
    assert "existed before" in why(same, first=[old])
    # Where either is not known they may be the same.
    assert "existed before" in why(other.model_copy(update={"import_id": None}), first=[old])
    assert "existed before" in why(other, first=[old, old.model_copy(update={"import_id": None})])
    assert "existed before" in why(same, first=[was("aws_lambda_permission.c", "AllowInvoke", import_id="h/x"), old])


@pytest.mark.parametrize("operation", ["replace_delete_first", "replace_create_first"])
def test_what_the_deployment_replaced_under_its_old_name_is_replaced_again(operation: str) -> None:
    old = was("aws_iam_role.a", "web")
    one = item(operation, "aws_iam_role.a", "web")
    assert allowed(one, first=[old], replaced={"aws_iam_role.a"})
    assert "existed before" in why(one, first=[old])
    assert "existed before" in why(one, first=[old], replaced={"aws_iam_role.b"})
    assert not allowed(one, first=[old], replaced={"aws_iam_role.a"}, touched=())


def test_what_a_replacement_left_behind_was_to_go_and_what_it_did_not_leave_stays() -> None:
    old = was("aws_security_group.a", "sg-1")
    left = item("delete", "aws_security_group.a", "sg-1", deposed="00c0ffee")
    assert allowed(left, first=[old], replaced={"aws_security_group.a"})
    assert "existed before" in why(left, first=[old])
    gone = item("delete", "aws_security_group.a", "sg-1")
    assert "existed before" in why(gone, first=[old], replaced={"aws_security_group.a"})
    taken = Rearrangement(imported=(Imported(address="aws_security_group.a", type="aws_security_group"),))
    assert "existed before" in why(left, replaced={"aws_security_group.a"}, new=taken)
    new = Rearrangement(moved=(Moved(before="aws_security_group.a", after="aws_security_group.b"),))
    assert allowed(left, first=[old], replaced={"aws_security_group.b"}, new=new, touched={"aws_security_group.b"})


@pytest.mark.parametrize("kind", ["aws_dynamodb_table", "aws_sqs_queue", "aws_eip", "never_heard_of"])
def test_where_something_is_lost_that_takes_consent_by_name(kind: str) -> None:
    old = was(f"{kind}.a", "x")
    for one in (item("replace_delete_first", f"{kind}.a", "x"), item("delete", f"{kind}.a", "x", deposed="00c0ffee")):
        assert "existed before" in why(one, first=[old], replaced={f"{kind}.a"})
        assert allowed(one, first=[old], replaced={f"{kind}.a"}, consents={f"{kind}.a"})


@pytest.mark.parametrize("operation", DESTROYS)
def test_where_there_are_no_ids_the_address_decides(operation: str) -> None:
    one = item(operation, "null_resource.a", None)
    assert "existed before" in why(one, first=[was("null_resource.a", None)])
    assert "existed before" in why(one, first=[was("null_resource.a", "1")])
    # It had no id in the first state: that it has one now proves nothing.
    assert "existed before" in why(item(operation, "null_resource.a", "2"), first=[was("null_resource.a", None)])


def test_an_object_without_an_id_that_was_moved_existed() -> None:
    new = Rearrangement(moved=(Moved(before="aws_vpc.a", after="aws_vpc.b"),))
    assert "existed before" in why(item("delete", "aws_vpc.b", None), first=[was("aws_vpc.a", "vpc-1")], new=new)


@pytest.mark.parametrize("operation", DESTROYS)
def test_consent_to_its_address_lets_it_be_destroyed(operation: str) -> None:
    old = was("aws_dynamodb_table.t", "t")
    assert allowed(item(operation, "aws_dynamodb_table.t", "t"), first=[old], consents={"aws_dynamodb_table.t"})
    assert not allowed(item(operation, "aws_dynamodb_table.t", "t"), first=[old], consents={"aws_dynamodb_table"})
    moved = item(operation, "aws_dynamodb_table.t", "t", previous_address="aws_dynamodb_table.u")
    assert allowed(moved, first=[old], consents={"aws_dynamodb_table.u"})


@pytest.mark.parametrize("kind", ["aws_dynamodb_table", "aws_s3_bucket", "aws_kms_key", "aws_efs_file_system"])
def test_data_is_not_deleted_even_where_the_deployment_made_it(kind: str) -> None:
    assert "its address" in why(item("delete", f"{kind}.new", "new"))
    assert allowed(item("delete", f"{kind}.new", "new"), consents={f"{kind}.new"})


@pytest.mark.parametrize("kind", ["aws_sqs_queue", "aws_eip", "aws_lb", "aws_s3_object", "some_other_thing"])
def test_what_lost_nothing_by_being_made_and_deleted_again_is(kind: str) -> None:
    assert allowed(item("delete", f"{kind}.new", "new"))


@pytest.mark.parametrize("operation", DESTROYS)
@pytest.mark.parametrize("kind", STAYS)
def test_a_delete_that_takes_nothing_back_is_done_only_with_consent(kind: str, operation: str) -> None:
    one = item(operation, f"{kind}.new", "new")
    assert why(one) == f"{STAYS[kind]}: a delete does not take that back, and is done only with consent to its address"
    first = [was(f"{kind}.new", "old")]
    assert allowed(one, first=first, consents={f"{kind}.new"})


@pytest.mark.parametrize("kind", LOSES)
def test_what_goes_on_losing_something_is_ended(kind: str) -> None:
    assert allowed(item("delete", f"{kind}.new", "new"))


def test_what_the_deployment_did_not_plan_is_left_alone() -> None:
    assert "did not make it" in why(item("delete", "aws_vpc.a", "vpc-1"), touched=())
    assert "did not touch it" in why(item("update", "aws_vpc.a", "vpc-1"), touched=("aws_vpc.b",))
    assert allowed(item("update", "aws_vpc.a", "vpc-1"), touched=("aws_vpc.a (deposed)",))


def test_what_it_planned_under_another_name_counts_under_both() -> None:
    new = Rearrangement(moved=(Moved(before="aws_vpc.old", after="aws_vpc.new"),))
    back = item("update", "aws_vpc.old", "vpc-1", previous_address="aws_vpc.new")
    assert allowed(back, touched=("aws_vpc.new",))
    # It had not been moved yet when the deployment broke.
    assert allowed(item("update", "aws_vpc.old", "vpc-1"), touched=("aws_vpc.new",), new=new)
    assert not allowed(item("update", "aws_vpc.old", "vpc-1"), touched=("aws_vpc.new",))


def test_what_was_there_is_made_again_and_nothing_else() -> None:
    first = [was("aws_vpc.a"), was('aws_vpc.b["x"]')]
    assert allowed(item("create", "aws_vpc.a"), first=first)
    assert allowed(item("create", 'aws_vpc.b["x"]'), first=first)
    assert "was not there before" in why(item("create", 'aws_vpc.b["y"]'), first=first)


def test_a_new_object_at_an_old_address_gives_way_to_what_was_there() -> None:
    first = [was("aws_vpc.a", "vpc-old")]
    assert allowed(item("replace_delete_first", "aws_vpc.a", "vpc-new"), first=first)
    assert "was not there" in why(item("replace_create_first", "aws_vpc.b", "vpc-new"), first=first)


def test_what_was_forgotten_is_taken_in_and_only_that() -> None:
    first = [was("aws_vpc.a", "vpc-1")]
    assert allowed(item("import", "aws_vpc.a", "vpc-1"), first=first)
    assert not allowed(item("import", "aws_vpc.a", "vpc-2"), first=first)
    assert not allowed(item("import", "aws_vpc.a", None), first=first)
    # Its provider may draw it another id; that the deployment forgot it is known all the same.
    forgot = Rearrangement(forgotten=("aws_vpc.a", "aws_vpc.b"))
    assert allowed(item("import", "aws_vpc.a", "drawn-anew"), first=first, new=forgot)
    assert not allowed(item("import", "aws_vpc.b", "vpc-9"), first=first, new=forgot)


def test_what_was_only_forgotten_is_not_made_a_second_time() -> None:
    first = [was("aws_vpc.a", "vpc-1")]
    one = item("create", "aws_vpc.a", None)
    assert allowed(one, first=first)
    assert "a second one" in why(one, first=first, new=Rearrangement(forgotten=("aws_vpc.a",)))


def test_what_was_taken_in_is_forgotten_and_only_that_and_never_destroyed() -> None:
    new = Rearrangement(imported=(Imported(address="aws_vpc.in", type="aws_vpc", id="vpc-9"),))
    assert allowed(item("forget", "aws_vpc.in", "vpc-9"), new=new)
    assert not allowed(item("forget", "aws_vpc.a", "vpc-1"), new=new)
    assert "existed before" in why(item("delete", "aws_vpc.in", "vpc-9"), new=new)
    # What an import calls it need not be its id, and it may have been moved since.
    assert "existed before" in why(item("delete", "aws_vpc.in", "another"), new=new)
    assert "existed before" in why(item("delete", "aws_vpc.moved", "vpc-9"), new=new)


def test_what_replaced_an_import_in_the_same_plan_goes_and_the_import_itself_does_not() -> None:
    one = {"address": "aws_vpc.in", "type": "aws_vpc", "also": "replace"}
    new = Rearrangement(imported=(Imported(**one, id="name", object_id="vpc-9"),))
    for operation, place in (("delete", "aws_vpc.in"), ("delete", "aws_vpc.moved")):
        assert "existed before" in why(item(operation, place, "vpc-9"), new=new)
    assert allowed(item("delete", "aws_vpc.in", "vpc-10"), new=new)
    unknown = Rearrangement(imported=(Imported(**one, id="name"),))
    assert "existed before" in why(item("delete", "aws_vpc.in", "vpc-10"), new=unknown)


@pytest.mark.parametrize("operation", ["read", "output", "move"])
def test_what_changes_nothing_in_the_cloud_may_always_be_done(operation: str) -> None:
    assert allowed(item(operation, "aws_vpc.a", "vpc-1"), touched=())


@pytest.mark.parametrize("operation", ["replace_forget", "action", "deferred", "unknown"])
def test_the_rest_is_never_done_whoever_consents(operation: str) -> None:
    one = item(operation, "aws_vpc.a", "vpc-1")
    assert "never does this" in why(one, first=[was("aws_vpc.a", "vpc-1")], consents={"aws_vpc.a"})


MAY_BE_DONE = {
    *(Operation.READ, Operation.OUTPUT, Operation.MOVE, Operation.IMPORT, Operation.FORGET),
    *(Operation.CREATE, Operation.UPDATE, Operation.DELETE, Operation.PROVISIONER),
    *(Operation.REPLACE_DELETE_FIRST, Operation.REPLACE_CREATE_FIRST),
}


@pytest.mark.parametrize("operation", Operation)
def test_every_operation_has_a_rule_or_is_never_done(operation: Operation) -> None:
    one = item(operation, "aws_vpc.a", "vpc-1")
    made = judged(one)
    assert [*made.allowed, *(refusal.item for refusal in made.refused)] == [one]
    if operation not in MAY_BE_DONE:
        assert "never does this" in why(one, first=[was("aws_vpc.a", "vpc-1")], consents={"aws_vpc.a"})


def test_a_provisioner_goes_with_its_resource() -> None:
    command = item("provisioner", "aws_vpc.a", type="local-exec")
    made = judged(item("create", "aws_vpc.a"), command, first=[was("aws_vpc.a")])
    assert made.whole
    left = judged(command, item("delete", "aws_vpc.a", "vpc-1"), first=[was("aws_vpc.a", "vpc-1")])
    assert not left.allowed
    assert left.refused[0].reason == "what it belongs to is not done"
    assert not judged(command, item("update", "aws_vpc.a", "vpc-1")).whole


def test_a_verdict_holds_each_item_once_in_the_order_of_the_plan() -> None:
    items = [item("read", f"aws_vpc.a{at}") if at % 2 else item("unknown", f"aws_vpc.a{at}") for at in range(6)]
    made = judged(*items)
    assert list(made.allowed) == items[1::2]
    assert [one.item for one in made.refused] == items[::2]


# Properties over arbitrary plans.

KINDS = ("aws_vpc", "aws_sqs_queue", "aws_dynamodb_table", "aws_kms_key", "unknown_thing")
addresses = st.builds("{}.{}".format, st.sampled_from(KINDS), st.sampled_from("abc"))
ids = st.sampled_from(["i1", "i2", "i3", None])
items = st.builds(
    lambda operation, address, id_, deposed, previous: RollbackPlanItem(
        address=address,
        type=address.split(".")[0],
        operation=operation,
        id=id_,
        deposed=deposed,
        previous_address=previous,
    ),
    st.sampled_from(Operation),
    addresses,
    ids,
    st.sampled_from([None, "00c0ffee"]),
    st.none() | addresses,
)
resources = st.builds(
    lambda address, id_: FirstResource(address=address, type=address.split(".")[0], id=id_), addresses, ids
)
some = st.frozensets(addresses, max_size=4)


@given(st.lists(items, max_size=8, unique=True), st.lists(resources, max_size=6), some, some, some)
def test_nothing_that_existed_and_no_data_is_destroyed_without_a_name(
    planned: list[RollbackPlanItem],
    there: list[FirstResource],
    consents: frozenset[str],
    touched: frozenset[str],
    taken: frozenset[str],
) -> None:
    new = Rearrangement(imported=tuple(Imported(address=one, type=one.split(".")[0]) for one in sorted(taken)))
    made = verdict(plan_of(*planned), first_state(*there), consents=consents, touched=touched, new=new)
    assert sorted([*made.allowed, *(one.item for one in made.refused)], key=repr) == sorted(planned, key=repr)
    known = {(one.type, one.id) for one in there if one.id is not None}
    for one in made.allowed:
        names = {one.address, one.previous_address} - {None}
        if one.operation.value in DESTROYS and not names & consents:
            assert (one.type, one.id) not in known
            assert not names & taken
            assert keeps_data(one.type) is None
            assert names & touched
            if one.id is None:
                assert not names & {resource.address for resource in there}
        if one.operation is Operation.UPDATE:
            assert names & touched
        if one.operation in (Operation.CREATE, Operation.REPLACE_DELETE_FIRST, Operation.REPLACE_CREATE_FIRST):
            assert names & {resource.address for resource in there}


@given(st.lists(items, max_size=8, unique=True), st.lists(resources, max_size=6), some, some, some)
def test_more_consent_never_allows_less(
    planned: list[RollbackPlanItem],
    there: list[FirstResource],
    consents: frozenset[str],
    more: frozenset[str],
    touched: frozenset[str],
) -> None:
    state = first_state(*there)
    less = verdict(plan_of(*planned), state, consents=consents, touched=touched, new=Rearrangement())
    wide = verdict(plan_of(*planned), state, consents=consents | more, touched=touched, new=Rearrangement())
    assert set(less.allowed) <= set(wide.allowed)


@pytest.mark.parametrize("operation", DESTROYS)
def test_what_its_configuration_guards_is_destroyed_with_consent_only(operation: str) -> None:
    one = item(operation, "aws_sns_topic.news", "new", guarded=True)
    old = was("aws_sns_topic.news", "old")
    assert why(one, first=[old]).startswith("its configuration has prevent_destroy")
    assert allowed(one, first=[old], consents=["aws_sns_topic.news"])
    assert allowed(one.model_copy(update={"guarded": False}), first=[old])


TAKEN_OVER = Existing(address="aws_sns_topic.a", type="aws_sns_topic", id="arn", certain=True)


@pytest.mark.parametrize("operation", DESTROYS)
def test_what_a_create_took_over_is_never_destroyed_wherever_it_is_now(operation: str) -> None:
    by_id = item(operation, "aws_sns_topic.elsewhere", "arn")
    by_address = item(operation, "aws_sns_topic.a", "another")
    first = [was("aws_sns_topic.elsewhere", "old"), was("aws_sns_topic.a", "older")]
    for one in (by_id, by_address):
        assert "its name was there" in why(one, first=first, existing=[TAKEN_OVER])
        # Not though the deployment's own plan replaced it, and its type is nothing but settings.
        assert not allowed(one, first=first, existing=[TAKEN_OVER], replaced={one.address})
        assert allowed(one, first=first, existing=[TAKEN_OVER], consents={one.address})


def test_what_may_have_been_there_is_not_destroyed_either() -> None:
    may_be = Existing(address="aws_sns_topic.a", type="aws_sns_topic")
    assert "may have been" in why(item("delete", "aws_sns_topic.a", "new"), existing=[may_be])
    assert allowed(item("delete", "aws_sns_topic.b", "new"), existing=[may_be])


def test_what_was_taken_over_and_moved_since_is_known_by_both_addresses() -> None:
    moved = Rearrangement(moved=(Moved(before="aws_sns_topic.a", after="aws_sns_topic.b"),))
    new = Existing(address="aws_sns_topic.b", type="aws_sns_topic")
    assert not allowed(item("delete", "aws_sns_topic.a", "x"), new=moved, existing=[new])
