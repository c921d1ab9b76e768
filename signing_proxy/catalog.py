"""The operations of the AWS services, found by target, action, or method and path, from botocore's models.

A model is read when a service is first called, in a thread, and kept. What no model knows has no name here, and the
classification then treats it as a write.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_plus

from signing_proxy.service_index import read_model, service_index

_MAX_QUERY_FIELDS = 1000
_LABEL = re.compile(r"\{([A-Za-z0-9_-]+)(\+?)\}")


@dataclass(frozen=True, kw_only=True)
class Route:
    """One operation of a REST service."""

    operation: str
    """Its name."""
    method: str
    """HTTP method."""
    pattern: re.Pattern[str]
    """The path, one named group a label."""
    literals: int
    """Characters of the path that are fixed: the more, the more specific."""
    query: Mapping[str, str | None]
    """Query parameters that must be there; with a value, that value."""
    headers: frozenset[str]
    """Headers that must be there, in lower case."""
    labels: Mapping[str, str]
    """Group name of the pattern -> the label's name in the model."""
    lists: frozenset[str] = frozenset()
    """Those of the query parameters that may be there more than once."""
    first: str | None = None
    """The path's first step, where it is fixed."""
    rank: int = 0
    """Place among the service's routes, the most specific first."""


@dataclass(frozen=True, kw_only=True)
class ServiceModel:
    """One API model."""

    name: str
    """botocore's name of the model."""
    endpoint: str
    """What its hosts begin with, or hold behind an account or bucket: sqs, s3-control, models.lex …"""
    protocol: str
    """query, ec2, json, rest-json, rest-xml or smithy-rpc-v2-cbor."""
    protocols: frozenset[str]
    """Every protocol that the service reads, this one among them."""
    target_prefix: str
    """What stands before the operation in X-Amz-Target and in the path of rpc-v2-cbor; empty where there are none."""
    operations: frozenset[str]
    """Every operation by name."""
    routes: tuple[Route, ...]
    """For REST services, most specific first."""
    index: Mapping[tuple[str, str | None, str | None], tuple[Route, ...]]
    """The same by method, first step of the path and a query parameter that must be there."""

    selectors: Mapping[str, bool]
    """Query parameters that tell operations apart, and whether one may be there only once."""

    def serves(self, host: str) -> bool:
        """Whether the host names this model's endpoint."""
        return host.startswith(f"{self.endpoint}.") or f".{self.endpoint}." in host

    def ambiguous(self, query: str) -> bool:
        """Whether a service could find another operation than ``match``: a selector is there twice, or encoded."""
        seen: set[str] = set()
        for part in query.split("&") if query else ():
            written = part.partition("=")[0]
            name = unquote_plus(written)
            once = self.selectors.get(name)
            if once is None:
                continue
            if written != name or (once and name in seen):
                return True
            seen.add(name)
        return False

    def match(
        self, method: str, path: str, query: str, headers: Mapping[str, str]
    ) -> tuple[str, dict[str, str]] | None:
        """The operation that a REST request means, with its path labels; None where none fits."""
        try:
            given = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)) if query else {}
        except ValueError:
            return None  # what is not looked through is not known
        first = path[1:].partition("/")[0]
        candidates = [
            route
            for parameter in (None, *given)
            for step in (first, None)
            for route in self.index.get((method, step, parameter), ())
        ]
        candidates.sort(key=_rank)
        for route in candidates:
            if not route.headers <= headers.keys():
                continue
            if any(name not in given or (value and given[name] != value) for name, value in route.query.items()):
                continue
            match = route.pattern.fullmatch(path)
            if match is not None:
                found = {route.labels[group]: unquote(value) for group, value in match.groupdict().items()}
                return route.operation, found
        return None


