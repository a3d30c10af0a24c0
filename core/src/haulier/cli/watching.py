"""Showing something again whenever files change, and of it what has changed; by their times, asked every so often."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from haulier.cli.printing import out, say
from haulier.errors import HaulierError

__all__ = ["watch"]

_EVERY_S = 0.25
_Stamps: TypeAlias = tuple[tuple[int, int] | None, ...]


def watch(files: Sequence[Path], lines: Callable[[], list[str]]) -> int:
    """Print the lines, then what differs in them after each change of a file, until Ctrl-C; the exit code.

    What is wrong meanwhile is shown in their place, and the watch goes on.
    """
    try:
        stamps = _stamps(files)
        before = _made(lines)
        for line in before:
            out(line)
        say(f"watching {', '.join(map(str, files))}; Ctrl-C ends it")
        while True:
            time.sleep(_EVERY_S)
            if (now := _stamps(files)) == stamps:
                continue
            stamps = now
            after = _made(lines)
            _show(before, after)
            before = after
    except KeyboardInterrupt:
        say("\nno longer watching")
        return 0


def _made(lines: Callable[[], list[str]]) -> list[str]:
    try:
        return lines()
    except HaulierError as error:
        return [f"cannot be shown: {error}"]


def _show(before: list[str], after: list[str]) -> None:
    if before == after:
        out(f"--- {time.strftime('%H:%M:%S')} nothing changed in what is shown")
        return
    out(f"--- {time.strftime('%H:%M:%S')}")
    for line in list(difflib.unified_diff(before, after, n=2, lineterm=""))[2:]:
        if not line.startswith("@@"):
            out(line)


def _stamps(files: Sequence[Path]) -> _Stamps:
    found: list[tuple[int, int] | None] = []
    for file in files:
        try:
            status = file.stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_mtime_ns, status.st_size))
    return tuple(found)
