"""JSON lines: one record a line. The reader most runs use, so a line costs no Python call of its own."""

from __future__ import annotations

from collections.abc import Iterator

from haulier.io.readers.lines import (
    MAX_RECORD_BYTES,
    begin_as_objects,
    is_plain,
    line_stretches,
    spans,
)
from haulier.io.readers.source import ByteStream, Source
from haulier.model.block import Block
from haulier.model.json_value import BLANKS

__all__ = ["JsonlReader", "jsonl_blocks"]


class JsonlReader:
    """Records of a JSONL (NDJSON) input; blank lines are skipped, malformed ones kept for the planner."""

    def __init__(self, source: Source) -> None:
        self.repeatable = source.repeatable
        self._source = source

    def blocks(self) -> Iterator[Block]:
        """Yield the records in order; raises InputError where the input cannot be read on."""
        with self._source.open() as stream:
            yield from jsonl_blocks(stream)


def jsonl_blocks(stream: ByteStream, max_bytes: int = MAX_RECORD_BYTES) -> Iterator[Block]:
    """The records of a stream of lines, ended by LF or CRLF, the last perhaps by nothing.

    max_bytes: length from which a line is an InputError, as it is no record but an input of another kind.
    """
    position, line = 0, 1

    def next_line() -> int:
        return line

    for stretch in line_stretches(stream, next_line, max_bytes):
        if any(b"\r" in piece for piece in stretch.pieces):
            stretch = stretch.without_returns()  # noqa: PLW2901
        lines = stretch.lines()
        # Its last line without a line feed is the end of the input, and goes the other way.
        if begin_as_objects(lines) and stretch.is_utf8() and lines[-1].endswith(b"\n"):
            yield Block(first=position, lines=lines, first_line=line, plain=True, text=stretch.text)
            position += len(lines)
        else:
            for block in _careful(lines, position, line):
                yield block
                position += len(block.lines)
        line += len(lines)


def _careful(lines: list[bytes], position: int, line: int) -> Iterator[Block]:
    """Blocks of lines of which some are blank, indented or malformed."""
    kept = [text.removesuffix(b"\n").lstrip(BLANKS) for text in lines]
    numbers = [line + index for index, text in enumerate(kept) if text]
    kept = [text for text in kept if text]
    for start, end in spans(numbers):
        part = kept[start:end]
        yield Block(first=position + start, lines=part, first_line=numbers[start], plain=is_plain(part))
