"""Standard Webhooks 1.0.0 (standardwebhooks.com): how a receiver knows that a body is ours and fresh. Pure.

Signed is `{webhook-id}.{webhook-timestamp}.{body}`, by HMAC-SHA256; the header lists one `v1,BASE64` for each secret,
so that a secret can be exchanged without a gap. The id stays the same over all attempts, the timestamp is the
attempt's.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Final

PREFIX: Final = "whsec_"
MIN_SECRET_BYTES: Final = 24
MAX_SECRET_BYTES: Final = 64


def decode_secret(text: str) -> bytes:
    """The key of a secret in its written form. Raises ValueError, which does not quote it."""
    if not text.startswith(PREFIX):
        raise ValueError(f"must begin with {PREFIX}")
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"is not base64 after {PREFIX}") from None
    if not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
        raise ValueError(f"holds {len(key)} bytes instead of {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES}")
    return key


def signed_headers(keys: Sequence[bytes], *, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt."""
    content = f"{message_id}.{timestamp_s}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
    }
