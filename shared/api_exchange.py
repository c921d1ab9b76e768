"""What both clients of the API put into a question, and what each kind of answer becomes."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from shared.errors import ApiError, PeerError, Unavailable

TIMEOUT_S: Final = 10.0
_AWAY: Final = (httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT)


def headers(token: str) -> dict[str, str]:
    """What goes with every question."""
    return {"Authorization": f"Bearer {token}", "Accept": "application/json"}


def given(**values: object) -> dict[str, Any]:
    """The parameters that are given a value."""
    return {name: value for name, value in values.items() if value is not None}


def unavailable(base_url: str, error: Exception) -> Unavailable:
    """There was no answer."""
    what = str(error) or type(error).__name__
    return Unavailable(f"the API at {base_url} did not answer: {what}", hint="is `interlock server` running there?")


def checked(answer: httpx.Response) -> httpx.Response:
    """The answer, if it is one that was hoped for.

    Raises:
        Unavailable: nobody answered the question.
        ApiError: it is an error.
    """
    if answer.is_success:
        return answer
    try:
        error = answer.json()["error"]
        code, message, hint = str(error["code"]), str(error["message"]), str(error.get("hint", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        code, message, hint = "http", f"HTTP {answer.status_code}", "is this Interlock's API?"
    if answer.status_code in _AWAY:
        # The API without its database, or a gateway without the API: nobody answered the question.
        raise Unavailable(message, hint=hint)
    raise ApiError(message, status=answer.status_code, code=code, hint=hint)


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise PeerError(f"{answer.request.url}: the answer is not JSON", hint="is this Interlock's API?") from error


def part(name: str) -> str:
    """One step of a path: a name that somebody typed must not lead to another endpoint."""
    return quote(name, safe=":")


def _member(value: Any, name: str) -> Any:
    if not isinstance(value, dict) or name not in value:
        raise PeerError(f"the API's answer has no {name!r}", hint="are both of one version?")
    return value[name]


def recorded(answer: httpx.Response, call_id: str) -> None:
    """Raise PeerError unless the journal has the call: a wrong address or somebody's gateway says 200 as well."""
    if _member(_json(answer), "call_id") != call_id:
        raise PeerError("the journal's answer is about another call", hint="is this Interlock's API?")


def parse[T](kind: type[T], answer: httpx.Response) -> T:
    """The answer as a `kind`. Raises PeerError for another format than agreed."""
    try:
        return TypeAdapter(kind).validate_json(answer.content)
    except ValidationError as error:
        raise PeerError(
            f"{answer.request.url}: not in the agreed format: {error.error_count()} errors, first at "
            f"{'.'.join(str(step) for step in error.errors(include_input=False)[0]['loc'])}",
            hint="are both of one version?",
        ) from error
