"""Which class an operation belongs to; compiled from botocore's models, IAM's access levels and the service reference.

Pure. ``tests/compile/access.py`` makes the table and says how. What it doesn't hold has no class here, and what has no
class is a write.
"""

import gzip
import json
from enum import StrEnum
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("access.json.gz")


class OperationClass(StrEnum):
    """What an operation does, as far as that decides whether it is signed."""

    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    PERMISSION = "permission"
    """Changes who may do what."""
    SECRET_READ = "secret_read"  # noqa: S105 -- a label, no secret
    """Changes nothing, and answers with what its owner keeps secret."""
    DATA_READ = "data_read"
    """Reads what lies in a resource: an object, an item, a message."""
    DATA = "data"
    """Changes what lies in a resource, or makes it act."""
    UNKNOWN = "unknown"
    """No source knows it: a write, and within no bound."""

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self in _READS


_READS = frozenset({OperationClass.READ, OperationClass.SECRET_READ, OperationClass.DATA_READ})
# Secret only when the caller asks for the plain text.
_DECRYPTING = frozenset({"GetParameter", "GetParameters", "GetParametersByPath", "GetParameterHistory"})


@cache
def access_table() -> dict[str, dict[str, OperationClass]]:
    """The compiled table: signing name -> operation -> class."""
    raw: dict[str, dict[str, str]] = json.loads(gzip.decompress(_FILE.read_bytes()))["classes"]
    return {
        service: {name: OperationClass(kind) for kind, names in kinds.items() for name in names.split()}
        for service, kinds in raw.items()
    }


def class_of(service: str, operation: str, body: bytes = b"") -> OperationClass:
    """The class of an operation. ``body`` tells a secret parameter from a plain one."""
    known = access_table().get(service, {}).get(operation, OperationClass.UNKNOWN)
    if known is OperationClass.SECRET_READ and service == "ssm" and operation in _DECRYPTING:
        # A name can be written with escapes in JSON: then who knows.
        plain = b"WithDecryption" not in body and b"\\" not in body
        return OperationClass.READ if plain else known
    return known
