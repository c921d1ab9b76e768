"""One attempt by mail. Blocking, bounded in time and size: a watchdog ends the connection of a server that trickles.

A mail that the server took for some of its recipients counts as delivered, and the others are named: sending it again
would reach the first a second time.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import threading
from typing import Any, Final

from scheduler.notifications.bodies import email
from scheduler.notifications.destinations import Email
from scheduler.notifications.events import Event
from scheduler.notifications.http_sending import MAX_SAID, tls_context
from scheduler.notifications.redaction import one_line
from scheduler.notifications.retries import Attempt

#: From the connection's beginning to the server's acceptance.
TOTAL_S: Final = 20.0
#: For each step of it.
STEP_S: Final = 10.0
#: All that a server may say on one connection before we stop listening.
MAX_REPLIES_BYTES: Final = 65_536


def send_email(destination: Email, event: Event, *, name: str, total_s: float = TOTAL_S) -> Attempt:
    """Send the event once, as the destination `name`. Raises nothing."""
    part = destination.part
    bitten = threading.Event()
    server: smtplib.SMTP | None = None
    watchdog: threading.Timer | None = None
    try:
        mail = email(event, sender=part.sender, recipients=part.to, name=name)
        step_s = min(STEP_S, total_s)
        # Nothing is connected yet: the greeting is waited for under the watchdog, too.
        server = (
            _OverTls(timeout=step_s, context=tls_context(part.ca_file))
            if part.security == "tls"
            else _Plain(timeout=step_s)
        )
        # Python checks the certificate against this name.
        server._host = part.host  # type: ignore[attr-defined]  # set by the constructor only where it connects
        watchdog = threading.Timer(total_s, _end, (server, bitten))
        watchdog.daemon = True
        watchdog.start()
        server.connect(part.host, part.port)
        if part.security == "starttls":
            # Raises where the server does not offer it: nothing is ever sent in clear instead.
            server.starttls(context=tls_context(part.ca_file))
        if part.username is not None and destination.password is not None:
            server.login(part.username, destination.password)
        refused = server.send_message(mail)
        with contextlib.suppress(smtplib.SMTPException, OSError):
            # The mail was taken: how the farewell goes is of no concern.
            server.quit()
    except (smtplib.SMTPException, OSError, ValueError) as error:
        late = f", given up after {total_s:g} s" if bitten.is_set() else ""
        return Attempt(delivered=False, note=one_line(_said(error), MAX_SAID) + late)
    finally:
        if watchdog is not None:
            watchdog.cancel()
        if server is not None:
            server.close()
    return Attempt(delivered=True, note=one_line(f"refused for {', '.join(refused)}", MAX_SAID) if refused else "")


def _end(server: smtplib.SMTP, bitten: threading.Event) -> None:
    """Shut the connection down. Not close: that would not wake up a thread that waits in recv."""
    bitten.set()
    connection = server.sock
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "refused for " + ", ".join(f"{who} ({code})" for who, (code, _) in error.recipients.items())
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        return f"SMTP {error.smtp_code}: {text}"
    return f"{type(error).__name__}: {error}"


class _BoundedReplies:
    """The replies of a server, read line by line, to a bound."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = MAX_REPLIES_BYTES

    def readline(self, limit: int) -> bytes:
        line: bytes = self._file.readline(limit)
        self._left -= len(line)
        if self._left < 0:
            raise OSError("the server talks too much")
        return line

    def close(self) -> None:
        self._file.close()


class _Plain(smtplib.SMTP):
    """A client whose server cannot fill the memory: smtplib bounds a reply's lines, not their number."""

    file: Any = None

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _BoundedReplies(self.sock.makefile("rb"))
        return super().getreply()


class _OverTls(_Plain, smtplib.SMTP_SSL):
    """The same, over TLS from the first byte."""
