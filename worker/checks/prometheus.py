"""An instant query to Prometheus: bad when one value of its result is beyond a bound.

https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from shared.rollback.settings import PrometheusCheck
from worker.checks.asking import Answer, NotAsked, ask
from worker.checks.evaluation import Evaluation, Grade


def decide(check: PrometheusCheck, answer: Answer) -> Evaluation:
    """What an answer says. Pure.

    Args:
        check: what is bad.
        answer: what came.
    """
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return Evaluation(grade=Grade.ERROR, detail=f"status {answer.status}, and no JSON")
    if not isinstance(document, dict) or document.get("status") != "success" or answer.status != 200:
        why = document.get("error") if isinstance(document, dict) else None
        return Evaluation(grade=Grade.ERROR, detail=f"status {answer.status}: {why or 'no result'}")
    try:
        values = _values(document["data"])
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        return Evaluation(grade=Grade.ERROR, detail=f"its result is no scalar and no vector ({type(error).__name__})")
    known = [value for value in values if not math.isnan(value)]
    if bad := [value for value in known if check.bad(value)]:
        return Evaluation(grade=Grade.BAD, detail=f"{bad[0]:g} {_bound(check, bad[0])}")
    if len(known) < len(values) or not values:
        return Evaluation(grade=Grade.NO_DATA, detail="no series" if not values else "NaN")
    return Evaluation(grade=Grade.GOOD, detail=f"{len(known)} values within bounds")


def evaluate(check: PrometheusCheck, *, hosts: Sequence[str]) -> Evaluation:
    """Ask once.

    Args:
        check: with everything it refers to put in.
        hosts: that may be asked.
    """
    query = urlencode({"query": check.query, "timeout": f"{check.timeout_s}s"})
    try:
        return decide(check, ask(f"{check.url.rstrip('/')}/api/v1/query?{query}", hosts=hosts, limit_s=check.timeout_s))
    except NotAsked as error:
        return Evaluation(grade=Grade.ERROR, detail=f"{check.url}: {error}")


def _values(data: dict[str, Any]) -> list[float]:
    """Of a scalar or a vector; a time and a value each."""
    result = data["result"]
    if not isinstance(result, list):
        # An empty text or object is no series either, but it is no vector without series.
        raise TypeError(type(result).__name__)
    match data["resultType"]:
        case "scalar":
            return [float(result[1])]
        case "vector":
            return [float(sample["value"][1]) for sample in result]
    raise ValueError(data["resultType"])


def _bound(check: PrometheusCheck, value: float) -> str:
    if check.above is not None and value > check.above:
        return f"is above {check.above:g}"
    return f"is below {check.below:g}"
