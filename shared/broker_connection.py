"""The broker's connection behind Sentinels asks them on every reconnect, not only on most.

redis-py asks the Sentinels in `connect`; a command on a connection that was dropped reconnects past it, to the same
host as before. When a primary becomes a replica, that turns kombu's give-back of unacknowledged messages (a transaction
under WATCH) into an endless loop against the replica: the worker is deaf until somebody kills it.
"""

from __future__ import annotations

from typing import Any

from kombu.transport.redis import SentinelChannel
from redis.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection

# redis-py publishes no types for these.
_Plain: Any = SentinelManagedConnection
_Encrypted: Any = SentinelManagedSSLConnection
_Channel: Any = SentinelChannel


class AskingConnection(_Plain):  # type: ignore[misc]  # as above
    """Asks for the primary before a command reconnects."""

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Send, after having found the primary where there is no connection. Raises redis-py's ConnectionError."""
        if not self._sock:
            self.connect()
        super().send_packed_command(command, check_health)


class AskingSSLConnection(_Encrypted):  # type: ignore[misc]  # as above
    """The same over TLS."""

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Send, after having found the primary where there is no connection. Raises redis-py's ConnectionError."""
        if not self._sock:
            self.connect()
        super().send_packed_command(command, check_health)


def follow_the_primary() -> None:
    """Let kombu use these; repeating it changes nothing."""
    _Channel.connection_class = AskingConnection
    _Channel.connection_class_ssl = AskingSSLConnection
