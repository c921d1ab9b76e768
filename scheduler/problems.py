"""What the services answer when they will not do what was asked; the API turns each into JSON with the given status."""

from shared.errors import ApiError


def not_found(what: str, name: str, hint: str = "") -> ApiError:
    """There is no such thing (404)."""
    return ApiError(f"there is no {what} {name!r}", status=404, code=f"unknown_{what}", hint=hint)


def invalid(message: str, hint: str = "") -> ApiError:
    """The request makes no sense, whatever the state of the system (400)."""
    return ApiError(message, status=400, code="invalid", hint=hint)


def conflict(code: str, message: str, hint: str = "") -> ApiError:
    """The request makes sense, but not in the present state (409)."""
    return ApiError(message, status=409, code=code, hint=hint)


def lease_lost(run_id: str, message: str) -> ApiError:
    """The caller acts for a run that it no longer holds (409 `lease_lost`)."""
    return conflict("lease_lost", f"run {run_id}: {message}", "stop: another holder may have this target by now")
