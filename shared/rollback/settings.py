"""The `rollback` section of a flock: when a deployment is taken back, how long it is watched, and by which checks.

A check is evaluated again and again while a deployment bakes, and at least once, whatever `bake_s` is. Each evaluation
is good, bad, without data, or an error (it could not be evaluated: no connection, a query that fails, a time-out).
`failures` bad ones in a row are the trigger. What no data and errors count as, each check says itself:

    breaching       bad
    ignore          nothing: neither good nor bad, and the row goes on
    not_breaching   no data is good; an error counts as nothing

A check that was never good by the end of the bake time, or that is bad then, has not passed, whatever its policy and
however many bad ones in a row it waits for: it is a trigger.
"""

from __future__ import annotations

import math
import re
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from shared.names import Label
from shared.record import Section

MAX_BAKE_S: Final = 24 * 3600
MAX_CHECKS: Final = 32
#: What a look may take beyond its `timeout_s`: a late answer is noticed, a command is killed and gone (10 s at most).
LOOK_GRACE_S: Final = 12
#: What a check may refer to (`places` puts it in); `$${` is a `${` that is meant for somebody else.
REFERENCE: Final = re.compile(
    r"\$\$\{|"
    r"\$\{(?P<name>flock\.name|target\.id|region\.name|region\.provider_region|output\.[A-Za-z_][A-Za-z0-9_-]{0,127})\}"
)


class Cause(StrEnum):
    """What a flock may name in `on`."""

    ERROR = "error"
    """The apply ended with an error; something that somebody else changed midway is one."""
    HALT = "halt"
    """The run did, or tried to do, what nobody approved."""
    LOST = "lost"
    """Its worker or its lease was lost: taken back instead of being tried again."""
    HEALTH = "health"
    """An `http` or `command` check failed."""
    ALARM = "alarm"
    """A `prometheus` or `cloudwatch` check failed."""


class Trigger(StrEnum):
    """Why a deployment is taken back."""

    APPLY_ERROR = "apply_error"
    HALTED = "halted"
    HEALTH = "health"
    ALARM = "alarm"
    PREPRODUCTION_TEST = "preproduction_test"
    """The flock is a test: each deployment is taken back when it is done."""
    PHASES_DONE = "phases_done"
    """A later phase of its roll-out failed."""
    OPERATOR = "operator"
    LOST = "lost"


class MissingData(StrEnum):
    """What it counts as when a check has no data, or cannot be evaluated."""

    BREACHING = "breaching"
    IGNORE = "ignore"
    NOT_BREACHING = "not_breaching"


