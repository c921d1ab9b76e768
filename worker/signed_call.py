"""Asks the cloud, from inside the sandbox: `python -I -S signed_call.py CALLS.json` prints the answers.

A take-over has to know what exists, and its only way to the cloud is the run's own, through the proxy. Standard library
only. The signature is a dummy like every client's in a sandbox: made with the placeholder key, replaced by the proxy.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import http.client
import json
import os
import ssl
import sys
from typing import Any
from urllib.parse import unquote, urlsplit

TIMEOUT_S = 30
MAX_ANSWER_BYTES = 4 * 1024**2


def sign(call: dict[str, Any], *, key_id: str, secret: str, at: str) -> dict[str, str]:
    """The headers of a call with an AWS Signature Version 4.

    Args:
        call: service, region, host, method, path, query (canonical already), headers, body.
        key_id: access key id.
        secret: its secret.
        at: `YYYYMMDDTHHMMSSZ`.
    """
    headers = {**call["headers"], "host": call["host"], "x-amz-date": at}
    names = sorted(name.lower() for name in headers)
    lowered = {name.lower(): value.strip() for name, value in headers.items()}
    canonical = "\n".join(
        [
            call["method"],
            call["path"],
            call["query"],
            *[f"{name}:{lowered[name]}" for name in names],
            "",
            ";".join(names),
            hashlib.sha256(call["body"].encode()).hexdigest(),
        ]
    )
    scope = f"{at[:8]}/{call['region']}/{call['service']}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in (at[:8], call["region"], call["service"], "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return headers


def ask(call: dict[str, Any], environment: dict[str, str], at: str) -> dict[str, Any]:
    """Make one call.

    Args:
        call: see `sign`.
        environment: proxy, CA and placeholder key, as every client finds them.
        at: `YYYYMMDDTHHMMSSZ`.

    Returns:
        {"status": n, "body": text}; status 0 when there was no answer, with the reason as body.
    """
    proxy = urlsplit(environment["HTTPS_PROXY"])
    context = ssl.create_default_context(cafile=environment["SSL_CERT_FILE"])
    login = {}
    if proxy.username:
        pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        login["Proxy-Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    connection = http.client.HTTPSConnection(proxy.hostname or "", proxy.port, timeout=TIMEOUT_S, context=context)
    try:
        connection.set_tunnel(call["host"], 443, headers=login)
        headers = sign(
            call, key_id=environment["AWS_ACCESS_KEY_ID"], secret=environment["AWS_SECRET_ACCESS_KEY"], at=at
        )
        target = call["path"] + (f"?{call['query']}" if call["query"] else "")
        connection.request(call["method"], target, body=call["body"].encode(), headers=headers)
        answer = connection.getresponse()
        return {"status": answer.status, "body": answer.read(MAX_ANSWER_BYTES).decode(errors="replace")}
    except (OSError, http.client.HTTPException) as error:
        return {"status": 0, "body": f"{type(error).__name__}: {error}"}
    finally:
        connection.close()


def main(path: str) -> int:
    """Make the calls in the file and print the answers as JSON.

    Args:
        path: JSON list of calls.
    """
    with open(path, encoding="utf-8") as file:  # noqa: PTH123  # pathlib costs 10 ms of start-up
        calls = json.load(file)
    # The signature's own date, checked by nobody but the proxy, which mints a fresh one.
    at = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")  # noqa: TID251  # runs without our packages
    json.dump([ask(call, dict(os.environ), at) for call in calls], sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
