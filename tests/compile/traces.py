"""From Terraform's log to a trace: which operations a resource type's create, update and delete called.

The provider logs every request with the type that it works for (TF_LOG_PROVIDER=DEBUG).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from signing_proxy.access import class_of
from signing_proxy.service_index import read_model, service_index

_BEGINNING = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z? *\[")
SENT = "HTTP Request Sent"
_FIELD = re.compile(r'(\S+?)=("(?:[^"\\]|\\.)*"|\S+)')
APPLYING = "ApplyResourceChange"

type Trace = dict[str, set[str]]


@cache
def signing_names() -> dict[tuple[str, str], str]:
    """(service id as the SDK logs it, operation) -> signing name."""
    found: dict[tuple[str, str], str] = {}
    for service, entry in service_index().items():
        for name in entry.models:
            model = read_model(name)
            assert model is not None, name
            for operation in model["operations"]:
                found[plain(model["metadata"]["serviceId"]), operation] = service
    return found


def plain(name: str) -> str:
    """A service's name without what its spellings differ in."""
    return name.replace(" ", "").replace("-", "").lower()


def records(lines: Iterable[str]) -> Iterator[str]:
    """The log's records; one goes over several lines where a value does."""
    record = ""
    for line in lines:
        if _BEGINNING.match(line):
            yield record
            record = ""
        record += line
    yield record


def trace_of(lines: Iterable[str]) -> Trace:
    """Resource type -> `service:Operation` of every call in an apply that changes something.

    Raises LookupError for a call that no model has.
    """
    found: Trace = {}
    for record in records(lines):
        if SENT not in record:
            continue
        entry = {name: text.strip('"') for name, text in _FIELD.findall(record)}
        kind = entry.get("tf_resource_type")
        if kind is None or entry.get("tf_rpc") != APPLYING:
            continue
        operation = entry["rpc.method"]
        service = signing_names().get((plain(entry["rpc.service"]), operation))
        if service is None:
            raise LookupError(f"{kind} called {entry['rpc.service']} {operation}, which no model has")
        if not class_of(service, operation).reads:
            found.setdefault(kind, set()).add(f"{service}:{operation}")
    return found
