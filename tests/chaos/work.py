"""What a run of the fault suite does, inside its sandbox: `python work.py SECONDS STATE_STEP`. Standard library only.

It is a provisioner that never gives up: whatever a call answers, the next one follows. One thread writes to the cloud
(and reads every third time), one writes Terraform state with growing serials, and one tells the cloud which of those
were acknowledged, so that the cloud's log alone holds the evidence.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import http.client
import json
import os
import queue
import ssl
import sys
import threading
import time
from urllib.parse import urlsplit

import signed_call  # type: ignore[import-not-found]  # lies beside it in the release

CLOUD = "s3.us-east-1.amazonaws.com"
STATE = "interlock.internal"
CALL_PAUSE_S = 0.12
STATE_PAUSE_S = 0.3
RETRY_PAUSE_S = 0.05
TIMEOUT_S = 6.0


class Way:
    """One kept connection through the proxy; made anew after every failure."""

    def __init__(self, host: str) -> None:
        self.host = host
        proxy = urlsplit(os.environ["HTTPS_PROXY"])
        context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
        self.connection = http.client.HTTPSConnection(
            proxy.hostname or "", proxy.port, timeout=TIMEOUT_S, context=context
        )
        self.connection.set_tunnel(host, 443)

    def send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and body; status 0 when there was no answer."""
        try:
            self.connection.request(method, path, body=body, headers=headers)
            answer = self.connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            return 0, b""


def call(way: Way, method: str, path: str, text: str = "") -> int:
    """One call to the cloud, signed with the placeholder key."""
    at = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(text.encode()).hexdigest()
    wanted = {
        "service": "s3",
        "region": "us-east-1",
        "host": CLOUD,
        "method": method,
        "path": path,
        "query": "",
        "headers": {"x-amz-content-sha256": digest},
        "body": text,
    }
    key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    headers = signed_call.sign(wanted, key_id=key, secret=secret, at=at)
    return way.send(method, path, text.encode(), headers)[0]


def call_on_and_on(stop: threading.Event, run: str) -> None:
    """Writes and reads until told to stop."""
    way, number = Way(CLOUD), 0
    while not stop.is_set():
        number += 1
        method = "GET" if number % 3 == 0 else "PUT"
        status = call(way, method, f"/chaos/{run}-{number}", "" if method == "GET" else "x")
        stop.wait(CALL_PAUSE_S if status == 200 else RETRY_PAUSE_S)


def tell(stop: threading.Event, paths: queue.Queue[str]) -> None:
    """Tell the cloud what was acknowledged, beside the writing of states: no state waits for a call."""
    way = Way(CLOUD)
    while not stop.is_set():
        try:
            call(way, "PUT", paths.get(timeout=CALL_PAUSE_S), "x")
        except queue.Empty:
            continue


def write_states(stop: threading.Event, run: str, target: str, step: int, paths: queue.Queue[str]) -> None:
    """State after state until told to stop; each acknowledged one is put down to be told."""
    login = base64.b64encode(f"{os.environ['TF_HTTP_USERNAME']}:{os.environ['TF_HTTP_PASSWORD']}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
    path = f"/v1/state/{target}"
    states = Way(STATE)
    serial = None
    while not stop.is_set():
        if serial is None:
            status, body = states.send("GET", path, b"", headers)
            if status not in (200, 404):
                stop.wait(RETRY_PAUSE_S)
                continue
            serial = json.loads(body)["serial"] if status == 200 and body else 0
        serial += step
        document: dict[str, object] = {"version": 4, "serial": serial, "lineage": target}
        document |= {"terraform_version": "1.11.4", "outputs": {}, "resources": []}
        status, _ = states.send("POST", path, json.dumps(document).encode(), headers)
        if status == 200:
            paths.put(f"/chaos/acknowledged/{target}/{serial}/{run}")
            stop.wait(STATE_PAUSE_S)
        else:
            stop.wait(RETRY_PAUSE_S)


def main(seconds: float, step: int, target: str) -> int:
    """Work for so long, then end well."""
    run = os.environ["TF_HTTP_USERNAME"]
    stop = threading.Event()
    paths: queue.Queue[str] = queue.Queue()
    threads = [
        threading.Thread(target=call_on_and_on, args=(stop, run), daemon=True),
        threading.Thread(target=write_states, args=(stop, run, target, step, paths), daemon=True),
        threading.Thread(target=tell, args=(stop, paths), daemon=True),
    ]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join(1)
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
