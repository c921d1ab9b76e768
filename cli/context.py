"""Settings as a command sees them, and the connections made from them."""

from __future__ import annotations

import getpass
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shared.errors import Unavailable

if TYPE_CHECKING:
    from shared.api_client import ApiClient
    from shared.lease.store import LeaseStore
    from shared.settings import Settings


def load_own_settings(**overrides: Any) -> Settings:
    """Settings from the environment and the file alone. Raises ConfigurationError for a value that is no good."""
    from shared.settings import load_settings as load

    return load(**overrides)


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment and the file; where they name no API or Redis, those of a running `interlock up`.

    Raises ConfigurationError for a value that is no good.
    """
    from cli.up_record import is_running, read_record

    settings = load_own_settings(**overrides)
    record = read_record(settings.home)
    if record is None or not is_running(settings.home):
        # A record without its `up` is what a SIGKILL leaves: its addresses may be anyone's by now.
        return settings
    found = {
        name: value
        for name, value in (("api_url", record.api_url), ("redis_url", record.redis_url))
        if name not in settings.model_fields_set
    }
    return load_own_settings(**{**overrides, **found}) if found else settings


@contextmanager
def api(settings: Settings | None = None) -> Iterator[ApiClient]:
    """A client of the API with the token of this user, closed at the end."""
    from shared.api_client import ApiClient

    chosen = settings or load_settings()
    with ApiClient(chosen.api_url, chosen.read_token("admin")) as client:
        yield client


@contextmanager
def lease_store(settings: Settings) -> Iterator[LeaseStore]:
    """The leases on a Redis that answers. Raises Unavailable when there is none."""
    import redis

    from shared.lease.store import LeaseStore

    try:
        store = LeaseStore.from_settings(settings)
    except ValueError as error:
        raise redis_unavailable(settings.redis_url, str(error)) from error
    try:
        for server in store.servers.primaries():
            server.ping()
        yield store
    except redis.RedisError as error:
        raise redis_unavailable(settings.redis_url, str(error)) from error
    finally:
        store.close()


def redis_unavailable(url: str, problem: str) -> Unavailable:
    """The one message for a Redis that is not there."""
    return Unavailable(
        f"Redis at {without_password(url)} cannot be used: {problem}",
        hint="start it, or correct INTERLOCK_REDIS_URL (unset it and `interlock up` brings its own)",
    )


def without_password(url: str) -> str:
    """`url` with its password replaced by ***, for messages."""
    url = re.sub(r"(?<=://)([^/?#@:]*):[^/?#]*@", r"\1:***@", url)
    return re.sub(r"(password=)[^&]*", r"\1***", url)


def actor() -> str:
    """Who asks for a run, as recorded with it: user@host."""
    try:
        user = getpass.getuser()
    except OSError:
        # A user id without an entry in the user database, as in many containers.
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
