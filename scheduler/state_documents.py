"""What a Terraform state says about itself, and what may follow it. Pure."""

import hashlib
import json
from dataclasses import dataclass

from scheduler.problems import conflict, invalid
from shared.errors import ApiError

MAX_STATE_BYTES = 64 * 1024 * 1024
_MAX_SERIAL = 2**62


@dataclass(frozen=True, kw_only=True)
class StateIdentity:
    """What is known of a stored state without decrypting it."""

    serial: int
    """Its serial."""
    lineage: str
    """Its lineage."""
    digest: str
    """SHA-256 of its body, in hex."""


@dataclass(frozen=True, kw_only=True)
class StateDocument:
    """A state as it was sent, and the two fields that order states."""

    body: bytes
    """The document, byte for byte."""
    serial: int
    """Grows with every change."""
    lineage: str
    """The same for all states that descend from one another."""

    @property
    def digest(self) -> str:
        """SHA-256 of the body, in hex."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def identity(self) -> StateIdentity:
        """What decides about its place among others."""
        return StateIdentity(serial=self.serial, lineage=self.lineage, digest=self.digest)


def parse_state(body: bytes) -> StateDocument:
    """Read serial and lineage. Raises `ApiError` 400 for what is no Terraform state."""
    if len(body) > MAX_STATE_BYTES:
        raise invalid(f"a state of {len(body)} bytes", f"at most {MAX_STATE_BYTES} are kept; split the configuration")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise invalid("the state is not JSON", "send it as Terraform wrote it") from None
    serial = document.get("serial") if isinstance(document, dict) else None
    lineage = document.get("lineage") if isinstance(document, dict) else None
    if type(serial) is not int or not 0 <= serial <= _MAX_SERIAL:
        raise invalid("the state has no serial", "send it as Terraform wrote it")
    if not isinstance(lineage, str) or not 1 <= len(lineage) <= 128:
        raise invalid("the state has no lineage", "send it as Terraform wrote it")
    return StateDocument(body=body, serial=serial, lineage=lineage)


def refusal_to_follow(current: StateIdentity | None, new: StateIdentity) -> ApiError | None:
    """Why `new` may not follow `current`; None when it may, or is the very same document again."""
    if current is None or (current.serial == new.serial and current.digest == new.digest):
        return None
    if current.lineage != new.lineage:
        return conflict(
            "lineage_differs",
            f"the state has lineage {new.lineage}, but {current.lineage} is stored",
            "this is another state; pull the stored one before you change it",
        )
    if new.serial <= current.serial:
        return conflict(
            "serial_not_greater",
            f"the state has serial {new.serial}, but {current.serial} is stored already",
            "pull the stored state and apply again",
        )
    return None
