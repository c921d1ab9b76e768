"""The API's process."""

import errno
import signal
import socket
from types import FrameType

import uvicorn

from scheduler.api.app import create_app
from scheduler.assembly import build_context, close_context
from scheduler.dispatch import hint_again
from shared.errors import ConfigurationError
from shared.log import configure_logging
from shared.settings import Settings

#: After a signal, requests under way have this long, in seconds.
SHUTDOWN_S = 10


def run_api(settings: Settings) -> None:
    """Serve the API until SIGTERM or SIGINT.

    Raises `ConfigurationError` for a port in use, and as `build_context` does.
    """
    configure_logging(settings.log_level, component="server")
    # Bound before anything is made: a second server must fail at once and change nothing.
    listener = bind(settings.api_host, settings.api_port)
    try:
        context = build_context(settings)
        try:
            hint_again(context)
            config = uvicorn.Config(
                create_app(settings, context=context),
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=SHUTDOWN_S,
                server_header=False,
            )
            # uvicorn stops on these signals and then raises them again, for handlers that were there before it.
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, _already_stopped)
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            close_context(context)
    finally:
        listener.close()


def _already_stopped(_signal: int, _frame: FrameType | None) -> None:
    """The signal has been obeyed when uvicorn passes it on."""


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the address. Raises `ConfigurationError` when that is impossible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        what = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be bound: {error.strerror}"
        raise ConfigurationError(
            f"{host}:{port} {what}", hint="stop what listens there, or set INTERLOCK_API_PORT to a free port"
        ) from error
    return listener
