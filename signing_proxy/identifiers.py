"""What a call names: the identifiers that let a human, or the recovery after a cut, find the resource again.

Only names, ids, ARNs and URLs are kept, never values: no password, no policy text. Pure and bounded.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

MAX_ENTRIES = 20
MAX_NAME = 64
MAX_VALUE = 512
MAX_BODY_BYTES = 1 << 20
MAX_DEPTH = 6
MAX_FIELDS = 5000

_IDENTIFYING = re.compile(
    r"([A-Za-z0-9]*?)(Name|Id|Identifier|Arn|ARN|Url|URL|Bucket|Key|Alias|Protocol|Endpoint)", re.ASCII
)
#: The last lines: two subnets, two volumes, two rules of a security group, two routes differ in nothing else.
_PLAIN = frozenset(
    {"name", "id", "arn", "bucket", "key", "repositoryname", "loggroupname", "rule", "family"}
    | {"domain", "emailaddress", "identity", "scope"}
    | {"cidrblock", "availabilityzone"}
    | {"fromport", "toport", "cidripv4"}
    | {"destinationcidrblock", "destinationipv6cidrblock", "rulenumber", "egress"}
)
#: By the root of an XML request, what tells two of its kind apart and would tell nothing elsewhere: whether a record of
#: DNS is made or deleted, and which of those that share a name.
_OF_REQUEST = {"ChangeResourceRecordSetsRequest": frozenset({"action", "type"})}
_NUMBER = re.compile(r"\.\d+$")
_NEVER = re.compile(
    r"(?i)secret(access|string|binary)|password|token|requestid|hostid|accesskeyid|idempot|ownerid|callerref"
)


def request_identifiers(labels: Mapping[str, str], query: str, content_type: str, body: bytes) -> dict[str, str]:
    """The identifying parameters of a request: path labels first, then the query, then the body."""
    found = _Collector()
    for name, value in labels.items():
        found.add(name, value, always=True)
    for name, value in parse_qsl(query, max_num_fields=MAX_FIELDS):
        found.add(name, value)
    if len(body) <= MAX_BODY_BYTES:
        if content_type.startswith("application/x-www-form-urlencoded"):
            for name, value in parse_qsl(body.decode("utf-8", "replace"), max_num_fields=MAX_FIELDS):
                found.add(name, value)
        else:
            found.add_document(content_type, body)
    return found.entries


def response_identifiers(content_type: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """The identifiers that a response names: those of the resource just made, among others."""
    found = _Collector()
    location = headers.get("location")
    if location:
        found.add("Location", location, always=True)
    if len(body) <= MAX_BODY_BYTES:
        found.add_document(content_type, body)
    return found.entries


class _Collector:
    """Keeps the first MAX_ENTRIES identifiers; the first of a name wins."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    def add(self, name: str, value: str, *, always: bool = False) -> None:
        # A list's number is no name: `InstanceId.1` names an instance.
        leaf = _NUMBER.sub("", name).rpartition(".")[2]
        wanted = always or leaf.lower() in _PLAIN or _IDENTIFYING.fullmatch(leaf[:1].upper() + leaf[1:])
        if wanted and value and not _NEVER.search(leaf) and len(self.entries) < MAX_ENTRIES:
            self.entries.setdefault(name[:MAX_NAME], value[:MAX_VALUE])

    def add_document(self, content_type: str, body: bytes) -> None:
        stripped = body.lstrip()[:1]
        if "json" in content_type or stripped == b"{":
            try:
                document = json.loads(body)
            except (ValueError, RecursionError):
                return
            for name, value in _json_leaves(document, MAX_DEPTH):
                self.add(name, value)
            self._add_attribute(document)
        elif stripped == b"<":
            try:
                root = ElementTree.fromstring(body)  # noqa: S314 -- expat bounds entity expansion; body is bounded
            except ElementTree.ParseError:
                return
            more = _OF_REQUEST.get(_local(root), frozenset())
            for parent in _changed(root).iter():
                if _local(parent) == "ChangeInfo":
                    continue  # Route 53's number of the change is no name of what was changed
                for element in parent:
                    if len(element) == 0 and element.text:
                        name = _tag(element, parent)
                        self.add(name, element.text.strip(), always=name.lower() in more)

    def _add_attribute(self, document: Any) -> None:
        """Which attribute is set, where it is one: the query protocol calls it AttributeName, JSON has it as a key."""
        attributes = document.get("Attributes") if isinstance(document, dict) else None
        if isinstance(attributes, dict) and len(attributes) == 1:
            self.add("AttributeName", str(next(iter(attributes))))


def _tag(element: ElementTree.Element, parent: ElementTree.Element) -> str:
    """The element's name; an item of `flowLogIdSet` is a `flowLogId`."""
    name = _local(element)
    return _local(parent).removesuffix("Set") if name in ("item", "member") else name


def _changed(root: ElementTree.Element) -> ElementTree.Element:
    """Of a batch of changes to DNS the last one that makes a record; of any other document all of it."""
    if _local(root) != "ChangeResourceRecordSetsRequest":
        return root
    changes = [element for element in root.iter() if _local(element) == "Change"]
    making = [one for one in changes if not any(_local(it) == "Action" and it.text == "DELETE" for it in one)]
    return (making or changes or [root])[-1]


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _json_leaves(node: Any, depth: int) -> Iterator[tuple[str, str]]:
    """Scalars of a JSON document with their names, outermost first."""
    if depth == 0:
        return
    if isinstance(node, list):
        for item in node[:MAX_ENTRIES]:
            yield from _json_leaves(item, depth - 1)
    elif isinstance(node, dict):
        for name, value in node.items():
            if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
                yield str(name), str(value)
        for value in node.values():
            yield from _json_leaves(value, depth - 1)
