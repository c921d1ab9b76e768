"""What a finding changes, and when people hear of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.drift.transitions import (
    CALM_S,
    IN_SYNC,
    MAX_REPEATS,
    MAX_SETTLE_S,
    SETTLE_S,
    Finding,
    Standing,
    after_check,
    after_deployment,
    finding_of,
    in_common,
    is_to_be_told,
    settles_s,
    shape_of,
)
from shared.drift.report import AttributeChange, Cause, DriftReport, ResourceDrift, ResourceStatus, RollUp
from shared.safety.entries import Place

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NORTH = Place(region="north", provider_region="eu-north-1")
A = Finding(roll_up=RollUp.DRIFTED, shape="a")
B = Finding(roll_up=RollUp.DRIFTED, shape="b")
BLIND = Finding(roll_up=RollUp.NOT_CHECKED)
C = Finding(roll_up=RollUp.DRIFTED, shape="c")
NAMES = {"s": IN_SYNC, "a": A, "b": B, "c": C, "n": BLIND}


def play(found: str, *, confirm: bool = True, every_s: int = 3600) -> tuple[Standing, str]:
    """Check after check; what it leads to, and a letter for each: `.` nothing, `?` a second look, `!` a change."""
    standing, said, at = Standing(), "", NOW
    for letter in found:
        step = after_check(standing, NAMES[letter], at=at, confirm=confirm)
        standing = step.standing
        said += "!" if step.changed else "?" if step.again else "."
        at += timedelta(seconds=every_s)
    return standing, said


@pytest.mark.parametrize(
    ("sentence", "found", "said"),
    [
        ("what is in sync from the first check on says nothing", "ssss", "...."),
        ("drift is a change once a second check found it", "saa", ".?!"),
        ("what only one check saw is none", "sasss", ".?..."),
        ("what only every other check sees is none", "sasasa", ".?.?.?"),
        ("drift of a target never checked takes two checks, too", "aa", "?!"),
        ("that it is over takes two checks, too", "saass", ".?!?!"),
        ("other drift takes two checks, too", "saabb", ".?!?!"),
        ("one that is not checked takes two, too", "snn", ".?!"),
        ("what stays says nothing more", "saaaaaa", ".?!...."),
        (
            "findings that change with each check are looked at again a few times, then when due",
            "nnsasasab",
            "?!???...!",
        ),
        ("a check that cannot look does not hide what all others see", "sananan", ".???.!?"),
        ("the same where the one that cannot look comes first", "snana", ".???!"),
        ("drift that is another one with each check is drift all the same", "sabcab", ".???!?"),
        ("a target that is in sync in between has not drifted for certain", "nnasasasasasas", "?!???........."),
    ],
)
def test_a_change_is_what_two_checks_have_found(sentence: str, found: str, said: str) -> None:
    assert play(found)[1] == said, sentence


def test_where_the_flock_says_so_one_check_is_enough() -> None:
    assert play("sasn", confirm=False)[1] == ".!!!"


findings = st.sampled_from("sabcn")


@given(st.lists(findings, max_size=40))
def test_what_counts_is_only_ever_what_two_checks_have_found_without_one_in_sync_between(found: list[str]) -> None:
    for length in range(1, len(found) + 1):
        standing, said = play("".join(found[:length]))
        if said[-1] != "!":
            continue
        last = [NAMES[one] for one in found[:length]]
        if last[-1] == last[-2]:
            continue
        # Something wavers: then at least that it has drifted was found twice.
        assert standing.confirmed is not None
        assert standing.confirmed.roll_up is RollUp.DRIFTED
        assert len(last) > MAX_REPEATS
        drifted = [number for number, one in enumerate(last) if one.roll_up is RollUp.DRIFTED]
        assert IN_SYNC not in last[drifted[-2] : length]


def unread(*statuses: ResourceStatus, gaps: tuple[str, ...] = ()) -> DriftReport:
    return DriftReport(
        resources=tuple(
            ResourceDrift(address=f"a_t.n{number}", type="a_t", status=status, reason="x")
            for number, status in enumerate(statuses)
        ),
        gaps=gaps,
    )


def test_that_nothing_can_be_looked_at_today_is_news_where_something_never_could_be() -> None:
    never = finding_of(unread(ResourceStatus.UNSUPPORTED, ResourceStatus.IN_SYNC), NORTH)
    for worse in (
        unread(ResourceStatus.UNSUPPORTED, ResourceStatus.NOT_CHECKED),
        unread(ResourceStatus.UNSUPPORTED, ResourceStatus.UNKNOWN),
        unread(ResourceStatus.UNSUPPORTED, gaps=("the refresh failed",)),
    ):
        found = finding_of(worse, NORTH)
        assert found.roll_up is never.roll_up is RollUp.NOT_CHECKED
        standing = Standing(confirmed=never, since=NOW)
        for _ in range(2):
            standing = after_check(standing, found, at=NOW, confirm=True).standing
        assert is_to_be_told(standing, never, now=NOW + timedelta(days=1))
    assert finding_of(unread(ResourceStatus.IN_SYNC), NORTH) == IN_SYNC


def settle(reports: list[DriftReport]) -> list[Standing]:
    """Where a target stands after each of these checks, with what the last two of them have in common."""
    standings, standing, before = [], Standing(confirmed=IN_SYNC, since=NOW), DriftReport()
    for number, found in enumerate(reports):
        step = after_check(
            standing,
            finding_of(found, NORTH),
            at=NOW + timedelta(hours=number),
            confirm=True,
            common=in_common(before, found, NORTH) if standing.wavers else None,
        )
        standing, before = step.standing, found
        standings.append(standing)
    return standings


def test_a_steady_drift_beside_a_flapping_one_is_confirmed_and_stays_what_counts() -> None:
    steady, flapping = queue("aws_sqs_queue.steady"), queue("aws_sqs_queue.flapping")
    reports = [report(steady, flapping) if number % 2 else report(steady) for number in range(200)]
    standings = settle(reports)
    assert standings[MAX_REPEATS].confirmed == finding_of(report(steady), NORTH)
    assert (standings[-1].confirmed, standings[-1].changes) == (standings[MAX_REPEATS].confirmed, 1)
    assert is_to_be_told(standings[-1], IN_SYNC, now=NOW + timedelta(days=9))


def test_so_is_one_that_comes_to_a_target_where_something_else_is_new_with_each_check() -> None:
    def with_noise(*steady: ResourceDrift) -> list[DriftReport]:
        return [report(*steady, queue(f"aws_sqs_queue.noise[{number}]")) for number in range(20)]

    first, second = queue("aws_sqs_queue.first"), queue("aws_sqs_queue.second")
    standings = settle([*with_noise(first), *with_noise(first, second), *with_noise(second)])
    for place, steady in ((19, report(first)), (39, report(first, second)), (59, report(second))):
        assert standings[place].confirmed == finding_of(steady, NORTH)
    assert standings[-1].changes == 3


def test_drift_that_has_nothing_in_common_with_the_one_before_is_one_change_and_not_one_each_time() -> None:
    standings = settle([report(queue(f"aws_sqs_queue.q[{number}]")) for number in range(50)])
    assert standings[-1].changes == 1
    assert standings[-1].confirmed == finding_of(report(queue(f"aws_sqs_queue.q[{MAX_REPEATS}]")), NORTH)


def test_common_is_what_drifted_in_the_same_way_in_the_attributes_that_both_name() -> None:
    def named(*paths: str) -> ResourceDrift:
        return queue("aws_sqs_queue.a", *(AttributeChange(path=path) for path in paths))

    deleted = queue("aws_sqs_queue.gone", status=ResourceStatus.DELETED, attributes=())
    assert in_common(report(named("x", "y")), report(named("y", "z")), NORTH) == finding_of(report(named("y")), NORTH)
    assert in_common(report(named("x"), deleted), report(named("z"), deleted), NORTH) == finding_of(
        report(deleted), NORTH
    )
    assert in_common(report(named("x")), report(named("z")), NORTH) is None
    assert in_common(report(named("x")), report(queue(status=ResourceStatus.DELETED)), NORTH) is None
    assert in_common(report(), report(), NORTH) is None


@given(st.lists(findings, max_size=60))
def test_there_are_never_more_looks_in_a_row_than_the_bound(found: list[str]) -> None:
    _, said = play("".join(found))
    assert "?" * (MAX_REPEATS + 1) not in said


@given(st.lists(st.just("s"), max_size=100))
def test_however_often_an_unchanged_target_is_checked_there_is_nothing_to_tell(found: list[str]) -> None:
    standing, said = play("".join(found))
    assert set(said) <= {"."}
    assert not is_to_be_told(standing, IN_SYNC, now=NOW + timedelta(days=999))


def test_a_deployment_voids_what_one_check_alone_has_found() -> None:
    standing = after_deployment(play("sa")[0])
    assert standing.pending is None
    assert after_check(standing, A, at=NOW, confirm=True).again


def test_a_change_is_told_once_it_has_stood_for_a_while() -> None:
    standing = after_check(play("sa")[0], A, at=NOW, confirm=True).standing
    assert not is_to_be_told(standing, IN_SYNC, now=NOW + timedelta(seconds=SETTLE_S - 1))
    assert is_to_be_told(standing, IN_SYNC, now=NOW + timedelta(seconds=SETTLE_S))
    assert not is_to_be_told(standing, A, now=NOW + timedelta(seconds=SETTLE_S))
    assert not is_to_be_told(Standing(), IN_SYNC, now=NOW)


def test_a_clock_that_was_set_back_keeps_nothing_from_people() -> None:
    standing = Standing(confirmed=A, since=NOW, changes=1)
    assert is_to_be_told(standing, IN_SYNC, now=NOW - timedelta(days=1))


def test_each_change_in_a_row_stands_longer_before_it_is_told() -> None:
    assert [settles_s(changes) for changes in (0, 1, 2, 3, 4, 5, 6, 99)] == [
        60, 60, 240, 960, 3840, 15_360, MAX_SETTLE_S, MAX_SETTLE_S,
    ]  # fmt: skip


def flap(*, every_s: int, hours: int) -> tuple[int, Finding, Finding]:
    """A target that drifts and is mended by turns, two checks each: messages, what was told last, how it stands."""
    standing, told, messages, at = Standing(), IN_SYNC, 0, NOW
    for turn in range(hours * 3600 // every_s):
        found = A if turn // 2 % 2 else IN_SYNC
        standing = after_check(standing, found, at=at, confirm=True).standing
        for minute in range(every_s // 60):
            if is_to_be_told(standing, told, now=at + timedelta(minutes=minute)):
                assert standing.confirmed is not None
                told, messages = standing.confirmed, messages + 1
        at += timedelta(seconds=every_s)
    assert standing.confirmed is not None
    return messages, told, standing.confirmed


@pytest.mark.parametrize("every_s", [300, 900, 3600])
def test_a_target_that_flaps_for_a_week_makes_a_handful_of_messages(every_s: int) -> None:
    assert flap(every_s=every_s, hours=7 * 24)[0] <= 5


@given(st.lists(findings, min_size=2, max_size=60))
def test_what_is_told_last_is_always_how_the_target_stands(found: list[str]) -> None:
    standing, told, at = Standing(), IN_SYNC, NOW
    for letter in [*found, found[-1]]:
        standing = after_check(standing, NAMES[letter], at=at, confirm=True).standing
        at += timedelta(seconds=300)
        if is_to_be_told(standing, told, now=at):
            assert standing.confirmed is not None
            told = standing.confirmed
    at += timedelta(seconds=MAX_SETTLE_S)
    settled = standing.confirmed or IN_SYNC
    assert settled == told or is_to_be_told(standing, told, now=at)


def test_after_a_quiet_day_a_change_is_the_first_again() -> None:
    standing = Standing(confirmed=A, since=NOW, changes=5)
    for gone_s, changes in ((CALM_S - 1, 6), (CALM_S, 1)):
        pending = after_check(standing, IN_SYNC, at=NOW, confirm=True).standing
        step = after_check(pending, IN_SYNC, at=NOW + timedelta(seconds=gone_s), confirm=True)
        assert step.standing.changes == changes


def queue(address: str = "aws_sqs_queue.a", *changes: AttributeChange, **fields: object) -> ResourceDrift:
    return ResourceDrift.model_validate(
        {
            "address": address,
            "type": "aws_sqs_queue",
            "status": ResourceStatus.MODIFIED,
            "cause": Cause.CHANGED_OUTSIDE,
            "attributes": changes or (AttributeChange(path="tags.a", before="1", after="2"),),
            **fields,
        }
    )


def report(*resources: ResourceDrift, **fields: object) -> DriftReport:
    return DriftReport.model_validate({"resources": resources, **fields})


def test_values_have_no_part_in_a_shape_and_attributes_do() -> None:
    two = AttributeChange(path="tags.a", before="1", after="9")
    other = AttributeChange(path="tags.b", before="1", after="2")
    assert shape_of(report(queue()), NORTH) == shape_of(report(queue("aws_sqs_queue.a", two)), NORTH) != ""
    assert shape_of(report(queue()), NORTH) != shape_of(report(queue("aws_sqs_queue.a", other)), NORTH)
    assert shape_of(report(queue()), NORTH) != shape_of(report(queue(status=ResourceStatus.DELETED)), NORTH)


def test_what_rules_took_off_and_what_is_no_drift_have_no_part_in_it() -> None:
    ignored = AttributeChange(path="tags.b", ignored=True)
    own = AttributeChange(path="id", cause=Cause.NORMALISATION)
    plain = AttributeChange(path="tags.a")
    assert shape_of(report(queue("aws_sqs_queue.a", plain, ignored, own)), NORTH) == shape_of(report(queue()), NORTH)
    assert shape_of(report(queue(status=ResourceStatus.IN_SYNC)), NORTH) == ""


def test_the_same_in_two_regions_has_one_shape() -> None:
    south = Place(region="south", provider_region="eu-south-1")
    assert shape_of(report(queue('aws_sqs_queue.a["eu-north-1a"]')), NORTH) == shape_of(
        report(queue('aws_sqs_queue.a["eu-south-1a"]')), south
    )


def test_a_finding_is_what_the_report_comes_to() -> None:
    assert finding_of(report(), NORTH) == IN_SYNC
    assert finding_of(report(gaps=("no state",)), NORTH) == BLIND
    assert finding_of(report(queue(), gaps=("x",)), NORTH).roll_up is RollUp.DRIFTED
