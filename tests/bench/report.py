"""build/bench.json: one entry for each measured quantity, kept when another group is measured later."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
FILE = ROOT / "build" / "bench.json"


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the smallest value that at least `share` (0 to 1) of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread_of(values: Sequence[float]) -> dict[str, float]:
    """Smallest, median and largest of the measured values."""
    return {"min": _short(min(values)), "p50": _short(percentile(values, 0.5)), "max": _short(max(values))}


def record(
    key: str,
    *,
    value: float,
    unit: str,
    goal: float | None,
    n: int,
    spread: dict[str, float] | None,
    partner: dict[str, Any] | None = None,
    ratio: float | None = None,
) -> None:
    """Merge one metric into build/bench.json.

    Args:
        key: such as `sever.p99_ms`; what stands before the dot is its group.
        value: the figure that the goal is about.
        unit: of value, goal, spread and partner.
        goal: the bound that value should keep; None where there is none.
        n: measurements that value was made of.
        spread: smallest, median and largest of them.
        partner: {"what", "value"}: the natural alternative, measured in the same run.
        ratio: how many times better than the partner.
    """
    FILE.parent.mkdir(exist_ok=True)
    whole = json.loads(FILE.read_text()) if FILE.exists() else {}
    metrics = whole.setdefault("metrics", {})
    metrics[key] = {
        "value": _short(value),
        "unit": unit,
        "goal": goal,
        "n": n,
        "spread": spread,
        "partner": partner,
        "ratio": None if ratio is None else _short(ratio),
    }
    whole["metrics"] = dict(sorted(metrics.items()))
    scratch = FILE.with_suffix(".tmp")
    scratch.write_text(json.dumps(whole, indent=2) + "\n")
    scratch.replace(FILE)
    print(line(key, metrics[key]), flush=True)


def line(key: str, metric: dict[str, Any]) -> str:
    """One metric for the screen."""
    text = f"  {key:28} {metric['value']:>10} {metric['unit']:6}"
    if metric["goal"] is not None:
        text += f" goal {metric['goal']}"
    text += f"  n {metric['n']}"
    if metric["spread"]:
        text += "  " + " ".join(f"{name} {value}" for name, value in metric["spread"].items())
    if metric["partner"]:
        text += f"  [{metric['partner']['what']}: {metric['partner']['value']}"
        text += f", {metric['ratio']} times]" if metric["ratio"] is not None else "]"
    return text


def progress(text: str) -> None:
    """Say what is going on."""
    print(f"... {text}", flush=True)


def _short(value: float) -> float:
    return round(value, 2) if abs(value) < 1000 else round(value)
