"""The memory that bodies may take, over all connections of a run and over all runs of the proxy."""

import asyncio
from collections.abc import Callable

SETTLE_S = 0.1
"""How often it is looked whether a client has read what waits for it."""


class BufferBudget:
    """So many bytes. Belongs to one event loop."""

    def __init__(self, total_bytes: int, *, within: "BufferBudget | None" = None) -> None:
        """``within`` is the larger budget that this is a part of: what is taken here is taken there, too."""
        self.total_bytes = total_bytes
        """The bound."""
        self.used_bytes = 0
        """What is taken now."""
        self._within = within

    def take(self, more_bytes: int) -> bool:
        """Take so much more, or give it back where it is negative; False, with nothing changed, when it is too much."""
        if more_bytes > 0 and self.used_bytes + more_bytes > self.total_bytes:
            return False
        if self._within is not None and not self._within.take(more_bytes):
            return False
        self.used_bytes += more_bytes
        return True


class Share:
    """What one connection has taken."""

    def __init__(self, budget: BufferBudget) -> None:
        self._budget = budget
        self._bytes = 0

    def cover(self, wanted_bytes: int) -> bool:
        """Make the share this large; False, with nothing changed, when the budget does not allow it."""
        if not self._budget.take(wanted_bytes - self._bytes):
            return False
        self._bytes = wanted_bytes
        return True


class HeldBodies:
    """The bodies of one connection's current call, and what its client has not read yet of the answers."""

    def __init__(self, budget: BufferBudget, unread: Callable[[], int]) -> None:
        """``unread`` tells how many bytes of earlier answers wait for the client."""
        self._share = Share(budget)
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
