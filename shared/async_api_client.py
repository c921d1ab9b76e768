"""The few calls of the API that the signing proxy makes. Errors as `api_client` has them."""

from __future__ import annotations

from typing import Any

import httpx

from shared.api_exchange import TIMEOUT_S, checked, headers, parse, part, recorded, unavailable
from shared.models import JournalIntent, JournalOutcome
from shared.safety.allowance import Allowance


class AsyncApiClient:
    """Asynchronous client of the API at `base_url`, with one bearer token."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Connect lazily; `transport` replaces the network in tests."""
        self._base_url = base_url
        self._http = httpx.AsyncClient(
            base_url=base_url, headers=headers(token), timeout=timeout_s, transport=transport, trust_env=False
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def journal_intent(self, intent: JournalIntent) -> None:
        """Record a call before it is signed. Only an answer that names the call counts."""
        recorded(await self._send("POST", "/v1/journal", json=intent.model_dump(mode="json")), intent.call_id)

    async def journal_outcome(self, outcome: JournalOutcome) -> None:
        """Record what became of a call."""
        await self._send("POST", f"/v1/journal/{part(outcome.call_id)}/outcome", json=outcome.model_dump(mode="json"))

    async def allowance(self, run_id: str) -> Allowance:
        """Return what may be signed for a run. Raises PeerError for an answer that is not one."""
        return parse(Allowance, await self._send("GET", f"/v1/runs/{part(run_id)}/allowance"))

    async def quarantine_state(self, target: str, *, epoch: int, run: str, state: bytes) -> None:
        """Keep the state of a cut epoch, to be judged by the next holder."""
        await self._send(
            "POST", f"/v1/targets/{part(target)}/quarantine", params={"epoch": epoch, "run": run}, content=state
        )

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise unavailable(self._base_url, error) from error
        return checked(answer)
