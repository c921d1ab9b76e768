"""The demo's cloud with a fault switch; run it as a module, with the options of `deploy.demo.cloud`.

Whoever shows the cloud's secret key sets the switch at `POST /faults/TARGET` and reads it there.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deploy.demo.arrivals import Arrived
from deploy.demo.cloud import Recorder, WsgiApp, error_answer, main
from tests.rollback_faults.switch import Strike, Switch, carried_out, strike_from

PATH = "/faults/"
#: No SDK and no waiter of the provider knows this error, so nobody tries again.
ERROR_NAME = "InterlockFault"

type Answer = tuple[int, list[tuple[str, str]], bytes]


class FaultyRecorder(Recorder):
    """Strikes accepted calls as the switch says."""

    def __init__(self, app: WsgiApp, log_path: Path, *, access_key: str, secret_key: str, issue_keys: bool) -> None:
        """As the demo's."""
        super().__init__(app, log_path, access_key=access_key, secret_key=secret_key, issue_keys=issue_keys)
        self._switch = Switch()
        self._secret = secret_key

    def answer(self, environ: dict[str, Any], headers: dict[str, str], body: bytes, received_ns: int) -> Answer:
        """The driver's questions about a target are answered here, everything else as in the demo."""
        if not environ["RAW_URI"].startswith(PATH):
            return super().answer(environ, headers, body, received_ns)
        if headers.get("x-demo-secret") != self._secret:
            return 403, [], b"{}"
        target = environ["RAW_URI"].removeprefix(PATH)
        order = json.loads(body)
        if "strikes" in order:
            self._switch.set(target, [strike_from(record) for record in order["strikes"]])
        if order.get("go"):
            self._switch.go(target)
        return 200, [("Content-Type", "application/json")], json.dumps(self._switch.seen(target)).encode()

    def carry_out(
        self, arrived: Arrived, environ: dict[str, Any], headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """As the demo's, unless the call is struck."""
        strike = self._switch.strike_of(arrived)
        if strike is None:
            return super().carry_out(arrived, environ, headers, body)
        return carried_out(
            self._switch,
            strike,
            arrived.target or "",
            do=lambda: super(FaultyRecorder, self).carry_out(arrived, environ, headers, body),
            fail=lambda: error_answer(
                400, ERROR_NAME, "This call was struck.", service=arrived.service, headers=headers
            ),
        )


class FaultSwitch:
    """The driver's side of it."""

    def __init__(self, url: str, secret_key: str) -> None:
        """
        Args:
            url: the cloud's.
            secret_key: its secret.
        """
        self._url = url
        self._secret = secret_key
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def set(self, target: str, strikes: Sequence[Strike] = ()) -> None:
        """Count the target's calls anew, and strike these."""
        self._ask(target, strikes=[asdict(strike) for strike in strikes])

    def go(self, target: str) -> None:
        """Let the held call go."""
        self._ask(target, go=True)

    def seen(self, target: str) -> dict[str, Any]:
        """What arrived since it was set."""
        return self._ask(target)

    def _ask(self, target: str, **order: Any) -> dict[str, Any]:
        request = urllib.request.Request(
            self._url + PATH + target,
            data=json.dumps(order).encode(),
            headers={"x-demo-secret": self._secret, "Content-Type": "application/json"},
        )
        with self._opener.open(request, timeout=30) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found


if __name__ == "__main__":
    main(recorder_type=FaultyRecorder)
