"""What a person sees of the demo: what is happening, then a timeline and the verdict.

On a terminal a small live display; in a pipe a line for each thing that begins; with --json nothing at all.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from deploy.demo.fleet import boot_ms
from deploy.demo.verdict import Verdict

type Weight = Literal["plain", "strike", "cut", "good", "bad"]

_STYLES: dict[Weight, str] = {"plain": "", "strike": "bold red", "cut": "yellow", "good": "green", "bad": "bold red"}
REFRESH_PER_S = 4
SHOWN_LIVE = 8


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened."""

    at_ms: float
    """When, on the boot clock."""
    subject: str
    """To what: a target, a host, or nothing in particular."""
    text: str
    """What, in a sentence's words."""
    weight: Weight = "plain"
    """How much it matters to the eye."""


@dataclass(kw_only=True)
class Row:
    """Where one target stands; shown live."""

    lease: str = "free"
    """The lease's state."""
    epoch: int = 0
    """Its epoch."""
    calls: dict[int, int] = field(default_factory=dict)
    """Mutating calls that the cloud saw, by epoch."""


class Timeline:
    """Collects events and shows them as they come. Thread-safe; use it as a context manager."""

    def __init__(self, console: Console | None, *, started_ms: float, targets: Sequence[str]) -> None:
        """
        Args:
            console: where to; None: nowhere.
            started_ms: the instant that times are counted from.
            targets: shown as rows.
        """
        self._console = console
        self._started_ms = started_ms
        self._lock = threading.RLock()
        self._act = "starting"
        self.events: list[Event] = []
        self.rows = {target: Row() for target in targets}
        self._spinner = Spinner("dots")
        self._live: Live | None = None
        if console is not None and console.is_terminal:
            self._live = Live(
                get_renderable=self._picture, console=console, refresh_per_second=REFRESH_PER_S, transient=True
            )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def act(self, text: str) -> None:
        """What the demo is doing now."""
        with self._lock:
            self._act = text
            if self._console is not None and self._live is None:
                self._console.print(f"{seconds(boot_ms(), self._started_ms):>7}  {text} …", style="dim")

    def add(self, event: Event) -> None:
        """Something happened."""
        with self._lock:
            self.events.append(event)

    def lease(self, target: str, state: str, epoch: int) -> None:
        """A lease has changed; a late event of an older epoch is not shown."""
        with self._lock:
            row = self.rows.get(target)
            if row is not None and epoch >= row.epoch:
                row.lease, row.epoch = state, epoch

    def call(self, target: str | None, epoch: int | None) -> None:
        """The cloud saw a mutating call."""
        with self._lock:
            row = self.rows.get(target or "")
            if row is not None and epoch is not None:
                row.calls[epoch] = row.calls.get(epoch, 0) + 1

    def finish(self, verdict: Verdict) -> None:
        """The timeline in order, and the verdict."""
        if self._console is None:
            return
        self._console.print()
        self._console.print(timeline_table(self.events, self._started_ms))
        self._console.print(verdict_table(verdict))
        for reason in verdict.reasons:
            self._console.print(Text(f"  not kept: {reason}", style=_STYLES["bad"]))
        word, style = ("PASSED", "bold green") if verdict.passed else ("FAILED", "bold red")
        self._console.print(Text(f"\n{word}", style=style))

    def _line(self, event: Event) -> Text:
        line = Text(f"{seconds(event.at_ms, self._started_ms):>7}  ", style="dim")
        line.append(f"{event.subject:<10} ", style="bold")
        line.append(event.text, style=_STYLES[event.weight])
        return line

    def _picture(self) -> Group:
        with self._lock:
            self._spinner.update(text=self._act)
            table = Table(box=None, padding=(0, 2))
            for heading in ("target", "lease", "epoch", "mutating calls, by epoch"):
                table.add_column(heading, style="dim", header_style="dim")
            for target, row in self.rows.items():
                calls = "  ".join(f"{epoch}: {count}" for epoch, count in sorted(row.calls.items()))
                table.add_row(target, row.lease, str(row.epoch or "-"), calls)
            latest = sorted(self.events, key=lambda event: event.at_ms)[-SHOWN_LIVE:]
            return Group(self._spinner, table, Text(), *(self._line(event) for event in latest))


def seconds(at_ms: float, started_ms: float) -> str:
    """An instant as seconds since the start, to the hundredth."""
    return f"{(at_ms - started_ms) / 1000:.2f}"


def timeline_table(events: Sequence[Event], started_ms: float) -> Table:
    """All events in the order in which they happened."""
    table = Table(title="What happened", title_justify="left", box=None, padding=(0, 2), show_edge=False)
    table.add_column("s", justify="right", style="dim")
    table.add_column("", style="bold")
    table.add_column("")
    for event in sorted(events, key=lambda event: event.at_ms):
        table.add_row(seconds(event.at_ms, started_ms), event.subject, Text(event.text, style=_STYLES[event.weight]))
    return table


def verdict_table(verdict: Verdict) -> Table:
    """The verdict's numbers with what each means."""
    table = Table(title="\nWhat the cloud's own log says", title_justify="left", box=None, padding=(0, 2))
    table.add_column("", style="bold")
    table.add_column("", justify="right")
    table.add_column("", style="dim")
    orphans = ", ".join(verdict.orphans)
    for name, value, meaning in (
        ("overlaps", verdict.overlaps, "mutating calls of an older epoch after one of a newer"),
        ("after_cut", verdict.after_cut, "calls that arrived for a lease that had ended"),
        ("converged", "yes" if verdict.converged else "no", "a fresh plan of every target is empty"),
        ("orphans", len(verdict.orphans), orphans or "everything in the cloud is in a state"),
        ("grant_after_kill_s", _number(verdict.grant_after_kill_s), "from SIGKILL to the next epoch"),
        ("grant_after_freeze_s", _number(verdict.grant_after_freeze_s), "from SIGSTOP to the next epoch"),
        ("arrivals", verdict.arrivals, f"calls that the cloud saw; {verdict.rejected} with a wrong signature"),
        ("provider", "", verdict.provider),
    ):
        table.add_row(name, str(value), meaning)
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
