"""What the checks of a whole request have in common."""

from abc import ABC, abstractmethod

from mitmproxy import http

from signing_proxy.calls import undecided


class DecidedByHead(ABC):
    """A check of whole requests; a streamed one leaves with its head, so there the head is what is checked."""

    @abstractmethod
    async def request(self, flow: http.HTTPFlow) -> None:
        """Decide."""

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Decide now about a call that is streamed."""
        call = undecided(flow)
        if call is not None and call.streamed:
            await self.request(flow)
