"""The driver of the model: how it reads Spin, what it takes for a failure, and that its table is the code's."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.lease.machine import TRANSITIONS
from tests.model import check
from tests.model.configurations import CONFIGURATIONS, MUTANTS, WITNESSES

MODEL = Path(check.__file__).parent

HOLDS = """
(Spin Version 6.5.2 -- 6 December 2019)
	+ Partial Order Reduction

Full statespace search for:
	never claim         	- (none specified)
	assertion violations	+
	cycle checks       	- (disabled by -DSAFETY)
	invalid end states	+

State-vector 116 byte, depth reached 107, errors: 0
  8282098 states, stored
 41231077 states, matched
 49513175 transitions (= stored+matched)
       12 atomic steps
hash conflicts:  10543220 (resolved)

Stats on memory usage (in Megabytes):
 1137.373	equivalent memory usage for states (stored*(State-vector + overhead))
  828.946	total actual memory usage

pan: elapsed time 31.5 seconds
pan: rate 262923.75 states/second
"""

LIVELY = """
	never claim         	+ (EventuallyGranted)
	assertion violations	+ (if within scope of claim)
	acceptance   cycles 	+ (fairness enabled)

State-vector 124 byte, depth reached 132, errors: 0
   432013 states, stored (5.78555e+06 visited)
 40089330 transitions (= visited+matched)
  173.087	total actual memory usage
pan: elapsed time 7.15 seconds
"""

REFUTED = """
pan:1: assertion violated (renewed_ago<2) (at depth 14)
pan: wrote lease.pml.trail

(Spin Version 6.5.2 -- 6 December 2019)
Warning: Search not completed
	+ Breadth-First Search

State-vector 92 byte, depth reached 14, errors: 1
     1728 states, stored
     4017 transitions (= stored+matched)
  128.391	total actual memory usage
pan: elapsed time 0.01 seconds
"""

CYCLE = """
pan:1: acceptance cycle (at depth 40)
pan: wrote lease.pml.trail
Warning: Search not completed
	acceptance   cycles 	+ (fairness enabled)
State-vector 100 byte, depth reached 61, errors: 1
      747 states, stored (2211 visited)
"""

TOO_DEEP = HOLDS.replace("\n(Spin", "\nerror: max search depth too small\n(Spin", 1)
OUT_OF_MEMORY = HOLDS.replace(
    "\n(Spin", "\npan: reached -DMEMLIM bound\n\t102400 bytes more needed\n\n(Spin", 1
).replace("\t+ Partial", "Warning: Search not completed\n\t+ Partial")


def test_a_search_that_found_nothing_holds_and_its_figures_are_read() -> None:
    outcome = check.parse_pan(HOLDS)
    assert check.verdict_on_configuration(outcome) == ""
    assert (outcome.states, outcome.transitions, outcome.depth) == (8_282_098, 49_513_175, 107)
    assert (outcome.memory_mb, outcome.seconds, outcome.exhaustive) == (828.946, 31.5, True)


def test_the_heading_about_acceptance_cycles_is_not_a_cycle() -> None:
    outcome = check.parse_pan(LIVELY)
    assert check.verdict_on_configuration(outcome) == ""
    assert outcome.states == 432_013


def test_large_figures_in_exponent_form_are_read() -> None:
    outcome = check.parse_pan(HOLDS.replace("8282098", "1.2345e+09").replace("41231077", "2e+09"))
    assert outcome.states == 1_234_500_000


def test_states_kept_as_hashes_are_told_apart() -> None:
    outcome = check.parse_pan(HOLDS.replace("\t+ Partial", "\t+ Hash-Compact 4\n\t+ Partial"))
    assert not outcome.exhaustive


@pytest.mark.parametrize(
    ("what", "text", "why"),
    [
        ("a path longer than the bound", TOO_DEEP, "INCOMPLETE: a path was longer than the bound"),
        ("the memory bound", OUT_OF_MEMORY, "INCOMPLETE: the memory bound was reached"),
        ("a verifier that was killed", HOLDS[:200], "INCOMPLETE: the verifier ended without a summary"),
        ("nothing at all", "", "INCOMPLETE: the verifier ended without a summary"),
        (
            "an end that Spin itself calls incomplete",
            "Warning: Search not completed\n" + HOLDS,
            "INCOMPLETE: the search was not completed",
        ),
        ("a violated assertion", REFUTED, "VIOLATED: assertion"),
        ("a cycle without a grant", CYCLE, "VIOLATED: acceptance cycle"),
    ],
)
def test_a_configuration_fails_for(what: str, text: str, why: str) -> None:
    assert check.verdict_on_configuration(check.parse_pan(text)) == why


@pytest.mark.parametrize(
    ("what", "text", "liveness", "why"),
    [
        ("an assertion refutes a safety mutant", REFUTED, False, ""),
        ("a cycle refutes a liveness mutant", CYCLE, True, ""),
        ("a complete search without an error is a survivor", HOLDS, False, "SURVIVED"),
        ("a bound reached is no refutation", OUT_OF_MEMORY, False, "INCOMPLETE: the memory bound was reached"),
        ("a cycle does not refute a safety mutant", CYCLE, False, "VIOLATED OTHERWISE: acceptance cycle"),
        ("an assertion does not refute a liveness mutant", REFUTED, True, "VIOLATED OTHERWISE: assertion"),
    ],
)
def test_a_mutant(what: str, text: str, liveness: bool, why: str) -> None:
    assert check.verdict_on_refutation(check.parse_pan(text), liveness=liveness) == why


SOURCE = """inline renew(s) {
    d_step { ALIVE(s) -> srv[s].seq++ }
}
proctype Proxy(byte b) {
    do
    :: d_step { flight[b] > 0 -> landed(b) }             /* a call is answered, or lands */
    od
}
proctype Clock() { do :: d_step { true -> tick(0) } od }
inline acquire_young(s) {
    assert(NoEarlyGrant)
}"""

TRAIL = """
  1:	proc  0 (:init::1) lease.pml:1 (state 11)	[srv[0].state = 1]
