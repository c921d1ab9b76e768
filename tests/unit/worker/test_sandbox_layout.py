"""What is bound into a sandbox, read off the command line."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

from worker.sandbox_layout import Bind, Layout, PythonRuntime, bwrap_argv, python_runtime, shim_argv, write_etc


def words(*binds: Bind, seccomp_fd: int | None = 9) -> list[str]:
    layout = Layout(
        work=Path("/home/x/work"),
        shim=Path("/src/shim.py"),
        python=PythonRuntime(
            executable="/opt/py/bin/python3",
            binds=(Bind(source=Path("/opt/py"), target="/opt/py"),),
            masked=("/opt/py/site-packages",),
        ),
        etc=Path("/home/x/etc"),
        binds=binds,
    )
    return bwrap_argv(Path("/usr/bin/bwrap"), layout, control_fd=7, info_fd=8, seccomp_fd=seccomp_fd)


def pairs(argv: list[str], option: str) -> list[tuple[str, str]]:
    return [(argv[n + 1], argv[n + 2]) for n, word in enumerate(argv) if word == option]


def test_only_the_work_directory_is_writable() -> None:
    assert pairs(words(Bind(source=Path("/plugins"), target="/plugins")), "--bind") == [("/home/x/work", "/workspace")]


def test_nothing_is_bound_that_was_not_named() -> None:
    sources = {source for source, _ in pairs(words(), "--ro-bind")} - {"/bin", "/sbin", "/lib", "/lib32", "/lib64"}
    etc = {f"/home/x/etc/{name}" for name in ("hosts", "nsswitch.conf", "passwd", "group")}
    assert sources == {"/usr", "/opt/py", "/src/shim.py", *etc}


def test_every_wall_is_there() -> None:
    argv = words()
    for wall in ("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"):
        assert wall in argv
    assert ("--cap-drop", "ALL") in list(pairwise(argv))
    for folder in ("/", "/run", "/dev", "/proc"):
        assert ("--remount-ro", folder) in list(pairwise(argv))
    assert ("--seccomp", "9") in list(pairwise(argv))
    assert "--seccomp" not in words(seccomp_fd=None)


def test_installed_packages_are_covered_after_they_were_bound() -> None:
    argv = words()
    assert argv.index("/opt/py/site-packages") > argv.index("/opt/py")


def test_the_command_line_holds_no_environment() -> None:
    assert "--clearenv" in words()
    assert "--setenv" not in words()


def test_in_memory_file_systems_are_bounded() -> None:
    argv = words()
    for folder in ("/tmp", "/run", "/dev/shm"):
        assert "--size" in argv[argv.index(folder) - 5 : argv.index(folder)]


def test_the_running_interpreter_is_found_with_its_library() -> None:
    runtime = python_runtime()
    assert Path(runtime.executable).is_file()
    assert not Path(runtime.executable).is_symlink()
    assert not any(bind.source == Path(sys.prefix) for bind in runtime.binds)
    assert all(bind.source.exists() and str(bind.source) == bind.target for bind in runtime.binds)


def test_the_shim_starts_isolated() -> None:
    assert shim_argv("py", "shim", control_fd=5, port=None) == ["py", "-I", "-S", "-B", "shim", "5", "-"]
    assert shim_argv("py", "shim", control_fd=5, port=3128)[-1] == "3128"


def test_etc_says_nothing_about_the_host(tmp_path: Path) -> None:
    write_etc(tmp_path / "etc")
    write_etc(tmp_path / "etc")
    assert len((tmp_path / "etc" / "passwd").read_text().splitlines()) == 1
    assert "localhost" in (tmp_path / "etc" / "hosts").read_text()
