"""The standard streams of a command, which may be closed, full, left by whoever read them, or printed to by plugins."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TextIO, TypeVar

from haulier.errors import HaulierError

__all__ = ["Unwritten", "apart", "drop_output", "flush_output", "open_streams", "results", "unwritten"]

P = ParamSpec("P")
T = TypeVar("T")


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


class _Aside:
    """Stands in the place of standard output, and is standard error; results: the stream that it stands for."""

    def __init__(self, results: TextIO) -> None:
        self.results = results

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


def results() -> TextIO:
    """Where the results of a command go: standard output, which nobody else prints to while it is kept `apart`."""
    return sys.stdout.results if isinstance(sys.stdout, _Aside) else sys.stdout


def apart(call: Callable[P, T]) -> Callable[P, T]:
    """The same function; what plugins print meanwhile goes to standard error, and only `results` to standard output."""

    @wraps(call)
    def within(*args: P.args, **kwargs: P.kwargs) -> T:
        before = sys.stdout
        sys.stdout = _Aside(results())
        try:
            return call(*args, **kwargs)
        finally:
            sys.stdout = before

    return within


def flush_output() -> None:
    """Write out what was printed; Unwritten where that cannot be."""
    try:
        results().flush()
    except OSError as error:
        raise unwritten(error) from None


def drop_output() -> None:
    """From now on what is printed goes nowhere; Python would complain once more while it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
