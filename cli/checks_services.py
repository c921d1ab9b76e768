"""Checks of what this host talks to: Redis, the API, the proxy, and the ports that they want."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cli.context import lease_store, without_password
from cli.findings import Finding, fail, ok, warn
from cli.ports import is_listening, require_free
from cli.up_record import is_running, read_record
from shared.api_client import ApiClient
from shared.clock import SystemClock
from shared.errors import ApiError, ConfigurationError, InterlockError, Unavailable
from shared.lease.admission import TIMING_HINT, check_agreed, differing
from shared.lease.view import LeaseView

if TYPE_CHECKING:
    from shared.settings import Settings

START_MEND = "`interlock up` starts everything on this machine"
CONNECT_TIMEOUT_S = 2.0
UNIX_SOCKETS = Path("/proc/net/unix")
# __SO_ACCEPTCON, from linux/net.h
ACCEPTS_CONNECTIONS = 1 << 16


def up_state(settings: Settings) -> Finding:
    """Is `interlock up` running on this home?"""
    record = read_record(settings.home)
    if is_running(settings.home):
        if record is None:
            return warn(
                "up", f"`interlock up` is starting or stopping on {settings.home}", mend="try again in a moment"
            )
        return ok("up", f"running on {settings.home} (pid {record.pid})")
    return ok("up", f"not running on {settings.home}; only wanted where everything shall be on one machine")


def redis(settings: Settings) -> Finding:
    """Can the lease protocol stand on this Redis: reachable, primary, noeviction, with the commands it needs?"""
    address = without_password(settings.redis_url)
    try:
        with lease_store(settings) as store:
            store.check_server()
            info: dict[str, Any] = store.client.info("server")
            primaries = len(store.servers.primaries())
    except Unavailable as error:
        if not _named(settings, "redis_url"):
            return warn("redis", f"none is running at {address}", mend=START_MEND)
        return fail("redis", error.message, mend=error.hint)
    except ConfigurationError as error:
        return fail("redis", error.message, mend=error.hint)
    name = "Valkey" if info.get("server_name") == "valkey" else "Redis"
    version = info.get("valkey_version") or info.get("redis_version")
    what = "primary" if primaries == 1 else f"{primaries} primaries"
    return ok("redis", f"{name} {version} at {address}: {what}, noeviction")


def lease_timing(settings: Settings) -> Finding:
    """Do all processes that are alive have the lease durations that are configured here?"""
    try:
        with lease_store(settings) as store:
            nodes, agreed = store.nodes(), store.agreed()
    except InterlockError:
        return warn("lease-timing", "no Redis, so the other hosts' lease durations are not known", mend="see redis")
    others = differing(nodes, settings.timing, settings.node)
    if others:
        found = "; ".join(f"{name}: {what}" for name, what in others.items())
        return fail(
            "lease-timing",
            f"hosts with other lease durations: {found}",
            mend=TIMING_HINT,
        )
    try:
        if agreed is not None:
            check_agreed(agreed, settings.timing)
    except ConfigurationError as error:
        return fail("lease-timing", error.message, mend=error.hint)
    return ok("lease-timing", f"the same on {len(nodes)} worker hosts that are alive")


def lease_ttl(settings: Settings) -> Finding:
    """Do all live leases have the TTL that is configured here?"""
    try:
        targets = _targets(settings)
        with lease_store(settings) as store:
            views = store.views(targets)
    except InterlockError:
        return warn("lease-ttl", "leases cannot be read, so their TTL is not known", mend="see redis and api")
    live = [view for view in views if isinstance(view, LeaseView) and view.pttl_ms > 0]
    other = sorted({view.ttl_ms for view in live if view.ttl_ms != settings.ttl_ms})
    if other:
        found = ", ".join(str(ttl_ms) for ttl_ms in other)
        return fail(
            "lease-ttl",
            f"leases live here with a TTL of {found} ms, configured are {settings.ttl_ms} ms",
            mend="give every host the same INTERLOCK_TTL_MS and the other durations that go with it",
        )
    return ok("lease-ttl", f"{settings.ttl_ms} ms here and in every live lease")


def api(settings: Settings) -> Finding:
    """Does the API answer, and does it know our token?"""
    try:
        with ApiClient(settings.api_url, settings.read_token("admin"), timeout_s=CONNECT_TIMEOUT_S) as client:
            targets = client.targets()
    except Unavailable as error:
        if not _named(settings, "api_url"):
            return warn("api", f"none is running at {settings.api_url}", mend=START_MEND)
        return fail("api", error.message, mend=error.hint)
    except ConfigurationError as error:
        # No token: where there is no server either, that is only the beginning.
        parts = urlsplit(settings.api_url)
        running = parts.hostname is not None and is_listening(parts.hostname, parts.port or _default_port(parts.scheme))
        if running:
            return fail("api", error.message, mend=error.hint)
        return warn("api", f"none is running at {settings.api_url}, and there is no token yet", mend=START_MEND)
    except ApiError as error:
        return fail("api", f"{settings.api_url} refuses us: {error.message}", mend=error.hint or _TOKEN_MEND)
    return ok("api", f"answers at {settings.api_url} and takes our token; {len(targets)} targets")


def proxy(settings: Settings) -> Finding:
    """Does this host's proxy listen on its control socket?"""
    path = settings.proxy_socket
    if path not in listening_sockets(UNIX_SOCKETS.read_text(encoding="utf-8", errors="replace")):
        mend = "only worker hosts need one: `interlock proxy`, or `interlock up`"
        return warn("proxy", f"no signing proxy listens at {path}", mend=mend)
    return ok("proxy", f"listens at {path}")