def _references(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds something unprintable")
    if "${" in REFERENCE.sub("", text):
        raise ValueError(
            "a check refers to ${flock.name}, ${target.id}, ${region.name}, ${region.provider_region} or "
            "${output.NAME}, and to nothing else; $${ is a ${ that stays"
        )
    return text


def _url(text: str) -> str:
    check_url(REFERENCE.sub("x", text))
    return text


def check_url(text: str) -> None:
    """Raises ValueError for what a check may not ask: another scheme, no host, a password, a fragment."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"no URL: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("a URL begins with http:// or https://, and has a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL holds no user and no password: files are published")
    if parts.fragment or not text.isprintable() or " " in text:
        raise ValueError("a URL holds no fragment, no space and nothing unprintable")


Referring = Annotated[str, StringConstraints(min_length=1, max_length=4096), AfterValidator(_references)]
Url = Annotated[
    str, StringConstraints(min_length=1, max_length=2048), AfterValidator(_references), AfterValidator(_url)
]
Threshold = Annotated[float, Field(allow_inf_nan=False)]


class _Check(Section):
    #: The fields that may hold references.
    placeable: ClassVar[tuple[str, ...]]

    name: Label = Field(description="what it is called in results and notifications; each check has another")
    missing_data: Annotated[MissingData, Field(strict=False)] = Field(
        description="what no data and errors count as: breaching, ignore or not_breaching; there is no default"
    )
    every_s: int = Field(default=30, ge=1, le=3600, description="seconds from one evaluation's begin to the next")
    timeout_s: int = Field(default=10, ge=1, le=300, description="seconds after which an evaluation is an error")
    failures: int = Field(default=1, ge=1, le=100, description="bad evaluations in a row that are the trigger")


class HttpCheck(_Check):
    """A request. Good: the status is listed and the body holds the text; no answer in time: an error."""

    placeable: ClassVar[tuple[str, ...]] = ("url",)

    type: Literal["http"] = Field(description="a request to the service")
    url: Url = Field(description="what is asked; the operator of the workers lists the hosts that may be")
    method: Literal["GET", "HEAD"] = Field(default="GET", description="how")
    status: Annotated[
        tuple[Annotated[int, Field(ge=100, le=599)], ...], Field(strict=False, min_length=1, max_length=32)
    ] = Field(default=(200,), description="statuses that are good; redirections are not followed")
    contains: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = Field(
        default=None, description="text that the first MiB of the body has to hold"
    )

    @model_validator(mode="after")
    def _has_body(self) -> HttpCheck:
        if self.method == "HEAD" and self.contains is not None:
            raise ValueError("the answer to HEAD has no body that could hold anything: use GET")
        return self


class CommandCheck(_Check):
    """A command in the sandbox of the run, in the folder of the configuration. Good: exit code 0."""

    placeable: ClassVar[tuple[str, ...]] = ("command",)

    type: Literal["command"] = Field(description="a command")
    command: Annotated[tuple[Referring, ...], Field(strict=False, min_length=1, max_length=64)] = Field(
        description="program and arguments; no shell reads them"
    )


class PrometheusCheck(_Check):
    """An instant query. Bad: a value of its result is above or below; no series, or NaN: no data."""

    placeable: ClassVar[tuple[str, ...]] = ("url", "query")

    type: Literal["prometheus"] = Field(description="a query to Prometheus")
    url: Url = Field(description="the server, without /api/v1; its host is listed as for http")
    query: Referring = Field(description="PromQL; its result is a scalar or a vector")
    above: Threshold | None = Field(default=None, description="a value greater than this is bad")
    below: Threshold | None = Field(default=None, description="a value less than this is bad")

    @model_validator(mode="after")
    def _bounded(self) -> PrometheusCheck:
        if self.above is None and self.below is None:
            raise ValueError("say when a value is bad: `above`, `below`, or both")
        return self

    def bad(self, value: float) -> bool:
        """Whether a value is bad. NaN is no value: ask `math.isnan` first; it raises ValueError here."""
        if math.isnan(value):
            raise ValueError("NaN is no data")
        return (self.above is not None and value > self.above) or (self.below is not None and value < self.below)


class CloudwatchCheck(_Check):
    """CloudWatch alarms, metric or composite. Bad: one is in ALARM; INSUFFICIENT_DATA: no data; not there: an error."""

    placeable: ClassVar[tuple[str, ...]] = ("alarms", "region")

    type: Literal["cloudwatch"] = Field(description="alarms of CloudWatch")
    alarms: Annotated[
        tuple[Annotated[Referring, StringConstraints(max_length=255)], ...],
        Field(strict=False, min_length=1, max_length=100),
    ] = Field(description="their names")
    region: Referring | None = Field(default=None, description="the cloud's region; left out: the target's")


CheckSettings = Annotated[HttpCheck | CommandCheck | PrometheusCheck | CloudwatchCheck, Field(discriminator="type")]
#: Whose failure is a failed health check; that of the others is an alarm.
HEALTH_CHECKS: Final = (HttpCheck, CommandCheck)
#: Whose looks are at work in the sandbox, one after the other; those of the others wait for nobody.
IN_SANDBOX: Final = (CommandCheck, CloudwatchCheck)


def trigger_of(check: HttpCheck | CommandCheck | PrometheusCheck | CloudwatchCheck) -> Trigger:
    """Which trigger it is when this check fails."""
    return Trigger.HEALTH if isinstance(check, HEALTH_CHECKS) else Trigger.ALARM


class RollbackSettings(Section):
    """The `rollback` section of a flock. With it, what cannot be undone needs consent by name before it is applied."""

    on: Annotated[tuple[Annotated[Cause, Field(strict=False)], ...], Field(strict=False, max_length=16)] = Field(
        default=tuple(Cause), description="what takes a deployment back; left out: all of them"
    )
    bake_s: int = Field(
        default=0, ge=0, le=MAX_BAKE_S, description="seconds for which a target is watched after its apply, lease held"
    )
    checks: Annotated[tuple[CheckSettings, ...], Field(strict=False, max_length=MAX_CHECKS)] = Field(
        default=(), description="what is watched; each is evaluated at least once, also without bake time"
    )
    preproduction_test: bool = Field(
        default=False, description="a test: each deployment that held is taken back as well, when its bake time is over"
    )
    phases_done: bool = Field(
        default=False, description="whether a failed phase takes back the phases of its roll-out that were done"
    )
    recover: Literal["report", "auto"] = Field(
        default="report",
        description="what becomes of orphans of a run that was cut: a report, or a run that takes over",
    )

    @model_validator(mode="after")
    def _sensible(self) -> RollbackSettings:
        names = [check.name for check in self.checks]
        if double := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two checks are called {double}")
        for check in self.checks:
            cause = Cause(trigger_of(check).value)
            if cause not in self.on:
                raise ValueError(f"check {check.name} would change nothing: `on` does not list {cause.value}")
        return self

    @property
    def watched_s(self) -> int:
        """Seconds that watching a deployment takes at most: longer than `bake_s` where checks do not answer in time.

        A look may have begun just before the bake time is over; after it each check is looked at once more.
        """
        if not self.checks:
            return self.bake_s
        longest = max(check.timeout_s for check in self.checks) + LOOK_GRACE_S
        in_turn = sum(check.timeout_s + LOOK_GRACE_S for check in self.checks if isinstance(check, IN_SANDBOX))
        return self.bake_s + longest + max(longest, in_turn)

    def unwatched(self) -> Trigger | None:
        """Why a deployment is taken back that was applied and was not watched to its end; None: it may stay.

        A check that was not good at the end has not passed, whoever failed to look. A test is taken back anyhow.
        """
        if self.checks:
            return trigger_of(self.checks[0])
        return Trigger.PREPRODUCTION_TEST if self.preproduction_test else None

    def takes_back(self, trigger: Trigger) -> bool:
        """Whether this flock's deployments are taken back for it. An operator's wish always counts."""
        match trigger:
            case Trigger.OPERATOR:
                return True
            case Trigger.PREPRODUCTION_TEST:
                return self.preproduction_test
            case Trigger.PHASES_DONE:
                return self.phases_done
            case Trigger.APPLY_ERROR:
                return Cause.ERROR in self.on
            case Trigger.HALTED:
                return Cause.HALT in self.on
            case Trigger.LOST | Trigger.HEALTH | Trigger.ALARM:
                return Cause(trigger.value) in self.on
