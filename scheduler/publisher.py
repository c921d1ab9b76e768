"""Wake-up hints. A hint that is lost costs time, never correctness: the reconciler publishes again."""

from typing import Protocol


class Publisher(Protocol):
    """Something that can wake a worker of a region."""

    def publish(self, *, run_id: str, region: str) -> None:
        """Send the hint. Raises `Unavailable` when the broker did not take it."""
        ...


class MemoryPublisher:
    """The fake that ships with the code: keeps the hints, or refuses them."""

    def __init__(self) -> None:
        """Start with no hints and a broker that works."""
        self.hints: list[tuple[str, str]] = []
        #: Raised by the next publications, to play a broker that is away.
        self.failure: Exception | None = None

    def publish(self, *, run_id: str, region: str) -> None:
        """Keep (region, run id)."""
        if self.failure is not None:
            raise self.failure
        self.hints.append((region, run_id))
