"""The operator's file of destinations: where notifications go, and which. Read and checked once, when beat starts.

Only what stands in this file is ever called: an event names no address, and redirects are not followed. Secrets stand
in files of their own or in the environment, never here and never in the database.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.headerregistry import Address
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator, model_validator

from scheduler.configuration.documents import read_document
from scheduler.notifications.events import Event, Kind
from scheduler.notifications.signature import decode_secret
from scheduler.private_files import read_private
from shared.errors import ConfigurationError
from shared.models import Label
from shared.notifications import DestinationName
from shared.record import Record

MAX_DESTINATIONS: Final = 32
MAX_ROUTES: Final = 256
MAX_SECRET_CHARS: Final = 8192
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_PAGE: Final = "docs/notifications.md shows what may stand there"

HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$")]
MailAddress = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,252}$")
]


class SecretSource(Record):
    """Where a secret stands: in a file that only its owner may read, or in a variable of beat's environment."""

    file: Path | None = Field(default=None, description="its whole content, without the spaces around it")
    env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="a variable of beat's")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.file is None) == (self.env is None):
            raise ValueError("give either file or env")
        return self


class WebhookPart(Record):
    """A receiver of signed JSON."""

    url: str = Field(max_length=2048, description="https://…; http:// on this machine only")
    secret: SecretSource = Field(description="whsec_ and base64 of 24 to 64 random bytes")
    old_secret: SecretSource | None = Field(default=None, description="signed with as well, until all receivers know")
    ca_file: Path | None = Field(default=None, description="certificates to trust instead of the well-known ones")

    @field_validator("url")
    @classmethod
    def _safe(cls, value: str) -> str:
        return checked_url(value)


class SlackPart(Record):
    """An incoming webhook of Slack, or of what is compatible with it. Its address is the secret."""

    url: SecretSource = Field(description="where the address stands")
    ca_file: Path | None = Field(default=None, description="certificates to trust instead of the well-known ones")


