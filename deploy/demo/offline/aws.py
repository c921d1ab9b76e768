"""Calls to the cloud: one botocore client a service and thread, and helpers for what comes back."""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

MAX_ATTEMPTS = 3


class Aws:
    """Clients of one region, made on first use.

    Terraform calls from many threads, and each has clients of its own. Connections of one client share a TLS context,
    and each new one loads the certificates into it again; should another be in its handshake meanwhile, OpenSSL may
    crash (openssl/openssl#24480, boto/botocore#3164).
    """

    def __init__(self, region: str) -> None:
        """
        Args:
            region: the cloud's region, for example `eu-west-1`.
        """
        self.region = region
        self._session = botocore.session.Session()
        self._config = Config(
            connect_timeout=10,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
        )
        self._own = threading.local()
        self._making = threading.Lock()  # a session is for one thread at a time

    def client(self, service: str) -> Any:
        """The service's client for the calling thread."""
        clients: dict[str, Any] = self._own.__dict__
        if service not in clients:
            with self._making:
                clients[service] = self._session.create_client(service, region_name=self.region, config=self._config)
        return clients[service]


def unless_absent(call: Callable[..., Any], *absent: str, **arguments: Any) -> dict[str, Any] | None:
    """The answer to a read, or None if the cloud says that the thing does not exist.

    Args:
        call: a client's method.
        absent: error codes that say so, beside status 404.
        arguments: its arguments.

    Raises:
        ClientError: the cloud refused for another reason.
    """
    try:
        answer: dict[str, Any] = call(**arguments)
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status == 404 or error.response.get("Error", {}).get("Code") in absent:
            return None
        raise
    return answer


def tag_list(tags: Mapping[str, str] | None, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """Tags as most services take them."""
    return [{key: name, value: text} for name, text in sorted((tags or {}).items())]


def tag_map(tags: Iterable[Mapping[str, str]] | None, key: str = "Key", value: str = "Value") -> dict[str, str] | None:
    """Tags as Terraform has them; none is null, as a configuration without tags says it."""
    return {tag[key]: tag[value] for tag in tags or ()} or None
