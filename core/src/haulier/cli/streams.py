"""The standard streams of a command, which may be closed, full, or left by whoever read them."""

from __future__ import annotations

import os
import sys

from haulier.errors import HaulierError

__all__ = ["Unwritten", "drop_output", "flush_output", "open_streams", "unwritten"]


class Unwritten(HaulierError):
    """Standard output cannot be written any more. left: because whoever read it has left."""

    def __init__(self, message: str, *, left: bool) -> None:
        super().__init__(message)
        self.left = left


def unwritten(error: OSError) -> Unwritten:
    """The error that standard output gave, in words."""
    return Unwritten(
        f"standard output cannot be written: {error.strerror}; what was done stands",
        left=isinstance(error, BrokenPipeError),
    )


def open_streams() -> None:
    """Open those that are closed to nothing, so that no socket gets their numbers: libuv ends the process then."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, mode, closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no error


def flush_output() -> None:
    """Write out what was printed; Unwritten where that cannot be."""
    try:
        sys.stdout.flush()
    except OSError as error:
        raise unwritten(error) from None


def drop_output() -> None:
    """From now on what is printed goes nowhere; Python would complain once more while it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
