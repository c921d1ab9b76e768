"""What a run says that was halted at the wire, written and read in one place. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_SHOWN: Final = 6
_REASON: Final = re.compile(
    r"halted: (?P<call>\S+:(?P<operation>\S+?))(?: \((?P<names>.*)\))?(?: for (?P<address>\S.*?))? was refused: ",
    re.DOTALL,
)
#: How Terraform ends the message of an error: the address, then the place in the configuration.
_WITH: Final = re.compile(r"^[\s│]*with (?P<address>\S.{0,2047}),\s*\n[\s│]*on \S+ line \d+", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class RefusedCall:
    """A call that halted a run."""

    call: str
    """service:operation"""
    names: str
    """What it named; may be empty."""
    address: str | None
    """The resource that Terraform made it for, where Terraform said so."""


def at_the_wire(service: str, operation: str, resource: Mapping[str, str], why: str) -> str:
    """The reason of a run whose call the proxy refused."""
    names = ", ".join(f"{key}={value}" for key, value in list(resource.items())[:_SHOWN])
    return f"halted: {service}:{operation}" + (f" ({names})" if names else "") + f" was refused: {why}"


def with_address(reason: str, log: str) -> str:
    """The reason with the address that Terraform's own message about this call names; unchanged where there is none.

    The log is what the provisioner said. It is good for people and for nothing else.
    """
    found = _REASON.match(reason)
    if found is None:
        return reason
    for message in log.split("Error: ")[1:]:
        named = _WITH.search(message)
        if named is not None and found["operation"] in message[: named.start()]:
            return reason.replace(" was refused: ", f" for {named['address']} was refused: ", 1)
    return reason


def call_in(reason: str) -> RefusedCall | None:
    """The call; None for a run that was halted before its apply."""
    found = _REASON.match(reason)
    return (
        None if found is None else RefusedCall(call=found["call"], names=found["names"] or "", address=found["address"])
    )
