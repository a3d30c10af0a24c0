"""Which code a plugin has: its version need not change where that does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path

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
        for path, name in _files(Path(file), packaged="." in module):
            told.update(b"%b\n%b" % (name.encode(), sha256(path.read_bytes()).digest()))
    except OSError:
        return ""
    return told.hexdigest()


def _files(file: Path, *, packaged: bool) -> Iterator[tuple[Path, str]]:
    """Each file with its name in the package, in an order that is the same always."""
    if not packaged and file.name != "__init__.py":
        yield file, file.name
        return
    for path in sorted(file.parent.rglob("*.py")):
        yield path, path.relative_to(file.parent).as_posix()
