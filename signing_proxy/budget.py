"""The memory that bodies may take, over all connections of the proxy."""

import asyncio
from collections.abc import Callable

SETTLE_S = 0.1
"""How often it is looked whether a client has read what waits for it."""


class BufferBudget:
    """So many bytes. Belongs to one event loop."""

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        """The bound."""
        self.used_bytes = 0
        """What is taken now."""

    def share(self) -> "Share":
        """An empty share of it."""
        return Share(self)


class Share:
    """What one connection has taken."""

    def __init__(self, budget: BufferBudget) -> None:
        self._budget = budget
        self._bytes = 0

    def cover(self, wanted_bytes: int) -> bool:
        """Make the share this large; False, with nothing changed, when the budget does not allow it."""
        used = self._budget.used_bytes - self._bytes + wanted_bytes
        if wanted_bytes > self._bytes and used > self._budget.total_bytes:
            return False
        self._budget.used_bytes = used
        self._bytes = wanted_bytes
        return True


class HeldBodies:
    """The bodies of one connection's current call, and what its client has not read yet of the answers."""

    def __init__(self, budget: BufferBudget, unread: Callable[[], int]) -> None:
        """``unread`` tells how many bytes of earlier answers wait for the client."""
        self._share = budget.share()
        self._unread = unread
        self._request_expected = self._request_came = 0
        self._answer_expected = self._answer_came = 0
        self._request_held, self._answer_held = False, True
        self._timer: asyncio.TimerHandle | None = None

    def expect_request(self, length: int) -> bool:
        """A call begins whose body is held; whether there is room for it."""
        self._begin()
        self._request_expected = length
        self._request_held = self._cover()
        return self._request_held

    def request_came(self, length: int) -> bool:
        """So much came from the client; whether there is room for it. Heads, and bodies not to be held, don't count."""
        if not self._request_held:
            return True
        self._request_came += length
        return self._cover()

    def expect_answer(self, length: int) -> bool:
        """The answer's head is there; whether there is room for its body."""
        self._answer_expected = length
        return self._cover()

    def answer_came(self, length: int) -> bool:
        """So much came from the cloud; whether there is room for it."""
        if self._answer_held:
            self._answer_came += length
        return self._cover()

    def stream_answer(self) -> None:
        """The answer is passed on while it comes: it is not held."""
        self._answer_held = False

    def sent_on(self) -> None:
        """The call is over. What the client has not read yet counts until it has."""
        self._begin()
        self._settle()

    def drop(self) -> None:
        """The connection is gone, with all that it held."""
        if self._timer is not None:
            self._timer.cancel()
        self._share.cover(0)

    def _begin(self) -> None:
        self._request_expected = self._request_came = 0
        self._answer_expected = self._answer_came = 0
        self._request_held, self._answer_held = False, True

    def _cover(self) -> bool:
        request = max(self._request_expected, self._request_came)
        answer = max(self._answer_expected, self._answer_came)
        return self._share.cover(request + answer + self._unread())

    def _settle(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._cover()
        if self._unread() > 0:
            self._timer = asyncio.get_running_loop().call_later(SETTLE_S, self._settle)
