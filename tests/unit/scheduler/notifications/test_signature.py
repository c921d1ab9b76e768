"""Standard Webhooks' signature."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from scheduler.notifications.signature import decode_secret, signed_headers

KEY = b"k" * 32


def test_it_is_what_the_formula_gives_when_it_is_written_out_by_hand() -> None:
    body = b'{"a":1}'
    headers = signed_headers([KEY], message_id="evt_1", timestamp_s=1674087231, body=body)
    # HMAC by its definition (RFC 2104), not by the function under test.
    block = KEY.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + b"evt_1.1674087231." + body).digest()
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).digest()
    assert headers == {
        "webhook-id": "evt_1",
        "webhook-timestamp": "1674087231",
        "webhook-signature": "v1," + base64.b64encode(outer).decode(),
    }


def test_the_published_example_of_the_reference_libraries_is_met() -> None:
    headers = signed_headers(
        [decode_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp_s=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_secret_signs() -> None:
    old, new = b"o" * 24, b"n" * 24
    both = signed_headers([new, old], message_id="m", timestamp_s=1, body=b"x")["webhook-signature"].split(" ")
    assert [one.partition(",")[0] for one in both] == ["v1", "v1"]
    for key, one in zip((new, old), both, strict=True):
        digest = base64.b64decode(one.removeprefix("v1,"))
        assert hmac.compare_digest(digest, hmac.digest(key, b"m.1.x", "sha256"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "must begin with whsec_"),
        ("whsec_not base64!", "is not base64"),
        ("whsec_" + base64.b64encode(b"x" * 23).decode(), "23 bytes"),
        ("whsec_" + base64.b64encode(b"x" * 65).decode(), "65 bytes"),
    ],
)
def test_a_secret_that_is_none_is_refused_and_not_quoted(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as refused:
        decode_secret(text)
    assert text not in str(refused.value)
