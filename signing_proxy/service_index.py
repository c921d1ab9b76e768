"""Which API models and which host labels belong to a signing name; compiled from botocore's models.

Reading all of botocore's models takes seconds, so the index is compiled ahead into services.json:
``python -m signing_proxy.service_index`` writes it again after an update of botocore, and a test says when that is due.
"""

import gzip
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import botocore

_FILE = Path(__file__).with_name("services.json")
_URL = re.compile(r"^https?://([^/]+)")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_REGION = re.compile(r"[a-z]{2,5}(-[a-z]+)+-\d")
# Parts of DNS suffixes and partitions: they name no service.
_NO_SERVICE = frozenset(
    [
        "adc-e",
        "amazonaws",
        "amazonwebservices",
        "api",
        "aws",
        "c2s",
        "cloud",
        "cloud-aws",
        "cn",
        "com",
        "csp",
        "dualstack",
        "eu",
        "fips",
        "global",
        "gov",
        "hci",
        "ic",
        "sc2s",
        "scloud",
        "sgov",
        "uk",
        "us-gov",
    ]
)
# Endpoints that neither the models nor the rule sets spell out.
_EXTRA_LABELS = {"dynamodb": {"ddb"}, "sqs": {"queue", "sqs"}, "s3": {"s3"}, "sts": {"sts"}}


@dataclass(frozen=True, kw_only=True)
class IndexedService:
    """One signing name."""

    models: tuple[str, ...]
    """Names of botocore's API models that sign with this name."""
    labels: frozenset[str]
    """DNS labels of which a host of this service carries at least one."""


@cache
def service_index() -> dict[str, IndexedService]:
    """The compiled index, by signing name."""
    raw: dict[str, dict[str, list[str]]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return {
        name: IndexedService(models=tuple(entry["models"]), labels=frozenset(entry["labels"]))
        for name, entry in raw.items()
    }


def read_model(model: str, kind: str = "service-2") -> dict[str, Any] | None:
    """One of botocore's model files in its newest version; None where there is none. Blocks: tens of milliseconds."""
    folder = Path(botocore.__file__).parent / "data" / model
    for path in sorted(folder.glob(f"*/{kind}.json*"), reverse=True):
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        loaded: dict[str, Any] = json.loads(raw)
        return loaded
    return None


def build() -> dict[str, dict[str, list[str]]]:
    """Compile the index from the botocore that is installed."""
    models: dict[str, set[str]] = {}
    labels: dict[str, set[str]] = {}
    for folder in sorted((Path(botocore.__file__).parent / "data").iterdir()):
        model = read_model(folder.name) if folder.is_dir() else None
        if model is None:
            continue
        metadata = model["metadata"]
        prefix: str = metadata["endpointPrefix"]
        name: str = metadata.get("signingName") or prefix
        models.setdefault(name, set()).add(folder.name)
        found = labels.setdefault(name, set(_EXTRA_LABELS.get(name, set())))
        found.update(set(prefix.split(".")) - _NO_SERVICE)
        rules = read_model(folder.name, "endpoint-rule-set-1")
        found.update(_labels_of(rules) if rules is not None else ())
    return {name: {"models": sorted(models[name]), "labels": sorted(labels[name])} for name in sorted(models)}


def _labels_of(node: Any) -> set[str]:
    """The fixed DNS labels in every endpoint URL of a rule set."""
    if isinstance(node, list):
        return set().union(*(_labels_of(item) for item in node))
    if not isinstance(node, dict):
        return set()
    found = set().union(*(_labels_of(item) for item in node.values()))
    url = node.get("url")
    match = _URL.match(url) if isinstance(url, str) else None
    if match is not None:
        host = _PLACEHOLDER.sub("{}", match[1])
        fixed = [label for label in host.split(".") if "{" not in label]
        found.update(
            label for label in fixed if label not in _NO_SERVICE and ":" not in label and not _REGION.fullmatch(label)
        )
    return found


if __name__ == "__main__":
    _FILE.write_text(json.dumps(build(), indent=0, sort_keys=True) + "\n", encoding="utf-8")
