"""The fault matrix: the tables of what `tests/faults` asserts, put into the page on delivery."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from reference.markdown import table

__all__ = ["with_matrix"]

_BEGIN = "<!-- The fault matrix, made by `make docs` from tests/faults/matrix.py: begin -->"
_END = "<!-- The fault matrix: end -->"


def with_matrix(page: str, repository: Path) -> str:
    """The page with the tables of the matrix between its two marks."""
    sys.path.insert(0, str(repository))
    matrix = import_module("tests.faults.matrix")
    sys.path.remove(str(repository))
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    if not after:
        raise SystemExit(f"docs/delivery.md lacks one of the lines:\n{_BEGIN}\n{_END}")
    tables = (matrix.faults_table, matrix.answers_table, matrix.troubles_table)
    parts = [_BEGIN, *(table(*made()) for made in tables), _END]
    return before + "\n\n".join(parts) + after
