"""Where a call may go: deny by default. Pure; the address check after name resolution is here too."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal
from urllib.parse import urlsplit

from shared.errors import ConfigurationError
from signing_proxy.denial import Denial, Reason
from signing_proxy.service_index import IndexedService

# Where clouds hand out credentials and identity to whoever asks.
METADATA = frozenset(
    {
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "100.100.100.200",
        "192.0.0.192",
        "metadata.google.internal",
        "metadata",
        "instance-data",
        "instance-data.ec2.internal",
    }
)
# Names below the clouds' own domains that belong to customers, who could log a signed request and use it: only an
# exact entry of the allow list opens them, never a wildcard.
_CUSTOMER_LABELS = frozenset(
    [
        "aos",
        "aoss",
        "cache",
        "cloudsearch",
        "compute",
        "compute-1",
        "docdb",
        "elb",
        "es",
        "execute-api",
        "kafka",
        "lambda-url",
        "memorydb",
        "mq",
        "neptune",
        "osis",
        "rds",
        "redshift",
    ]
)
_CLOUD_SUFFIXES = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".on.aws")
# What a translator turns into the IPv4 address in its last 32 bits (RFC 6052).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# What ipaddress calls global and is not: site-local (RFC 3879) and IPv4-compatible (RFC 4291 section 2.5.5.1).
_NOT_GLOBAL = (ipaddress.IPv6Network("fec0::/10"), ipaddress.IPv6Network("::/96"))
_REGION = re.compile(r"[a-z]{2,5}(-[a-z]+)+-\d{1,2}")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_-]{1,63})*")


class Kind(StrEnum):
    """What stands behind an allowed host."""

    CLOUD = "cloud"
    STATE = "state"


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """Where the bytes of an allowed call go."""

    kind: Kind
    """The cloud, or Interlock's own state backend."""
    scheme: Literal["http", "https"]
    """http only for an override or the state backend."""
    host: str
    """Name or address to dial."""
    port: int
    """TCP port."""
    overridden: bool
    """Whether configuration names this very address, which may then be private."""


class DestinationPolicy:
    """The allow list, the overrides, and the state host."""

    def __init__(
        self, *, allowed_hosts: tuple[str, ...], overrides: Mapping[str, str], state_host: str, api_url: str
    ) -> None:
        """Raises ConfigurationError for an override or API address that is no http(s) URL with a host."""
        self._allowed = tuple(pattern.lower() for pattern in allowed_hosts)
        self._state_host = state_host
        self._state = _parse(api_url, Kind.STATE)
        self._overrides = {pattern.lower(): _parse(url, Kind.CLOUD) for pattern, url in overrides.items()}

    def decide(self, host: str, port: int, scheme: str) -> Upstream | Denial:
        """Where a call to this host goes, or why it goes nowhere."""
        host = host.lower().rstrip(".")
        if host in METADATA:
            return Denial(reason=Reason.METADATA_ADDRESS, message=f"{host} is a metadata service; nobody gets there")
        address = parse_address(host)
        if address is not None:
            if str(address) in METADATA:
                return Denial(reason=Reason.METADATA_ADDRESS, message=f"{host} is a metadata service")
            if is_internal(str(address)):
                return Denial(reason=Reason.PRIVATE_ADDRESS, message=f"{host} is not a public address")
            return Denial(reason=Reason.HOST_NOT_ALLOWED, message=f"{host} is an address; only named hosts are served")
        if not _HOST.fullmatch(host) or not (host == self._state_host or self._is_allowed(host)):
            return Denial(
                reason=Reason.HOST_NOT_ALLOWED,
                message=f"{host[:128]} is not an allowed host; add it to INTERLOCK_ALLOWED_HOSTS if it should be",
            )
        if scheme != "https":
            return Denial(reason=Reason.PLAINTEXT, message=f"{host} must be called over https")
        if port != 443:
            return Denial(reason=Reason.PORT_NOT_ALLOWED, message=f"{host}:{port}: only port 443 is served")
        if host == self._state_host:
            return self._state
        for pattern, upstream in self._overrides.items():
            if matches(pattern, host):
                return upstream
        return Upstream(kind=Kind.CLOUD, scheme="https", host=host, port=443, overridden=False)

    def _is_allowed(self, host: str) -> bool:
        if host in self._allowed:
            return True
        # The first label is left out: rds.eu-west-1.amazonaws.com is the service, mydb.x.eu-west-1.rds… a customer.
        inner = host.split(".")[1:]
        if _CUSTOMER_LABELS.intersection(inner) or any(label.startswith("vpce-svc") for label in inner):
            return False
        return any(matches(pattern, host) for pattern in self._allowed)


def matches(pattern: str, host: str) -> bool:
    """Whether a host is the pattern, or below it where the pattern begins with ``*.``."""
    return host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:]) and len(host) > len(pattern) - 1)


def parse_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that a host is written as, IPv4 inside IPv6 unwrapped; None for a name."""
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        # inet_aton also takes 2852039166, 0xa9fea9fe and 169.254.43518: no public name looks like that.
        return (
            ipaddress.ip_address("0.0.0.0")
            if re.fullmatch(r"(0x[0-9a-f]+|\d+)(\.(0x[0-9a-f]+|\d+)){0,3}", host)
            else None
        )
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_internal(address: str) -> bool:
    """Whether a resolved address lies anywhere but on the public Internet."""
    parsed = parse_address(address)
    if parsed is None or not parsed.is_global or parsed.is_multicast or str(parsed) in METADATA:
        return True
    if not isinstance(parsed, ipaddress.IPv6Address):
        return False
    if parsed in _NAT64:
        return is_internal(str(ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)))
    return any(parsed in network for network in _NOT_GLOBAL)


def scope_problem(host: str, *, region: str, service: str, index: Mapping[str, IndexedService]) -> str | None:
    """Why a credential scope does not fit the host it is sent to; None where it does or where nothing is known.

    Hosts outside the cloud's own domains (an on-premises endpoint listed by name) can't be checked.
    """
    host = host.lower()
    suffix = next((suffix for suffix in _CLOUD_SUFFIXES if host.endswith(suffix)), None)
    if suffix is None:
        return None
    labels = host.removesuffix(suffix).split(".")
    regions = [label for label in labels if _REGION.fullmatch(label)]
    # A bucket may be called like a region; the endpoint's own region stands last.
    if regions and regions[-1] != region:
        return f"the signature is for region {region}, the host for {regions[-1]}"
    entry = index.get(service)
    if entry is None:
        return f"no service signs as {service}"
    legacy = service == "s3" and any(label.startswith("s3-") for label in labels)
    if not entry.labels.intersection(labels) and not legacy:
        return f"the signature is for {service}, which {host} is not a host of"
    return None


def _parse(url: str, kind: Kind) -> Upstream:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or port == -1 or parts.path not in ("", "/"):
        raise ConfigurationError(
            f"{url!r} is no usable upstream address", hint="Write it as http://host:port or https://host:port."
        )
    scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
    default = 443 if scheme == "https" else 80
    return Upstream(kind=kind, scheme=scheme, host=parts.hostname, port=port or default, overridden=True)