using statement merging
  2:	proc  2 (Holder:1) lease.pml:2 (state 3)	[((((0==promoted)||promoted)&&durable))]
  2:	proc  2 (Holder:1) lease.pml:2 (state 2)	[srv[0].seq = (srv[0].seq+1)]
  3:	proc  7 (Proxy:1) lease.pml:6 (state 3)	[((flight[b]>0))]
  4:	proc  1 (Clock:1) lease.pml:9 (state 3)	[(1)]
spin: lease.pml:11, Error: assertion violated
spin: text of failed assertion: assert((!(gate[0])))
"""


def test_a_trail_is_told_in_the_words_of_the_model() -> None:
    steps, violated = check.parse_trail(TRAIL, SOURCE)
    assert [(step.who, step.does, step.server) for step in steps] == [
        ("Holder(2)", "renew", "0"),
        ("Proxy(7)", "a call is answered, or lands", ""),
        ("Clock(1)", "tick", ""),
    ]
    assert violated == "NoEarlyGrant"


def test_the_table_in_the_model_is_the_table_in_the_code() -> None:
    in_the_code = {(str(state), str(op)): str(after) for (state, op), after in TRANSITIONS.items()}
    assert check.parse_table((MODEL / "table.pml").read_text()) == in_the_code


def test_every_row_of_the_macro_is_one_that_the_comparison_reads() -> None:
    macro = (MODEL / "table.pml").read_text().partition("#define AFTER")[2]
    assert macro.count("->") == len(check.parse_table(macro)) == len(TRANSITIONS)


def test_two_rows_for_one_pair_are_refused() -> None:
    row = "    (s) == HELD && (op) == RENEW -> HELD : ( \\\n"
    with pytest.raises(ValueError, match="two rows"):
        check.parse_table(row + row.replace("-> HELD", "-> FREE"))


def test_names_are_unique_and_every_change_is_one_that_the_model_knows() -> None:
    entries = [*CONFIGURATIONS, *MUTANTS, *WITNESSES]
    assert len({entry.name for entry in entries}) == len(entries)
    model = (MODEL / check.MODEL).read_text()
    for entry in entries:
        for define in entry.defines:
            name = define.partition("=")[0]
            assert any(f"{word} {name}" in model or f"defined({name})" in model for word in ("#ifdef", "#ifndef")), name


def test_every_mutant_switch_of_the_model_is_used() -> None:
    used = {define.partition("=")[0] for entry in MUTANTS for define in entry.defines}
    words = set((MODEL / check.MODEL).read_text().replace("(", " ").replace(")", " ").split())
    assert {word for word in words if word.startswith("M_")} <= used


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["no-such-configuration"]) == 2
    assert check.main(["--trail", "no-such-trail"]) == 2
    assert "no-such-configuration" in capsys.readouterr().err
