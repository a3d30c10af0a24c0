"""What a plugin's code comes to: the same as long as its files are, and told of the package it is in alone."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

from haulier.plugins.fingerprint import code_of


def test_code_is_told_by_the_files_of_the_package_and_by_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "fingerprinted"
    (package / "inner").mkdir(parents=True)
    for path in (package / "__init__.py", package / "inner" / "__init__.py", tmp_path / "alone_here.py"):
        path.write_text("A = 1\n")
    (package / "hooks.py").write_text("B = 1\n")
    try:
        for module in ("fingerprinted", "fingerprinted.hooks", "alone_here"):
            import_module(module)

        def told() -> tuple[str, str, str]:
            code_of.cache_clear()
            return code_of("fingerprinted"), code_of("fingerprinted.hooks"), code_of("alone_here")

        first = told()
        assert first[0] == first[1] != first[2]
        (package / "notes.txt").write_text("no code")
        (tmp_path / "beside.py").write_text("C = 1\n")
        assert told() == first
        (package / "inner" / "__init__.py").write_text("A = 2\n")
        changed = told()
        assert (changed[0] != first[0], changed[1] != first[1], changed[2]) == (True, True, first[2])
    finally:
        for module in ("fingerprinted", "fingerprinted.hooks", "alone_here"):
            sys.modules.pop(module, None)
    assert code_of("there.is.none") == ""
