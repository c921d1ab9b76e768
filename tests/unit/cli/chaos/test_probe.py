"""The harmless probe: it signs as every client does, calls what changes nothing, and ends by itself."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import certifi
from botocore.loaders import Loader

from cli.chaos.probe import OPERATION, probe_command
from tests.unit.cli.conftest import make_run


@contextmanager
def a_proxy() -> Iterator[tuple[str, list[str]]]:
    """Takes CONNECT and refuses it: enough to see whom the probe wants to reach."""
    wanted: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            wanted.append(self.path)
            self.send_error(403)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", wanted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_it_calls_through_the_runs_proxy_again_and_again_and_ends_by_itself() -> None:
    with a_proxy() as (url, wanted):
        environment = {
            "PATH": os.environ["PATH"],
            "HTTPS_PROXY": url,
            "SSL_CERT_FILE": certifi.where(),
            "AWS_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "placeholder",
            "AWS_SECRET_ACCESS_KEY": "placeholder",
        }
        done = subprocess.run(
            probe_command(1), env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr
    assert set(wanted) == {"sns.eu-west-1.amazonaws.com:443"}
    assert len(wanted) > 1


def test_its_operation_does_not_exist_so_that_the_cloud_does_nothing() -> None:
    known = Loader().load_service_model("sns", "service-2")["operations"]
    assert "ListTopics" in known
    assert OPERATION not in known


def test_a_run_takes_it_as_it_is() -> None:
    assert make_run(argv=probe_command(900.5)).argv[-1] == "900.5"
