"""What checks of one release have learnt, and no other's."""

from __future__ import annotations

from shared.drift.schemas import Shape
from worker.provisioners.known_shapes import MAX_RELEASES, MAX_TYPES, KnownShapes


def test_what_a_check_learnt_holds_for_its_release_and_no_other() -> None:
    known = KnownShapes()
    known.of("sha256:a")["a_t"] = Shape(unordered=True)
    assert known.of("sha256:a") == {"a_t": Shape(unordered=True)}
    assert known.of("sha256:b") == {}


def test_of_a_release_that_nobody_knows_nothing_is_kept() -> None:
    known = KnownShapes()
    known.of(None)["a_t"] = Shape()
    assert known.of(None) == {}


def test_what_was_used_least_recently_goes_first() -> None:
    known = KnownShapes()
    for number in range(MAX_RELEASES):
        known.of(str(number))["a_t"] = Shape()
    known.of("0")
    known.of("one more")
    assert known.of("0")
    assert not known.of("1")


def test_a_release_of_too_many_types_begins_anew() -> None:
    known = KnownShapes()
    known.of("sha256:a").update({f"t{number}": Shape() for number in range(MAX_TYPES)})
    assert len(known.of("sha256:a")) == MAX_TYPES
    known.of("sha256:a")["one more"] = Shape()
    assert known.of("sha256:a") == {}
