"""The command of a chaos run: calls the cloud again and again, and changes nothing.

It asks SNS for an operation that does not exist. AWS answers 400 InvalidAction and does nothing, but the proxy takes
an operation that it does not know for a write: its intent is in the journal before it is signed, and only such calls
have an order that a judge can believe. It runs in the sandbox, with the standard library and the worker's own signer.
"""

from __future__ import annotations

import inspect

OPERATION = "InterlockChaosProbe"
PAUSE_S = 0.2

_LOOP = """
import datetime, os, sys, time
signer = {"__name__": "signer"}
exec(sys.argv[1], signer)
until, said = time.monotonic() + float(sys.argv[2]), None
region = os.environ["AWS_REGION"]
body = "Action=OPERATION&Version=2010-03-31"
call = {
    "service": "sns", "region": region, "host": f"sns.{region}.amazonaws.com", "method": "POST", "path": "/",
    "query": "", "headers": {"content-type": "application/x-www-form-urlencoded"}, "body": body,
}
while time.monotonic() < until:
    at = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    answer = signer["ask"](call, dict(os.environ), at)
    if answer["status"] != said:
        said = answer["status"]
        print(said, answer["body"][:300], flush=True)
    time.sleep(PAUSE)
"""


def probe_command(limit_s: float) -> tuple[str, ...]:
    """The argv of a run that calls for at most `limit_s` seconds."""
    from worker import signed_call

    loop = _LOOP.replace("OPERATION", OPERATION).replace("PAUSE", str(PAUSE_S))
    return ("python3", "-I", "-S", "-c", loop, inspect.getsource(signed_call), str(limit_s))
