"""What goes into a question, and what each kind of answer becomes."""

from __future__ import annotations

import httpx
import pytest

from shared.api_exchange import checked, given, headers, parse, part, recorded, unavailable
from shared.errors import ApiError, PeerError, Unavailable
from shared.models import Target

CALL = "a" * 32
REQUEST = httpx.Request("GET", "http://api/v1/journal")


def answered(status: int, *, text: str = "", json: object = None) -> httpx.Response:
    """An answer to a question, as httpx gives it."""
    if json is None:
        return httpx.Response(status, text=text, request=REQUEST)
    return httpx.Response(status, json=json, request=REQUEST)


def test_a_question_carries_the_token_and_what_was_said() -> None:
    assert headers("secret")["Authorization"] == "Bearer secret"
    assert given(flock=None, limit=5, all=False) == {"limit": 5, "all": False}


def test_a_name_is_one_step_of_a_path_whatever_is_in_it() -> None:
    assert part("sha256:ab") == "sha256:ab"
    assert part("../targets?limit=1#x") == "..%2Ftargets%3Flimit%3D1%23x"


def test_what_is_well_is_handed_on() -> None:
    answer = answered(201, json={})
    assert checked(answer) is answer


def test_an_error_of_the_api_keeps_what_it_says() -> None:
    error = {"error": {"code": "not_claimable", "message": "the run is over", "hint": "start another"}}
    with pytest.raises(ApiError, match="the run is over") as caught:
        checked(answered(409, json=error))
    assert (caught.value.status, caught.value.code, caught.value.hint) == (409, "not_claimable", "start another")


@pytest.mark.parametrize("answer", [answered(501, text="what?"), answered(500, json=["x"])])
def test_an_error_of_something_else_is_an_error_too(answer: httpx.Response) -> None:
    with pytest.raises(ApiError, match="HTTP 50"):
        checked(answer)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_an_answer_that_nobody_could_answer_is_no_answer(status: int) -> None:
    """Whoever asks again while the API is away does so while its database is, or behind a gateway."""
    error = {"error": {"code": "unavailable", "message": "the database does not answer", "hint": "look at it"}}
    for answer, said in (
        (answered(status, json=error), "the database does not answer"),
        (answered(status, text="<html>"), f"HTTP {status}"),
    ):
        with pytest.raises(Unavailable) as caught:
            checked(answer)
        assert str(caught.value) == said


def test_without_an_answer_it_says_who_did_not_give_one() -> None:
    assert "http://api did not answer: ConnectError" in str(unavailable("http://api", httpx.ConnectError("")))


@pytest.mark.parametrize("answer", [answered(200, text="hello"), answered(200, json={"id": "web.eu"})])
def test_an_answer_in_another_format_is_the_peers_fault(answer: httpx.Response) -> None:
    with pytest.raises(PeerError, match="agreed format"):
        parse(Target, answer)


def test_a_call_is_recorded_where_the_answer_names_it() -> None:
    recorded(answered(201, json={"call_id": CALL}), CALL)


@pytest.mark.parametrize(
    "answer",
    [
        answered(200),
        answered(204),
        answered(200, text="<html>It works!</html>"),
        answered(200, json={}),
        answered(200, json={"call_id": "b" * 32}),
    ],
)
def test_a_call_is_not_recorded_where_the_answer_says_anything_else(answer: httpx.Response) -> None:
    with pytest.raises(PeerError):
        recorded(answer, CALL)
