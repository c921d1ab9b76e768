"""The few exceptions that Interlock raises on purpose.

Each one says what happened and to what (`str(error)`) and what the reader can do about it (`error.hint`).
"Our bug" and "the other side's fault" are different types: `IllegalTransition` is a bug of ours,
`PeerError` is a peer that broke the agreed format, `Unavailable` is a peer that did not answer.
"""

from __future__ import annotations

from typing import ClassVar

from shared import exit_codes

# Named after what happened, as the protocol pages and the exit codes do; hence no Error suffix (N818).


class InterlockError(Exception):
    """Base of all. A command that ends with it prints message and hint and exits with `exit_code`."""

    exit_code: ClassVar[int] = exit_codes.ERROR

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Keep `message` (what happened, to what) and `hint` (what to do; may be empty)."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Return the message alone; whoever shows the error decides where the hint goes."""
        return self.message


class ConfigurationError(InterlockError):
    """A setting, a file or a server's configuration is unusable; nothing was started."""

    exit_code = exit_codes.USAGE


class LeaseLost(InterlockError):  # noqa: N818
    """This holder had the lease and has it no longer; it must stop acting on the target."""

    exit_code = exit_codes.LEASE_LOST


class LeaseRefused(InterlockError):  # noqa: N818
    """The lease was not given, or an operation on it was not allowed; nothing was changed."""

    exit_code = exit_codes.REFUSED


class PeerError(InterlockError):
    """The other side answered, but not in the agreed format."""


class Unavailable(InterlockError):  # noqa: N818
    """Redis, the API or the database could not be reached or did not answer in time.

    The operation may have happened or not: repeat only what may be repeated.
    """

    exit_code = exit_codes.UNAVAILABLE


class ApiError(InterlockError):
    """The API answered with an error of its own."""

    def __init__(self, message: str, *, status: int, code: str, hint: str = "") -> None:
        """Keep the HTTP `status` and the machine-readable `code` (for example `not_claimable`)."""
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code


class IllegalTransition(InterlockError):  # noqa: N818
    """A lifecycle was asked for a step that its table does not hold; nothing was changed."""
