"""JSON lines: one record a line. The reader most runs use, so a line costs no Python call of its own."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

from haulier.io.readers.lines import BLANKS, MAX_RECORD_BYTES, is_plain, is_utf8, line_chunks, spans
from haulier.io.readers.source import ByteStream, Source
from haulier.model.block import Block

__all__ = ["JsonlReader", "jsonl_blocks"]

_first_byte = itemgetter(0)


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

    for chunk in line_chunks(stream, next_line, max_bytes):
        data = chunk.replace(b"\r\n", b"\n") if b"\r" in chunk else chunk
        lines = data.split(b"\n")
        if not lines[-1]:
            lines.pop()
        try:
            plain = bytes(map(_first_byte, lines)).count(b"{") == len(lines) and is_utf8(data)
        except IndexError:  # an empty line
            plain = False
        if plain:
            whole = data if data.endswith(b"\n") else None
            yield Block(first=position, lines=lines, first_line=line, plain=True, text=whole)
            position += len(lines)
        else:
            for block in _careful(lines, position, line):
                yield block
                position += len(block.lines)
        line += len(lines)


def _careful(lines: list[bytes], position: int, line: int) -> Iterator[Block]:
    """Blocks of lines of which some are blank, indented or malformed."""
    kept = [text.lstrip(BLANKS) for text in lines]
    numbers = [line + index for index, text in enumerate(kept) if text]
    kept = [text for text in kept if text]
    for start, end in spans(numbers):
        part = kept[start:end]
        yield Block(first=position + start, lines=part, first_line=numbers[start], plain=is_plain(part))
