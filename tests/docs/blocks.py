"""Pages as blocks: what is fenced, how it is marked, and how shown output is compared with real output.

A fenced block is marked by an HTML comment on the line above it:

    <!-- run -->           a console or Python block is executed
    <!-- run: exit 4 -->   ... and its last command ends with 4
    <!-- background -->    its one command keeps running until the page ends
    <!-- stop -->          ... or until here
    <!-- file: NAME -->    the block is the content of a file
    <!-- output -->        what the Python block above prints
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"(?ms)^(?:<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$")
_CHANGES = (
    (re.compile(r"127\.0\.0\.1:\d+"), "<server>"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(\+00:00)?"), "<time>"),
    (re.compile(r"(?i)(date: ).*"), r"\1<time>"),
    (re.compile(r"(monthly-limit-reset: )\d+"), r"\1<time>"),
    (re.compile(r"i?[0-9a-f]{12,}"), "<id>"),
    (re.compile(r"\d+\.\d+ s\b"), "<seconds>"),
)


class Block(NamedTuple):
    """A fenced block. line: where it begins, from 1."""

    language: str
    mark: str
    text: str
    line: int


class Command(NamedTuple):
    """A command of a console block and what is shown below it."""

    command: str
    shown: str


def blocks_of(path: Path) -> list[Block]:
    """All fenced blocks of a page."""
    text = path.read_text(encoding="utf-8")
    return [
        Block(
            found["language"].strip(),
            found["mark"] or "",
            found["text"],
            text.count("\n", 0, found.start()) + 1,
        )
        for found in _FENCE.finditer(text)
    ]


def prose_of(path: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"(?ms)^```.*?^```$", "", path.read_text(encoding="utf-8"))


def commands_of(block: Block) -> Iterator[Command]:
    """The commands of a console block: `$ ` begins one, `> ` continues it."""
    command, shown = "", ""
    for line in block.text.splitlines():
        if line.startswith("$ "):
            if command:
                yield Command(command, shown)
            command, shown = line[2:], ""
        elif line.startswith("> ") and command.endswith("\\") and not shown:
            command = command[:-1] + line[2:]
        else:
            shown += line + "\n"
    if command:
        yield Command(command, shown)


def difference(shown: str, real: str) -> str:
    """Why real output is not what a page shows; empty where it is.

    `...` stands for anything, alone on a line for any lines. Times, ids, ports and spans of time may differ.
    """
    wanted, got = _plain(shown), _plain(real)
    pattern = re.escape(wanted).replace(re.escape("..."), ".*")
    if re.fullmatch(pattern, got, re.DOTALL):
        return ""
    return f"--- shown\n{wanted}\n--- real\n{got}"


def _plain(text: str) -> str:
    for pattern, word in _CHANGES:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
