"""Request bodies are bounded, whether their length is announced or not."""

from typing import Annotated

from fastapi import Depends, HTTPException, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scheduler.state_documents import MAX_STATE_BYTES
from shared.constants import MAX_PLAN_BYTES
from shared.drift.records import MAX_DRIFT_REPORT_BYTES
from shared.release_pack import MAX_PACKED_BYTES

#: JSON requests: the largest is a log piece of 1 MiB with everything escaped.
MAX_JSON_BYTES = 8 * 1024 * 1024

#: As many items as a plan may have, each with its reason.
MAX_ROLLBACK_BYTES = 32 * 1024 * 1024


def limit_for(path: str) -> int:
    """The largest body, in bytes, that this path takes."""
    if path.startswith("/v1/runs/") and path.endswith("/drift-report"):
        return MAX_DRIFT_REPORT_BYTES
    if path.startswith("/v1/runs/") and path.endswith(("/rollback-plan", "/rollback-result")):
        return MAX_ROLLBACK_BYTES
    if path == "/v1/releases":
        return MAX_PACKED_BYTES
    if path.startswith("/v1/runs/") and path.endswith("/plan"):
        return MAX_PLAN_BYTES
    if path.startswith("/v1/state/") or path.endswith("/quarantine"):
        return MAX_STATE_BYTES
    return MAX_JSON_BYTES


async def raw_body(request: Request) -> bytes:
    """The body as it came; `BodyLimit` bounds it."""
    return await request.body()


Body = Annotated[bytes, Depends(raw_body)]


class BodyLimit:
    """ASGI middleware that ends reading with a 413 at the path's limit."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what is received."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit, received = limit_for(scope["path"]), 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(413, f"the body is larger than {limit} bytes")
            return message

        await self._app(scope, counted, send)
