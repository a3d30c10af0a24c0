"""What all commands print with: results to standard output, messages to standard error, nothing unclean."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from haulier.cli.streams import results, unwritten
from haulier.model.wording import one_line

__all__ = [
    "alike",
    "clean",
    "facts",
    "out",
    "out_json",
    "say",
    "seconds_text",
    "short_text",
    "table",
    "time_text",
    "wrapped",
]

# C0 but tab and line break, DEL, C1, and what changes the direction or the lines of text.
_UNCLEAN = dict.fromkeys(
    [
        *(*range(9), *range(11, 32), *range(127, 160)),
        *(0x200E, 0x200F, 0x2028, 0x2029, 0xFEFF),
        *(*range(0x202A, 0x202F), *range(0x2066, 0x206A)),
    ]
)
_SHAPE = 1
_PLACE = re.compile(r"(?:line|record) \d+: ")


def clean(text: object) -> str:
    """Text from outside without control characters: a terminal shows it and does nothing else."""
    return str(text).translate(_UNCLEAN)


def out(text: object = "") -> None:
    """Print a line of a result; Unwritten where that cannot be."""
    _print(clean(text))


def say(text: object) -> None:
    """Print a message or progress, to standard error."""
    print(clean(text), file=sys.stderr, flush=True)


def out_json(values: Mapping[str, Any]) -> None:
    """Print a result for machines: one line, ASCII, with the version of its shape; numbers as they were written."""
    import json
    from uuid import uuid4

    # The standard library writes every float as its double: what was written otherwise has its place kept by a word.
    word, numbers = uuid4().hex, list[str]()
    text = json.dumps({"shape": _SHAPE, **_without_numbers(values, word, numbers)}, default=_plain)
    _print(re.sub(f'"{word}([0-9]+)"', lambda found: numbers[int(found[1])], text) if numbers else text)


def _print(text: str) -> None:
    try:
        print(text, file=results())
    except OSError as error:
        raise unwritten(error) from None


def _without_numbers(value: Any, word: str, numbers: list[str]) -> Any:
    """The same with `word` and its place among `numbers` for each number that knows how it was written."""
    if isinstance(value, Mapping):
        return {name: _without_numbers(one, word, numbers) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_numbers(one, word, numbers) for one in value]
    if isinstance(value, float) and type(value) is not float:
        numbers.append(str(value))
        return f"{word}{len(numbers) - 1}"
    return value


def _plain(value: Any) -> Any:
    """What JSON has no word for: bytes as hexadecimal, endless numbers as written, other sequences as lists."""
    import msgspec

    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, Iterable) else str(value)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a table with aligned columns; numbers to the right, with commas between thousands."""
    filled = [[_cell(value) for value in row] for row in rows]
    numbers = [all(number for _, number in column) for column in zip(*filled, strict=True)] if filled else []
    texts = [list(heads), *([text for text, _ in row] for row in filled)]
    widths = [max(map(_width, column)) for column in zip(*texts, strict=True)]
    right = numbers or [False] * len(heads)
    return ["  ".join(map(_padded, line, widths, right)).rstrip() for line in texts]


def facts(pairs: Iterable[tuple[str, object]]) -> list[str]:
    """Lines `name  value`, the values below each other; a value of several lines is indented."""
    shown = [(name, _cell(value)[0]) for name, value in pairs]
    width = max((len(name) for name, _ in shown), default=0) + 2
    between = "\n" + " " * width
    return [f"{name:<{width}}{text.replace(chr(10), between)}".rstrip() for name, text in shown]


def alike(told: Iterable[str]) -> list[str]:
    """Reasons such as `line 7: is not JSON`, each once; of those that differ by their place, the first and how many."""
    groups: dict[str, list[str]] = {}
    for one in told:
        groups.setdefault(_PLACE.sub("", one, count=1), []).append(one)
    return [
        f"{group[0]} (and {len(group) - 1:,} more like it)" if len(group) > 1 else group[0]
        for group in groups.values()
    ]


def wrapped(text: str, indent: str = "") -> list[str]:
    """A paragraph in lines that fit a narrow terminal."""
    import textwrap

    return textwrap.wrap(
        clean(text), 96, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def short_text(text: str, most: int) -> str:
    """One line of at most `most` characters."""
    line = one_line(text)
    return line if len(line) <= most else line[: most - 3] + "..."


def time_text(seconds: float | None) -> str:
    """A Unix time as a person reads it, in local time."""
    from datetime import datetime

    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S") if seconds else ""


def seconds_text(seconds: float) -> str:
    """A span of time: `0.4 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _cell(value: object) -> tuple[str, bool]:
    if isinstance(value, bool) or value is None:
        return ("" if value is None else "yes" if value else "no"), False
    if isinstance(value, int):
        return f"{value:,}", True
    return clean(value), False


def _padded(text: str, width: int, right: bool) -> str:
    room = " " * (width - _width(text))
    return room + text if right else text + room


def _width(text: str) -> int:
    """Columns a text takes on a terminal: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