class EmailPart(Record):
    """A mail server that relays for us."""

    host: HostName = Field(description="the mail server")
    port: int = Field(ge=1, le=65535, description="587 for STARTTLS, 465 for TLS")
    security: Literal["starttls", "tls", "none"] = Field(default="starttls", description="none: this machine only")
    sender: MailAddress = Field(alias="from", description="whose mails they are")
    to: tuple[MailAddress, ...] = Field(min_length=1, max_length=20, description="who gets them")
    username: str | None = Field(default=None, max_length=256, description="whom to log in as")
    password: SecretSource | None = Field(default=None, description="that user's password")
    ca_file: Path | None = Field(default=None, description="certificates to trust instead of the well-known ones")

    @field_validator("sender", "to")
    @classmethod
    def _addresses(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for one in (value,) if isinstance(value, str) else value:
            try:
                Address(addr_spec=one)
            except (ValueError, IndexError):
                raise ValueError(f"{one} is no mail address") from None
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("give username and password, or neither")
        if self.security == "none" and self.host not in _LOOPBACK:
            raise ValueError("security none is for a mail server on this machine; use starttls or tls")
        if self.security == "none" and self.password is not None:
            raise ValueError("a password is not sent without TLS; use starttls or tls")
        return self


class DestinationPart(Record):
    """One destination: exactly one of the three."""

    webhook: WebhookPart | None = None
    slack: SlackPart | None = None
    email: EmailPart | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(part is not None for part in (self.webhook, self.slack, self.email)) != 1:
            raise ValueError("give exactly one of webhook, slack and email")
        return self


class RoutePart(Record):
    """Which events go where. All routes that fit count."""

    to: tuple[DestinationName, ...] = Field(min_length=1, max_length=MAX_DESTINATIONS, description="destinations")
    kinds: tuple[Kind, ...] = Field(default=(), max_length=len(Kind), description="left out: all")
    flocks: tuple[Label, ...] = Field(default=(), max_length=1000, description="left out: all")

    @field_validator("kinds")
    @classmethod
    def _real(cls, value: tuple[Kind, ...]) -> tuple[Kind, ...]:
        if Kind.TEST in value:
            raise ValueError("a test goes where `interlock notify test` says")
        return value


class NotificationsFile(Record):
    """The whole file."""

    destinations: dict[DestinationName, DestinationPart] = Field(min_length=1, max_length=MAX_DESTINATIONS)
    routes: tuple[RoutePart, ...] = Field(min_length=1, max_length=MAX_ROUTES)

    @model_validator(mode="after")
    def _connected(self) -> Self:
        named = {name for route in self.routes for name in route.to}
        if unknown := sorted(named - self.destinations.keys()):
            raise ValueError(f"a route leads to {', '.join(unknown)}, which is no destination")
        if unused := sorted(self.destinations.keys() - named):
            raise ValueError(f"no route leads to {', '.join(unused)}")
        return self


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """A webhook with its keys."""

    url: str
    """Where to."""
    keys: tuple[bytes, ...] = field(repr=False)
    """What to sign with."""
    ca_file: Path | None
    """Whom to trust."""


@dataclass(frozen=True, kw_only=True)
class Slack:
    """An incoming webhook of Slack."""

    url: str = field(repr=False)
    """Where to; secret."""
    ca_file: Path | None
    """Whom to trust."""


@dataclass(frozen=True, kw_only=True)
class Email:
    """A mail server."""

    part: EmailPart
    """What the file says."""
    password: str | None = field(repr=False)
    """The user's password."""


type Destination = Webhook | Slack | Email


@dataclass(frozen=True, kw_only=True)
class Directory:
    """All destinations and the way to them."""

    destinations: Mapping[str, Destination]
    """By name."""
    routes: tuple[RoutePart, ...]
    """In the file's order."""

    def names_for(self, event: Event) -> tuple[str, ...]:
        """Where an event goes: each destination once, in the order of their names."""
        return tuple(
            sorted(
                {
                    name
                    for route in self.routes
                    if (not route.kinds or event.kind in route.kinds)
                    and (not route.flocks or event.flock in route.flocks)
                    for name in route.to
                }
            )
        )


def load_directory(path: Path, environ: Mapping[str, str] = os.environ) -> Directory:
    """Read the file and every secret that it names.

    Raises ConfigurationError, which names file, line and what to do, and quotes no secret.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {path}: {error.strerror}", hint="correct or unset INTERLOCK_NOTIFICATIONS"
        ) from error
    document, findings = read_document(content, str(path), NotificationsFile)
    if document is None:
        places = "; ".join(f"line {one.origin.line}: {one.message}" for one in findings)
        raise ConfigurationError(f"{path}: {places}", hint=_PAGE)
    loaded = {}
    for name, part in document.model.destinations.items():
        try:
            loaded[name] = _loaded(part, path.parent, environ)
        except ValueError as error:
            raise ConfigurationError(f"{path}: destinations.{name}.{error}", hint=_PAGE) from None
    return Directory(destinations=loaded, routes=document.model.routes)


def _loaded(part: DestinationPart, folder: Path, environ: Mapping[str, str]) -> Destination:
    """The destination with its secrets. Raises ValueError that begins with the key at fault."""
    if part.webhook is not None:
        sources = [("secret", part.webhook.secret), ("old_secret", part.webhook.old_secret)]
        keys = []
        for key, source in sources:
            if source is not None:
                secret = _secret(source, f"webhook.{key}", folder, environ)
                try:
                    keys.append(decode_secret(secret))
                except ValueError as error:
                    raise ValueError(f"webhook.{key}: the secret {error}") from None
        return Webhook(url=part.webhook.url, keys=tuple(keys), ca_file=_ca(part.webhook.ca_file, "webhook", folder))
    if part.slack is not None:
        url = _secret(part.slack.url, "slack.url", folder, environ)
        try:
            checked_url(url)
        except ValueError as error:
            raise ValueError(f"slack.url: the address {error}") from None
        return Slack(url=url, ca_file=_ca(part.slack.ca_file, "slack", folder))
    assert part.email is not None
    ca_file = _ca(part.email.ca_file, "email", folder)
    source = part.email.password
    password = None if source is None else _secret(source, "email.password", folder, environ)
    return Email(part=part.email.model_copy(update={"ca_file": ca_file}), password=password)


def _secret(source: SecretSource, where: str, folder: Path, environ: Mapping[str, str]) -> str:
    text: str | None
    if source.env is not None:
        text, origin = environ.get(source.env), f"the variable {source.env}"
    else:
        path = folder / Path(source.file or "").expanduser()
        text, origin = read_private(path), f"the file {path}"
    if text is None:
        raise ValueError(f"{where}: {origin} does not exist")
    text = text.strip()
    if not text or len(text) > MAX_SECRET_CHARS or not text.isprintable():
        raise ValueError(f"{where}: {origin} is empty, or holds more than one line of text")
    return text


def _ca(path: Path | None, where: str, folder: Path) -> Path | None:
    if path is None:
        return None
    found = folder / path.expanduser()
    if not found.is_file():
        raise ValueError(f"{where}.ca_file: {found} does not exist")
    return found


def checked_url(value: str) -> str:
    """`value` where it may be called. Raises ValueError, which does not quote it."""
    parts = urlsplit(value)
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("has a port that is no number between 0 and 65535") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("must begin with https:// and a host")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("must begin with https://; http:// is for this machine only")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user or password")
    if parts.fragment or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("must hold neither a fragment nor spaces or special characters")
    return value
