"""The command line: one command per file, each parses, makes one call and prints.

Nothing heavy is imported until a command runs: `haulier --help` loads click and no more. A command returns its exit
code; errors become one message each here, in one place.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main"]

_INTERRUPTED = 130  # as in `haulier.cli.ending`, which may not have been imported yet


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process with its exit code."""
    try:
        from haulier.cli.ending import carry_out
        from haulier.cli.streams import open_streams

        open_streams()
        code = carry_out(arguments)
    # While what a command needs was imported; later ones are told of where they are met.
    except KeyboardInterrupt:
        print("haulier: interrupted", file=sys.stderr)
        code = _INTERRUPTED
    # Else the interpreter looks for cycles in all that was imported, twice, before it goes: a tenth of a preview.
    gc.freeze()
    sys.exit(code)
