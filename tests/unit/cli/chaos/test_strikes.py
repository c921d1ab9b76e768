"""Blows as command lines: what is shown is what is done, and each that lasts has its remedy."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from cli.chaos.strikes import Address, Strike, fill, from_commands, partition, shown, signals, words_of
from shared.errors import ConfigurationError

VALUES = {"node": "web-1", "role": "worker", "scenario": "freeze-worker", "target": "shop.eu", "run": "run-1"}


def test_a_kill_has_no_remedy_and_a_freeze_has() -> None:
    assert signals([2**22 + 1], kill=True, what="the worker").remedy is None
    assert signals([2**22 + 1], kill=False, what="the worker").remedy is not None


def run(words: tuple[str, ...]) -> int:
    return subprocess.run(words, check=False).returncode


def test_a_freeze_stops_every_process_and_its_remedy_lets_them_go_on() -> None:
    children = [subprocess.Popen(["sleep", "600"]) for _ in range(2)]
    try:
        strike = signals([child.pid for child in children], kill=False, what="two")
        assert run(strike.blow) == 0
        for child in children:
            assert os.WIFSTOPPED(os.waitpid(child.pid, os.WUNTRACED)[1])
        assert strike.remedy is not None
        assert run(strike.remedy) == 0
        for child in children:
            assert os.WIFCONTINUED(os.waitpid(child.pid, os.WCONTINUED)[1])
    finally:
        for child in children:
            child.kill()
            child.wait()


def test_a_process_that_is_gone_is_no_failure_and_the_others_are_struck() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    child = subprocess.Popen(["sleep", "600"])
    assert run(signals([gone.pid, child.pid], kill=True, what="both").blow) == 0
    assert child.wait() == -signal.SIGKILL


def test_a_partition_drops_both_ways_and_ends_by_itself() -> None:
    addresses = [Address(host="10.0.0.1", port=6379), Address(host="fd00::1", port=8420)]
    strike = partition(addresses, hold_s=20.5)
    program, rules = strike.blow
    assert program == "nft"
    assert "elements = { 10.0.0.1 . 6379 timeout 50s }" in rules
    assert "elements = { fd00::1 . 8420 timeout 50s }" in rules
    for word in ("ip daddr . tcp dport", "ip saddr . tcp sport", "ip6 daddr . tcp dport", "ip6 saddr . tcp sport"):
        assert word in rules
    assert strike.remedy == ("nft", "add table inet interlock_chaos; delete table inet interlock_chaos")


def test_a_partition_from_one_family_names_no_set_of_the_other() -> None:
    assert "ip6" not in partition([Address(host="10.0.0.1", port=1)], hold_s=1).blow[1]


def test_the_users_commands_get_their_placeholders_filled_in() -> None:
    strike = from_commands(words_of("ssh {node} kill -STOP {role}"), words_of("ssh {node} 'heal {run}'"), VALUES)
    assert strike == Strike(
        what="ssh web-1 kill -STOP worker",
        blow=("ssh", "web-1", "kill", "-STOP", "worker"),
        remedy=("ssh", "web-1", "heal run-1"),
    )


def test_a_value_stays_one_word_whatever_it_holds() -> None:
    assert fill(("ssh", "{node}"), {"node": "a b; rm"}) == ("ssh", "a b; rm")
    assert shown(fill(("ssh", "{node}"), {"node": "a b; rm"})) == "ssh 'a b; rm'"


def test_a_value_that_is_not_known_yet_is_left_as_it_stands() -> None:
    assert fill(("ssh", "{node}", "{target}"), {"target": "shop.eu"}) == ("ssh", "{node}", "shop.eu")


def test_a_placeholder_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"unknown placeholder \{host\}"):
        fill(("ssh", "{host}"), VALUES)


@pytest.mark.parametrize("command", ["", "ssh 'web", []])
def test_what_is_no_command_is_refused(command: str | list[str]) -> None:
    with pytest.raises(ConfigurationError):
        words_of(command)
