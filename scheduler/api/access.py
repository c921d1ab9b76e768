"""Who may call: bearer tokens with a role, and a run's own credentials for its state."""

import base64
import binascii
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBasic, HTTPBasicCredentials, HTTPBearer

from scheduler.context import SchedulerContext
from scheduler.terraform_state import StateCaller, authenticate
from scheduler.tokens import role_of
from shared.errors import ApiError

_bearer = HTTPBearer(auto_error=False, description="a token; the first start writes them to HOME/tokens/<role>.token")
_basic = HTTPBasic(auto_error=False, description="a run's credentials from its assignment")


def context_of(request: Request) -> SchedulerContext:
    """The context that the app was created with."""
    context: SchedulerContext = request.app.state.context
    return context


Context = Annotated[SchedulerContext, Depends(context_of)]


def allow(*roles: str) -> Any:
    """A dependency that lets tokens of these roles pass, and the admin's. Raises `ApiError` 401 or 403."""
    return Depends(_check(roles))


def _check(roles: tuple[str, ...]) -> Callable[..., str]:
    def check(context: Context, token: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> str:
        role = role_of(context.database, token.credentials) if token else None
        if role is None:
            raise ApiError(
                "no valid token" if token else "no token",
                status=401,
                code="unauthorized",
                hint="send Authorization: Bearer TOKEN; set INTERLOCK_TOKEN or use the host whose API made the token",
            )
        if role != "admin" and role not in roles:
            raise ApiError(
                f"a token of role {role} may not do this",
                status=403,
                code="forbidden",
                hint=f"use a token of role {' or '.join(('admin', *roles))}",
            )
        return role

    return check


def state_caller(
    context: Context, target: str, credentials: Annotated[HTTPBasicCredentials | None, Depends(_basic)]
) -> StateCaller:
    """The run that calls the state backend. Raises `ApiError` 401."""
    username, password = (credentials.username, credentials.password) if credentials else ("", "")
    return authenticate(context, target, username=username, password=password)


def state_reader(context: Context, request: Request, target: str) -> StateCaller | None:
    """Who reads a state: a run, or None for an operator with the admin's token. Raises `ApiError` 401."""
    header = request.headers.get("authorization", "")
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer" and role_of(context.database, value.strip()) == "admin":
        return None
    username, password = _basic_parts(header)
    return authenticate(context, target, username=username, password=password)


def _basic_parts(header: str) -> tuple[str, str]:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        username, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return username, password
