"""One report: sorted, each fault once, with all its targets."""

from __future__ import annotations

from scheduler.configuration.nodes import Origin
from scheduler.configuration.report import (
    Finding,
    Kind,
    ManyRefused,
    Refused,
    Severity,
    close_to,
    did_you_mean,
    report,
)
from shared.errors import ConfigurationError


def finding(line: int, *targets: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(
        kind=Kind.MISSING, origin=Origin("f", line), message="m", hint="h", targets=targets, severity=severity
    )


def test_what_is_the_same_for_several_targets_is_one_finding() -> None:
    (one,) = report([finding(1, "b"), finding(1, "a"), finding(1, "a")]).findings
    assert one.targets == ("a", "b")


def test_what_concerns_the_whole_flock_names_no_target() -> None:
    (one,) = report([finding(1, "b"), finding(1)]).findings
    assert one.targets == ()


def test_findings_are_in_the_order_of_the_lines() -> None:
    assert [one.origin.line for one in report([finding(3), finding(1), finding(20)]).findings] == [1, 3, 20]


def test_only_errors_forbid() -> None:
    found = report([finding(1, severity=Severity.WARNING), finding(2), finding(3, severity=Severity.NOTE)])
    assert [one.origin.line for one in found.errors] == [2]


def test_a_line_names_place_and_kind_and_a_few_targets() -> None:
    assert finding(7, "a", "b", "c", "d", "e").line() == "f:7: error: missing: m [a, b, c and 2 more]"
    assert finding(7).data()["targets"] == []


def test_a_refusal_names_every_place() -> None:
    error = ManyRefused([finding(1), finding(2)])
    assert isinstance(error, ConfigurationError)
    assert str(error) == "f:1: m\nf:2: m"
    assert Refused(Kind.SYNTAX, Origin("f", 3), "no", hint="h").findings[0].origin.line == 3


def test_a_name_close_by_is_offered() -> None:
    assert close_to("retention-dayz", ["retention_days", "size"]) == "retention_days"
    assert close_to("flavour", ["size"]) is None
    assert did_you_mean("sise", ["size"], otherwise="x") == "did you mean 'size'?"
    assert did_you_mean("q", ["size"], otherwise="x") == "x"


def test_nothing_that_a_file_says_moves_the_cursor_or_begins_a_line() -> None:
    one = Finding(kind=Kind.SCHEMA, origin=Origin("a\tb", 1), message="x\x1b[31m\nb:2: error: y \u202eé", hint="h")
    assert one.line() == r"a\tb:1: error: schema: x\x1b[31m\nb:2: error: y \u202eé"
    assert "\x1b" not in str(ManyRefused([one]))
