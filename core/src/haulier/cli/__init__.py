"""The command line: one command per file, each parses, makes one call and prints.

Nothing heavy is imported until a command runs: `haulier --help` loads click and no more. A command returns its exit
code; errors become one message each here, in one place.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no error
    from haulier.cli.ending import carry_out

    code = carry_out(arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Who read our output has left; Python would complain once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
