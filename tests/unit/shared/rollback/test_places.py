"""What a check refers to is put in once, and what comes out is looked at again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from shared.errors import ConfigurationError
from shared.rollback import places
from shared.rollback.places import outputs_of, place_of, placed
from shared.rollback.settings import CheckSettings

ADAPTER: TypeAdapter[CheckSettings] = TypeAdapter(CheckSettings)
HERE = place_of(target="shop.eu-west-1.edge", provider_region="eu-west-9")


def check(**more: object) -> CheckSettings:
    return ADAPTER.validate_python({"name": "c", "missing_data": "ignore", **more})


def command(*words: str) -> CheckSettings:
    return check(type="command", command=list(words))


def words_of(one: CheckSettings) -> tuple[str, ...]:
    return one.command  # type: ignore[union-attr]


def test_every_name_of_a_target_stands_for_what_it_is() -> None:
    one = command("${flock.name} ${target.id}", "${region.name}/${region.provider_region}")
    assert words_of(placed(one, HERE)) == ("shop shop.eu-west-1.edge", "eu-west-1/eu-west-9")


def test_each_kind_of_check_has_its_own_places() -> None:
    values = {**HERE, "output.host": "h.example"}
    http = placed(check(type="http", url="https://${output.host}/", contains="${output.host}"), values)
    assert (http.url, http.contains) == ("https://h.example/", "${output.host}")  # type: ignore[union-attr]
    asked = placed(check(type="prometheus", url="http://p", query='up{r="${region.name}"}', above=1), values)
    assert asked.query == 'up{r="eu-west-1"}'  # type: ignore[union-attr]
    watched = placed(check(type="cloudwatch", alarms=["a-${flock.name}"], region="${region.provider_region}"), values)
    assert (watched.alarms, watched.region) == (("a-shop",), "eu-west-9")  # type: ignore[union-attr]
    assert placed(check(type="cloudwatch", alarms=["a"]), values).region is None  # type: ignore[union-attr]


def test_the_outputs_that_it_needs_are_known_before() -> None:
    one = command("${output.a}", "${output.b-c}${output.a}", "${region.name}", "$${output.no}")
    assert outputs_of(one) == {"a", "b-c"}


def test_an_output_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"check c: output.url is no output"):
        placed(command("${output.url}"), HERE)


def test_what_is_put_in_is_not_looked_through_again() -> None:
    assert words_of(placed(command("${output.a}"), {"output.a": "${target.id}"})) == ("${target.id}",)


def test_two_dollars_stay_one() -> None:
    assert words_of(placed(command("$${HOME}", "$$", "$x"), HERE)) == ("${HOME}", "$$", "$x")


@pytest.mark.parametrize("host", ["user:pw@evil.example", "x y", "", "a/\r\nb", "h#f", "[", "u@h"], ids=repr)
def test_an_output_cannot_make_another_url_of_it(host: str) -> None:
    with pytest.raises(ConfigurationError, match="check c: "):
        placed(check(type="http", url="https://${output.host}/"), {"output.host": host})


def test_it_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "MAX_PLACED", 10)
    assert words_of(placed(command("${output.a}"), {"output.a": "x" * 10})) == ("x" * 10,)
    with pytest.raises(ConfigurationError, match="too long"):
        placed(command("${output.a}"), {"output.a": "x" * 11})


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=50))
def test_text_without_references_stays_as_it_is(text: str) -> None:
    if "${" not in text:
        assert words_of(placed(command(text), HERE)) == (text,)