class ServiceCatalog:
    """Loads and keeps service models; safe to share between connections of one event loop."""

    def __init__(self) -> None:
        self._models: dict[str, tuple[ServiceModel, ...]] = {}

    async def models(self, signing_name: str) -> tuple[ServiceModel, ...]:
        """Every model that signs with this name; empty for a service that nobody knows."""
        if signing_name not in self._models:
            entry = service_index().get(signing_name)
            names = entry.models if entry is not None else ()
            loaded = [await asyncio.to_thread(load_model, name) for name in names]
            if not loaded:
                return ()  # an unknown name is not kept: clients choose names, and the table must stay bounded
            self._models[signing_name] = tuple(loaded)
        return self._models[signing_name]


def load_model(name: str) -> ServiceModel:
    """Read one of botocore's models. Blocks. Raises LookupError where botocore has none of that name."""
    raw = read_model(name)
    if raw is None:
        raise LookupError(f"botocore has no API model {name!r}")
    protocol: str = raw["metadata"]["protocol"]
    operations: Mapping[str, Any] = raw["operations"]
    routes: list[Route] = []
    if protocol.startswith("rest-"):
        routes = [_route(operation, spec, raw["shapes"]) for operation, spec in operations.items()]
        # Of two names for one request, the one that is not deprecated.
        routes.sort(
            key=lambda route: (
                -route.literals,
                -len(route.query),
                -len(route.headers),
                bool(operations[route.operation].get("deprecated")),
                route.operation,
            )
        )
        routes = [replace(route, rank=rank) for rank, route in enumerate(routes)]
    index: dict[tuple[str, str | None, str | None], list[Route]] = {}
    for route in routes:
        index.setdefault((route.method, route.first, min(route.query, default=None)), []).append(route)
    selectors: dict[str, bool] = {}
    for route in routes:
        for parameter in route.query:
            selectors[parameter] = selectors.get(parameter, False) or parameter not in route.lists
    return ServiceModel(
        name=name,
        endpoint=raw["metadata"]["endpointPrefix"],
        protocol=protocol,
        protocols=_protocols(raw["metadata"]),
        target_prefix=raw["metadata"].get("targetPrefix", ""),
        operations=frozenset(operations),
        routes=tuple(routes),
        selectors=selectors,
        index={key: tuple(found) for key, found in index.items()},
    )


def _protocols(metadata: Mapping[str, Any]) -> frozenset[str]:
    # A service that has moved on from the Query protocol still reads it.
    moved = ("query",) if "awsQueryCompatible" in metadata else ()
    return frozenset((*metadata.get("protocols", ()), metadata["protocol"], *moved))


def _rank(route: Route) -> int:
    return route.rank


def _route(operation: str, spec: Mapping[str, Any], shapes: Mapping[str, Any]) -> Route:
    uri, _, fixed_query = spec["http"]["requestUri"].partition("?")
    query: dict[str, str | None] = {}
    for part in filter(None, fixed_query.split("&")):
        name, _, value = part.partition("=")
        query[name] = value or None
    headers: set[str] = set()
    lists: set[str] = set()
    shape = shapes[spec["input"]["shape"]] if "input" in spec else {}
    for member in shape.get("required", ()):
        location = shape["members"][member].get("location")
        wire_name = shape["members"][member].get("locationName", member)
        if location == "querystring":
            query[wire_name] = None
            if shapes[shape["members"][member]["shape"]]["type"] == "list":
                lists.add(wire_name)
        elif location == "header":
            headers.add(wire_name.lower())
    pattern, literals, labels, position = "", 0, {}, 0
    for index, label in enumerate(_LABEL.finditer(uri)):
        fixed = uri[position : label.start()]
        group = f"label{index}"
        labels[group] = label[1]
        pattern += re.escape(fixed) + (f"(?P<{group}>.+)" if label[2] else f"(?P<{group}>[^/]+)")
        literals += len(fixed)
        position = label.end()
    pattern += re.escape(uri[position:].rstrip("/")) + "/?"
    literals += len(uri) - position
    return Route(
        operation=operation,
        method=spec["http"]["method"],
        pattern=re.compile(pattern),
        literals=literals,
        query=query,
        headers=frozenset(headers),
        lists=frozenset(lists),
        labels=labels,
        first=None if "{" in (step := uri[1:].partition("/")[0]) else step,
    )
