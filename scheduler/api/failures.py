"""Errors as JSON: {"error": {"code", "message", "hint"}}, whatever went wrong."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from scheduler.terraform_state import StateLockedError
from shared.errors import ApiError, InterlockError, Unavailable
from shared.log import log_event

log = logging.getLogger(__name__)


def error_response(status: int, code: str, message: str, hint: str = "") -> JSONResponse:
    """One error in the agreed form."""
    headers = {"WWW-Authenticate": 'Basic realm="interlock state", Bearer'} if status == 401 else None
    body = {"error": {"code": code, "message": message, "hint": hint}}
    return JSONResponse(body, status_code=status, headers=headers)


def install(app: FastAPI) -> None:
    """Make `app` answer every failure in that form."""

    @app.exception_handler(InterlockError)
    def interlock_error(request: Request, error: InterlockError) -> JSONResponse:
        if isinstance(error, StateLockedError):
            # Terraform reads the holder's lock info from the body of a 423, and nothing else.
            return JSONResponse(error.info, status_code=423)
        if isinstance(error, ApiError):
            return error_response(error.status, error.code, error.message, error.hint)
        if isinstance(error, Unavailable):
            return error_response(503, "unavailable", error.message, error.hint)
        log_event(log, "request_failed", level=logging.ERROR, path=request.url.path, error=error)
        return error_response(500, "internal", error.message, error.hint)

    @app.exception_handler(RequestValidationError)
    def malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        parts = [f"{'.'.join(str(step) for step in item['loc'])}: {item['msg']}" for item in error.errors()]
        return error_response(422, "invalid", "; ".join(parts)[:2000], "see /docs for what this endpoint takes")

    @app.exception_handler(HTTPException)
    def http_error(_request: Request, error: HTTPException) -> JSONResponse:
        return error_response(error.status_code, "http", str(error.detail), "see /docs for the endpoints")

    @app.exception_handler(ClientDisconnect)
    def hung_up(_request: Request, _error: ClientDisconnect) -> JSONResponse:
        # A proxy that cuts its run does that to a state write: no failure of the scheduler, and nobody reads this.
        return error_response(400, "hung_up", "the connection ended before the request did")

    @app.exception_handler(Exception)
    def unexpected(_request: Request, _error: Exception) -> JSONResponse:
        # The traceback is the server's to log; a caller learns nothing about our insides.
        return error_response(500, "internal", "the scheduler failed on this request", "its log says why; report it")
