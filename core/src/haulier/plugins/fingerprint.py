"""Which code a plugin has: its version need not change where that does."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from hashlib import sha256

__all__ = ["code_of"]


@cache
def code_of(module: str) -> str:
    """SHA-256 of the Python files of the package that a loaded module is in, or of its own file where it is in none.

    As they were when it was first asked for in this process. Empty where nobody can read them, in an archive for one.
    """
    file: str | None = getattr(sys.modules.get(module), "__file__", None)
    if not file:
        return ""
    told = sha256()
    try:
        for path, name in _files(file, packaged="." in module):
            with open(path, "rb", buffering=0) as opened:
                told.update(b"%b\n%b" % (name.encode(), sha256(opened.read()).digest()))
    except OSError:
        return ""
    return told.hexdigest()


def _files(file: str, *, packaged: bool) -> Iterator[tuple[str, str]]:
    """Each file with its name in the package, in an order that is the same always."""
    top, own = os.path.split(file)
    if not packaged and own != "__init__.py":
        yield file, own
        return
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                yield path, os.path.relpath(path, top)
