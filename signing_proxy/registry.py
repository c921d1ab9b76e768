"""From mitmproxy's client connection to our handler."""

from collections.abc import Mapping
from typing import Any

from mitmproxy.connection import Client

from signing_proxy.connection import GatedConnectionHandler


class Connections:
    """Looks handlers up in the Proxyserver addon's table."""

    def __init__(self, table: Mapping[Any, Any]) -> None:
        self._table = table

    def of(self, client: Client) -> GatedConnectionHandler:
        """The handler of a client connection. Raises LookupError for one that is not ours: the hook then fails."""
        handler = self._table.get(client.id)
        if not isinstance(handler, GatedConnectionHandler):
            raise LookupError(f"client connection {client.id} belongs to no run")
        return handler
