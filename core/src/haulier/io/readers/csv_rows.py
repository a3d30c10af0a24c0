"""CSV and TSV: a header row that names the attributes, then one record a row; every value stays a string."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from itertools import islice

import msgspec

from haulier.errors import InputError
from haulier.io.readers.lines import BLOCK_RECORDS, MAX_RECORD_BYTES, count_for, line_stretches, spans
from haulier.io.readers.source import ByteStream, Source
from haulier.model.block import Block

__all__ = ["CsvReader"]

_encoder = msgspec.json.Encoder()
# What parts columns in files that are taken for others, in words, and the format that reads them.
_FORMATS = {";": ("semicolons", "ssv"), "\t": ("tabs", "tsv")}
_NOT_UTF8 = "is not UTF-8"


class CsvReader:
    """Records of a CSV input in UTF-8 (https://www.rfc-editor.org/rfc/rfc4180).

    delimiter: the one character between columns. A row of another width than the header is a fault of that
    row; its line is then the row as a JSON list. Raises InputError, after the rows before it, where a quote
    is not closed.
    """

    def __init__(self, source: Source, delimiter: str = ",") -> None:
        self.repeatable = source.repeatable
        self._source = source
        self._delimiter = delimiter

    def blocks(self) -> Iterator[Block]:
        """Yield the records in order; first_line is the line on which a row begins."""
        with self._source.open() as stream:
            yield from _Table(stream, self._delimiter).blocks()


class _Table:
    """One pass over the rows. Bytes that are no UTF-8 travel as lone surrogates, which encoding finds."""

    def __init__(self, stream: ByteStream, delimiter: str) -> None:
        self._name = stream.name
        # The limit belongs to the process: it is raised, never lowered. A quote left open runs into it.
        csv.field_size_limit(max(csv.field_size_limit(), MAX_RECORD_BYTES))
        self._rows = csv.reader(_text_lines(stream, self._next_line), delimiter=delimiter, strict=True)
        self._failure: InputError | None = None

    def blocks(self) -> Iterator[Block]:
        header = self._header()
        position, take = 0, BLOCK_RECORDS // 4
        while rows := self._take(take, len(header)):
            lines, faults = _encode(header, [row for row, _ in rows])
            for start, end in spans([line for _, line in rows]):
                found = {index - start: faults[index] for index in range(start, end) if index in faults}
                yield Block(
                    first=position + start,
                    lines=lines[start:end],
                    first_line=rows[start][1],
                    plain=not found,
                    faults=found or None,
                )
            position += len(rows)
            take = count_for(len(lines), sum(map(len, lines)))
        if self._failure is not None:
            raise self._failure

    def _next_line(self) -> int:
        return self._rows.line_num + 1

    def _take(self, count: int, width: int) -> list[tuple[list[str], int]]:
        """Up to `count` rows that are not blank, each with the line it begins on; none at the end."""
        taken: list[tuple[list[str], int]] = []
        line = self._next_line()
        while not taken and self._failure is None:
            ended = True
            try:
                for row in islice(self._rows, count):
                    ended = False
                    if row and not (len(row) == 1 < width and row[0].isspace()):
                        taken.append((row, line))
                    line = self._next_line()
            except csv.Error as error:
                self._failure = self._error(line, error)
            except InputError as error:
                self._failure = error
            if ended:
                break
        return taken

    def _error(self, line: int, error: csv.Error) -> InputError:
        if self._next_line() > line + 1 or "unexpected end" in str(error) or "field limit" in str(error):
            reason = "a quote is opened here and not closed as CSV closes it"
        else:
            reason = str(error)
        return InputError(
            f"{self._name}: line {line}: {reason}; the rows before it were read, mend it and run again"
        )

    def _header(self) -> list[str]:
        rows = self._take(1, 1)
        if self._failure is not None:
            raise self._failure
        if not rows:
            raise InputError(
                f"{self._name}: is empty; a CSV begins with a header row that names the attributes"
            )
        header, line = rows[0]
        if len(header) == 1 and (other := next((mark for mark in _FORMATS if mark in header[0]), "")):
            raise InputError(
                f"{self._name}: line {line}: the header is one column named {header[0][:60]!r}; columns parted by "
                f"{_FORMATS[other][0]} are read with --format {_FORMATS[other][1]}"
            )
        lines = header[0].startswith('{"') and header[-1].endswith("}")
        if lines or header[0].startswith('[{"'):
            raise InputError(
                f"{self._name}: line {line}: the header begins with {header[0][:60]!r}, so this is JSON and no CSV; it "
                f"is read with --format {'jsonl' if lines else 'json'}"
            )
        for number, name in enumerate(header, 1):
            reason = _refused(name, header[: number - 1])
            if reason:
                raise InputError(f"{self._name}: line {line}: the header of column {number} {reason}")
        return header


def _refused(name: str, before: list[str]) -> str:
    """Why a header name cannot name an attribute; empty where it can."""
    if not name.strip():
        return "is empty; name every column"
    if name in before:
        return f"is {name!r}, as column {before.index(name) + 1} is; name every column differently"
    return "" if _is_text(name) else f"{_NOT_UTF8}; save the file as UTF-8"


def _text_lines(stream: ByteStream, line: Callable[[], int]) -> Iterator[str]:
    """The lines with their ends, any of LF, CRLF and CR, as the csv module asks for them."""
    for stretch in line_stretches(stream, line):
        text = b"".join(stretch.text)
        yield from io.StringIO(text.decode(errors="surrogateescape"), newline="")


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encode(header: list[str], rows: list[list[str]]) -> tuple[list[bytes], dict[int, str]]:
    """A JSON line per row, and why a row cannot be taken, by index."""
    width = len(header)
    if set(map(len, rows)) == {width}:
        try:
            return _encoder.encode_lines([dict(zip(header, row, strict=True)) for row in rows]).split(b"\n")[
                :-1
            ], {}
        except UnicodeEncodeError:
            pass  # found row by row below
    lines: list[bytes] = []
    faults: dict[int, str] = {}
    for index, row in enumerate(rows):
        columns = f"{len(row)} column" if len(row) == 1 else f"{len(row)} columns"
        fault = f"has {columns}, the header has {width}" if len(row) != width else ""
        if not all(map(_is_text, row)):
            fault = fault or _NOT_UTF8
        if fault:
            faults[index] = fault
            lines.append(_encoder.encode([cell.encode(errors="replace").decode() for cell in row]))
        else:
            lines.append(_encoder.encode(dict(zip(header, row, strict=True))))
    return lines, faults
