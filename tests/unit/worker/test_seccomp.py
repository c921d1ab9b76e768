"""The filter as a program; that the kernel takes it: tests/integration/test_sandbox_escapes.py."""

from __future__ import annotations

import errno
import struct

import pytest

from worker.seccomp import IO_URING, MACHINES, RLIMIT_CORE, SET_LEASE, filter_program

ALLOW = 0x7FFF0000
ERRNO = 0x00050000


def run(program: bytes, *, arch: int, number: int, argument: int = 0, second: int = 0, third: int = 0) -> int:
    """A tiny interpreter of classic BPF, as far as the filter uses it."""
    data = struct.pack(
        "=iIQ6Q", number if number < 2**31 else number - 2**32, arch, 0, argument, second, third, 0, 0, 0
    )
    accumulator = position = 0
    while True:
        code, if_true, if_false, operand = struct.unpack_from("=HBBI", program, position * 8)
        position += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, operand)
        elif code == 0x06:
            return int(operand)
        else:
            holds = accumulator == operand if code == 0x15 else accumulator >= operand
            position += if_true if holds else if_false


@pytest.mark.parametrize("machine", MACHINES)
class TestOnEachMachine:
    def test_ordinary_calls_pass(self, machine: str) -> None:
        program, names = filter_program(machine), MACHINES[machine]
        assert program is not None
        for number in set(range(500)) - {names.socket, *names.denied, *IO_URING}:
            assert run(program, arch=names.audit_arch, number=number) == ALLOW, number

    @pytest.mark.parametrize("family", [1, 2, 10, 16])
    def test_sockets_of_the_namespaces_pass(self, machine: str, family: int) -> None:
        program, names = filter_program(machine), MACHINES[machine]
        assert program is not None
        assert run(program, arch=names.audit_arch, number=names.socket, argument=family) == ALLOW

    @pytest.mark.parametrize("family", [0, 3, 17, 29, 38, 40, 44])
    def test_other_sockets_do_not(self, machine: str, family: int) -> None:
        program, names = filter_program(machine), MACHINES[machine]
        assert program is not None
        answer = run(program, arch=names.audit_arch, number=names.socket, argument=family)
        assert answer == ERRNO | errno.EAFNOSUPPORT

    def test_denied_calls_fail(self, machine: str) -> None:
        program, names = filter_program(machine), MACHINES[machine]
        assert program is not None
        for number in names.denied:
            assert run(program, arch=names.audit_arch, number=number) == ERRNO | errno.EPERM
        for number in IO_URING:
            assert run(program, arch=names.audit_arch, number=number) == ERRNO | errno.ENOSYS

    def test_a_file_lease_fails_and_every_other_use_of_fcntl_passes(self, machine: str) -> None:
        program, names = filter_program(machine), MACHINES[machine]
        assert program is not None
        refused = [
            second
            for second in range(2048)
            if run(program, arch=names.audit_arch, number=names.fcntl, second=second) != ALLOW
        ]
        assert refused == [SET_LEASE]

    def test_the_core_limit_is_read_but_not_set_and_every_other_limit_is_both(self, machine: str) -> None:
        program, names = filter_program(machine), MACHINES[machine]
        assert program is not None
        for limit in range(20):
            wanted = ERRNO | errno.EPERM if limit == RLIMIT_CORE else ALLOW
            assert run(program, arch=names.audit_arch, number=names.setrlimit, argument=limit) == wanted
            for pointer in (1, 1 << 32, 0x7FFC_1234_5678):
                answer = run(program, arch=names.audit_arch, number=names.prlimit, second=limit, third=pointer)
                assert answer == wanted
            assert run(program, arch=names.audit_arch, number=names.prlimit, second=limit) == ALLOW

    def test_another_table_of_calls_is_no_way_around(self, machine: str) -> None:
        program = filter_program(machine)
        assert program is not None
        assert run(program, arch=0x40000003, number=1) == ERRNO | errno.EPERM


def test_x32_is_no_way_around() -> None:
    program = filter_program("x86_64")
    assert program is not None
    names = MACHINES["x86_64"]
    number = 0x40000000 + names.socket
    assert run(program, arch=names.audit_arch, number=number, argument=40) == ERRNO | errno.ENOSYS


def test_an_unknown_machine_has_no_filter() -> None:
    assert filter_program("pdp11") is None