def listening_sockets(table: str) -> set[Path]:
    """Paths of listening unix sockets in the kernel's table, proc_net(5). Pure.

    Asked instead of the proxy itself, which would rightly complain of a connection that says nothing.
    """
    rows = [line.split(maxsplit=7) for line in table.splitlines()[1:]]
    return {Path(row[7]) for row in rows if len(row) == 8 and int(row[3], 16) & ACCEPTS_CONNECTIONS}


def credentials(settings: Settings) -> Finding:
    """Would a proxy started here find credentials to sign with? May ask the host's metadata service."""
    from signing_proxy.credentials import BotocoreCredentials

    try:
        found = asyncio.run(BotocoreCredentials(SystemClock()).current())
    except ConfigurationError as error:
        return warn("credentials", error.message, mend=f"only worker hosts need them. {error.hint}")
    kind = "temporary" if found.token else "long-lived"
    return ok("credentials", f"botocore finds {kind} ones (key {found.access_key[:4]}…)")


def ports(settings: Settings) -> Finding:
    """Are the ports that processes of this host would bind free, or bound by our own?"""
    record = read_record(settings.home) if is_running(settings.home) else None
    if record is not None:
        return ok("ports", f"in use by `interlock up` (pid {record.pid})")
    wanted = [(settings.api_host, settings.api_port, "INTERLOCK_API_PORT")]
    if settings.http_port:
        wanted.append((settings.http_host, settings.http_port, "INTERLOCK_HTTP_PORT"))
    for host, port, setting in wanted:
        try:
            require_free(host, port, setting=setting)
        except ConfigurationError as error:
            return warn("ports", error.message, mend=f"nothing to do if that is Interlock; else {error.hint}")
    return ok("ports", ", ".join(f"{port} on {host}" for host, port, _ in wanted) + " free")


CHECKS: Sequence[tuple[str, Callable[[Settings], Finding]]] = (
    ("up", up_state),
    ("redis", redis),
    ("lease-timing", lease_timing),
    ("lease-ttl", lease_ttl),
    ("api", api),
    ("proxy", proxy),
    ("credentials", credentials),
    ("ports", ports),
)

_TOKEN_MEND = "set INTERLOCK_TOKEN to the token in home/tokens/admin.token on the API's host"  # noqa: S105 - says where


def _named(settings: Settings, field: str) -> bool:
    return field in settings.model_fields_set


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _targets(settings: Settings) -> list[str]:
    with ApiClient(settings.api_url, settings.read_token("admin"), timeout_s=CONNECT_TIMEOUT_S) as client:
        return [target.id for target in client.targets()]
