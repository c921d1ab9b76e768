"""Request bodies are bounded, whether their length is announced or not."""

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scheduler.state_documents import MAX_STATE_BYTES
from shared.constants import MAX_BUNDLE_BYTES

#: JSON requests: a flock of a thousand targets, or a log piece of 1 MiB with everything escaped.
MAX_JSON_BYTES = 8 * 1024 * 1024


def limit_for(path: str) -> int:
    """The largest body, in bytes, that this path takes."""
    if path == "/v1/bundles":
        return MAX_BUNDLE_BYTES
    if path.startswith("/v1/state/") or path.endswith("/quarantine"):
        return MAX_STATE_BYTES
    return MAX_JSON_BYTES


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
