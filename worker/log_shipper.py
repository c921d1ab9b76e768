"""Ships a run's log from its file to the API while the run goes on.

The provisioner writes to a file and never to a pipe: a supervisor that is stopped while it reads a pipe would block the
provisioner after 64 KiB. Shipping is best effort while the run lives (the file stays), and bounded at its end.
"""

from __future__ import annotations

import codecs
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from shared.clock import Clock
from shared.errors import ApiError, PeerError, Unavailable
from shared.log import log_event

CHUNK_BYTES = 64 * 1024
INTERVAL_S = 0.3
# What one run may put into the database; the rest stays in the worker's file, and the log says so.
MAX_SHIPPED_BYTES = 32 * 1024**2
LAST_SHIPMENT_MS = 10_000

_log = logging.getLogger(__name__)


class LogShipper:
    """A thread that follows one file."""

    def __init__(self, path: Path, send: Callable[[int, str], None], clock: Clock) -> None:
        """Prepare; `start` begins.

        Args:
            path: the log file; exists.
            send: takes the piece's offset (bytes of UTF-8 text sent so far) and the piece; raises Unavailable to be
                asked again with the same piece, ApiError when the API wants no more of it.
            clock: bounds the last shipment.
        """
        self._path = path
        self._send = send
        self._clock = clock
        self._ending = threading.Event()
        self._give_up_at_ms: int | None = None
        self._thread = threading.Thread(target=self._run, name="log-shipper", daemon=True)

    def start(self) -> None:
        """Begin to follow the file."""
        self._thread.start()

    def finish(self) -> None:
        """Ship what is left, within the bound, and end; may be called again."""
        if self._ending.is_set():
            return
        self._give_up_at_ms = self._clock.boot_ms() + LAST_SHIPMENT_MS
        self._ending.set()
        self._thread.join((LAST_SHIPMENT_MS + 15_000) / 1000)

    def _run(self) -> None:
        # Cut characters at the end of a chunk wait for their rest; bytes that are no UTF-8 at all are replaced.
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        offset = 0
        piece = ""
        with self._path.open("rb") as file:
            while True:
                ending = self._ending.is_set()
                if not piece:
                    data = file.read(CHUNK_BYTES)
                    # NUL is not storable as text in every database.
                    piece = decoder.decode(data, final=ending and not data).replace("\0", "\N{REPLACEMENT CHARACTER}")
                if not piece:
                    if ending:
                        return
                    self._ending.wait(INTERVAL_S)
                    continue
                if offset >= MAX_SHIPPED_BYTES:
                    self._try_send(offset, "\n[the rest of the log is only in the worker's file]\n")
                    return
                sent = self._try_send(offset, piece)
                if sent is None:
                    return
                if sent:
                    offset += len(piece.encode())
                    piece = ""
                elif self._given_up():
                    log_event(_log, "log_not_shipped", level=logging.WARNING, file=self._path, offset=offset)
                    return
                else:
                    self._ending.wait(INTERVAL_S) if not ending else threading.Event().wait(INTERVAL_S)

    def _given_up(self) -> bool:
        return self._give_up_at_ms is not None and self._clock.boot_ms() >= self._give_up_at_ms

    def _try_send(self, offset: int, piece: str) -> bool | None:
        """True: taken; False: try again; None: the API wants no more of this log."""
        try:
            self._send(offset, piece)
        except (Unavailable, PeerError):
            return False
        except ApiError as error:
            if error.status >= 500:
                return False
            log_event(_log, "log_refused", level=logging.WARNING, file=self._path, code=error.code)
            return None
        return True
