"""Previews for pages: made by the command line itself, in a folder of its own."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from haulier.cli.app import haulier

__all__ = ["Example", "example_blocks"]


class Example:
    """A destination and records to show. files: further ones by path; words: further words of the command."""

    def __init__(
        self,
        destination: str,
        records: Sequence[Mapping[str, Any]],
        *,
        files: Mapping[str, str] | None = None,
        words: str = "",
    ) -> None:
        self.destination = destination.lstrip("\n")
        self.records = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records)
        self.files = dict(files or {})
        self.words = words


def example_blocks(name: str, example: Example) -> list[str]:
    """The blocks of a page: the destination `NAME`, the records, the command and what it prints.

    The tests of the pages write the files, run the command, and compare what it prints.
    """
    path, records = f"destinations/{name}.yaml", f"{name}.jsonl"
    command = f"haulier preview {name} --records {records}{example.words}"
    files = {path: example.destination, records: example.records, **example.files}
    shown = _printed(files, command.split()[1:])
    told = [_file(path, "yaml", example.destination)]
    told += [_file(path, "text", text) for path, text in example.files.items()]
    told.append(_file(records, "json", example.records))
    told.append(f"<!-- run -->\n```console\n$ {command}\n{shown}```")
    return told


def _file(path: str, language: str, text: str) -> str:
    return f"`{path}`:\n\n<!-- file: {path} -->\n```{language}\n{text}```"


def _printed(files: Mapping[str, str], words: list[str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        for path, text in {"haulier.yaml": "version: 1\n", **files}.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        told = io.StringIO()
        with contextlib.chdir(folder), contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            haulier.main(words, prog_name="haulier", standalone_mode=False)
        # Spaces at the ends of lines are not looked at by the tests, and taken away by editors.
        return "".join(f"{line.rstrip()}\n" for line in told.getvalue().rstrip().splitlines())
