"""The program is assembled as it is meant. That the kernel takes and obeys it is shown by test_kernel_gate.py."""

from __future__ import annotations

import os
import platform
import struct

import pytest

from signing_proxy import bpf


def instructions(code: bytes) -> list[tuple[int, int, int, int, int]]:
    """(operation, destination, source, offset, number) of each."""
    return [(op, r & 15, r >> 4, off, n) for op, r, off, n in struct.iter_unpack("=BBhi", code)]


def test_labels_become_distances_and_take_no_room() -> None:
    code = bpf._assemble([(0x05, 0, 0, "end", 0), (0xB7, 0, 0, 0, 1), "end", (0x95, 0, 0, 0, 0)])
    assert instructions(code) == [(0x05, 0, 0, 1, 0), (0xB7, 0, 0, 0, 1), (0x95, 0, 0, 0, 0)]


def test_the_program_names_its_maps_and_never_jumps_backwards() -> None:
    steps = instructions(bpf._program(11, 22, 33))
    assert [number for op, _, source, _, number in steps if op == 0x18 and source == 1] == [11, 22, 33]
    assert min(offset for op, _, _, offset, _ in steps if op & 7 == 5) >= 0
    assert steps[-1][0] == 0x95


def test_the_program_ends_in_a_verdict_on_both_ways() -> None:
    steps = instructions(bpf._program(1, 2, 3))
    verdicts = [steps[index - 1][4] for index, step in enumerate(steps) if step[0] == 0x95]
    assert verdicts == [1, 0], "send, drop"


def test_an_unknown_machine_is_an_error_and_no_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "vax")
    with pytest.raises(OSError, match="vax"):
        bpf.Map("m", entries=1)


@pytest.fixture
def numbers() -> bpf.Map:
    return bpf.Map("ilk_test", entries=4)


@pytest.mark.debian
def test_a_map_keeps_numbers_and_says_what_is_missing_or_too_much(numbers: bpf.Map) -> None:
    numbers[1 << 40] = 7
    assert numbers[1 << 40] == 7
    numbers.discard(1 << 40)
    numbers.discard(1 << 40)
    with pytest.raises(FileNotFoundError):
        numbers[1 << 40]
    for key in range(4):
        numbers[key] = key
    with pytest.raises(OSError, match="Argument list too long"):
        numbers[4] = 4
    numbers.close()


@pytest.mark.debian
def test_a_closed_map_raises_and_does_not_touch_what_has_its_number_now(numbers: bpf.Map) -> None:
    fd = numbers.fd
    numbers.close()
    numbers.close()
    heir = bpf.Map("ilk_heir", entries=4)
    try:
        assert heir.fd == fd
        with pytest.raises(OSError, match="Bad file descriptor"):
            numbers[1] = 1
        with pytest.raises(FileNotFoundError):
            heir[1]
    finally:
        heir.close()


@pytest.mark.debian
def test_cgroups_can_be_looked_at_without_a_mount() -> None:
    fd = bpf.mount_cgroups()
    try:
        assert os.stat("cgroup.procs", dir_fd=fd)
    finally:
        os.close(fd)


@pytest.mark.debian
def test_a_program_that_the_kernel_refuses_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpf, "_program", lambda *maps: bpf._assemble([(0x95, 0, 0, 0, 0)]))
    maps = [bpf.Map("ilk_test", entries=1) for _ in range(3)]
    try:
        with pytest.raises(OSError, match="R0 !read_ok"):
            bpf.load_program(*maps)
    finally:
        for made in maps:
            made.close()
