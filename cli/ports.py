"""TCP ports on this machine: is one free, and find one that is."""

from __future__ import annotations

import socket

from shared.errors import ConfigurationError

CONNECT_TIMEOUT_S = 2.0


def require_free(host: str, port: int, *, setting: str) -> None:
    """Refuse a port that something listens on, before anything is started.

    Raises ConfigurationError naming the port and `setting`, the option that chooses another.
    """
    try:
        with _bound(host, port):
            return
    except PermissionError:
        problem, remedy = "may not be bound by this user", f"choose a port above 1023 with {setting}"
    except socket.gaierror as error:
        problem, remedy = f"cannot be bound: {error.strerror}", "check the host name"
    except OSError as error:
        problem, remedy = (
            f"cannot be used: {error.strerror}",
            f"stop what listens there or choose another with {setting}",
        )
    raise ConfigurationError(f"port {port} on {host} {problem}", hint=remedy)


def find_free(host: str = "127.0.0.1") -> int:
    """A port that nothing listens on now. Another process may take it before it is used: the user of it must say so."""
    with _bound(host, 0) as listener:
        port: int = listener.getsockname()[1]
        return port


def is_listening(host: str, port: int) -> bool:
    """Whether a TCP connection to `host`:`port` is accepted within two seconds."""
    try:
        with socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S):
            return True
    except OSError:
        return False


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # As servers do: connections of a former server in TIME_WAIT do not occupy the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # Two sockets with SO_REUSEADDR may both bind; only one may listen.
        listener.listen(1)
    except BaseException:
        listener.close()
        raise
    return listener
