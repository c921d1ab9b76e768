"""Where a demo is played: a folder of its own, gone afterwards unless somebody has to read what is in it."""

import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType


@dataclass
class Home:
    """The folder of one demo, for as long as it is played."""

    path: Path
    """It."""
    finished: bool = False
    """Whether nobody wants to read the logs in it."""


@contextmanager
def home_of(name: str) -> Iterator[Home]:
    """A fresh folder for everything of the demo `name`, removed once that has `finished`, or a person has ended it."""
    home = Home(Path(tempfile.mkdtemp(prefix=f"interlock-{name}-")))
    try:
        with interrupted_by_sigterm():
            yield home
    except KeyboardInterrupt:
        home.finished = True
        raise
    finally:
        if home.finished:
            shutil.rmtree(home.path, ignore_errors=True)
        else:
            print(f"its logs are in {home.path / 'logs'}", file=sys.stderr)


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the demo as Ctrl-C does: with everything it started ended first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
