"""What Terraform says while it looks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.drift.evidence import MAX_ERRORS, Evidence, Failure, evidence
from tests.unit.shared.drift.support import stream


def test_it_says_what_was_read_and_what_went_wrong() -> None:
    said = stream("a.one", "a.two", "a.two", data=["data.a.x"], errors=[("a.three", "no\nanswer"), (None, "no vote")])
    assert evidence(said) == Evidence(
        refreshed={"a.one": 1, "a.two": 2},
        read=frozenset({"data.a.x"}),
        failures=(Failure(text="no answer", address="a.three"), Failure(text="no vote")),
    )


def test_what_was_only_begun_was_not_read() -> None:
    line = b'{"type":"refresh_start","hook":{"resource":{"addr":"a.one"}}}\n'
    warning = b'{"type":"diagnostic","diagnostic":{"severity":"warning","summary":"old"}}\n'
    applied = b'{"type":"apply_complete","hook":{"resource":{"addr":"a.one"},"action":"create"}}\n'
    assert evidence(line + warning + applied) == Evidence()


def test_what_a_provider_prints_in_between_is_passed_over() -> None:
    noise = b'panic: {}\n{\n[1]\n{}\n{"type":"refresh_complete"}\n{"type":"refresh_complete","hook":[]}\n'
    assert evidence(noise + stream("a.one") + b"\xff\xfe{").refreshed == {"a.one": 1}


@given(st.integers(0, 400))
def test_a_stream_that_is_cut_proves_less_and_never_more(length: int) -> None:
    whole = stream("a.one", "a.two", errors=[("a.three", "no answer")])
    cut = evidence(whole[:length])
    assert cut.refreshed.items() <= evidence(whole).refreshed.items()


def test_errors_are_bounded() -> None:
    assert len(evidence(stream(errors=[(None, "x")] * (MAX_ERRORS + 5))).failures) == MAX_ERRORS
