"""One attempt over HTTP. Bounded in time and size; whatever happens comes back as an `Attempt`.

A redirect is a failure: following it would send a signed body to an address that nobody configured. The answer is read
to a small bound and given up there. TLS certificates and host names are verified; proxies of the environment, which are
meant for other things, are not used.
"""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

import httpx

from scheduler.notifications.bodies import slack_body, webhook_body
from scheduler.notifications.destinations import Slack, Webhook
from scheduler.notifications.events import Event
from scheduler.notifications.redaction import one_line
from scheduler.notifications.retries import Attempt
from scheduler.notifications.signature import signed_headers

#: From the connection's beginning to the end of the answer, however slowly it trickles.
TOTAL_S: Final = 15.0
CONNECT_S: Final = 5.0
#: Longest answer that is read; what follows is nobody's concern.
MAX_ANSWER_BYTES: Final = 4096
MAX_SAID: Final = 200
_USER_AGENT: Final = "interlock-notifications"


async def send_http(destination: Webhook | Slack, event: Event, *, now: datetime, total_s: float = TOTAL_S) -> Attempt:
    """Send the event once. Raises nothing but cancellation."""
    headers = {"content-type": "application/json", "user-agent": _USER_AGENT, "accept-encoding": "identity"}
    if isinstance(destination, Webhook):
        body = webhook_body(event)
        stamp_s = int(now.timestamp())
        headers |= signed_headers(destination.keys, message_id=event.id, timestamp_s=stamp_s, body=body)
    else:
        body = slack_body(event)
    try:
        async with (
            asyncio.timeout(total_s),
            httpx.AsyncClient(
                verify=tls_context(destination.ca_file),
                trust_env=False,
                follow_redirects=False,
                timeout=httpx.Timeout(total_s, connect=CONNECT_S),
            ) as client,
            client.stream("POST", destination.url, content=body, headers=headers) as answer,
        ):
            return _judged(answer, await _beginning(answer), now)
    except TimeoutError:
        return Attempt(delivered=False, note=f"no answer within {total_s:g} s")
    except (httpx.HTTPError, ssl.SSLError, OSError) as error:
        # The message names no path: Slack's is a secret.
        return Attempt(delivered=False, note=one_line(f"{type(error).__name__}: {error}", MAX_SAID))


@lru_cache(maxsize=64)
def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Verifies certificates and host names, by the well-known authorities or by those in `ca_file` alone.

    Raises OSError for a file that cannot be read as certificates (ssl.SSLError is one).
    """
    if ca_file is None:
        return httpx.create_ssl_context(trust_env=False)
    return ssl.create_default_context(cafile=str(ca_file))


async def _beginning(answer: httpx.Response) -> bytes:
    found = b""
    async for chunk in answer.aiter_raw():
        found += chunk
        if len(found) >= MAX_ANSWER_BYTES:
            break
    return found[:MAX_ANSWER_BYTES]


def _judged(answer: httpx.Response, body: bytes, now: datetime) -> Attempt:
    if answer.is_success:
        return Attempt(delivered=True)
    said = one_line(body.decode(errors="replace"), MAX_SAID)
    note = f"HTTP {answer.status_code}" + (f": {said}" if said else "")
    if answer.is_redirect:
        note = f"HTTP {answer.status_code}: redirects are not followed; configure the new address"
    return Attempt(
        delivered=False,
        note=note,
        gone=answer.status_code == httpx.codes.GONE,
        retry_after_s=retry_after(answer.headers.get("retry-after", ""), now),
    )


def retry_after(value: str, now: datetime) -> int | None:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3): a number, or a date. None: nothing usable."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return int(value[:9])
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0, int((date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()))
