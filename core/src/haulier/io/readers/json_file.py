"""JSON of which only the first bytes tell the shape: an array, JSON lines, or an object of many lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from haulier.errors import InputError
from haulier.io.readers.json_array import json_array_blocks
from haulier.io.readers.jsonl import jsonl_blocks
from haulier.io.readers.lines import MAX_RECORD_BYTES, is_plain
from haulier.io.readers.source import ByteStream, Source
from haulier.model.block import Block
from haulier.model.json_value import BLANKS, members

__all__ = ["JsonReader"]

# https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3.7
_ZIP = b"PK\x03\x04"
# https://parquet.apache.org/docs/file-format/
_PARQUET = b"PAR1"
# Values that JSON lacks, such as dates and decimals, become texts.
_PARQUET_TO_LINES = (
    'python -c "import json, pyarrow.parquet as p; [print(json.dumps(row, default=str)) for some in '
    "p.ParquetFile('records.parquet').iter_batches() for row in some.to_pylist()]\" > records.jsonl"
)

_decode: Callable[[bytes], msgspec.Raw] = msgspec.json.Decoder(msgspec.Raw).decode


class JsonReader:
    """Records of a JSON input, by its first byte that is not blank.

    `[`: an array. `{`: JSON lines if the first line is an object of its own; else one record, if the whole
    input (up to 64 MiB) is one object; else JSON lines after all, of which the planner refuses the malformed
    ones. Anything else is refused; formats: the names of what could be asked for instead. hints: after reading, what
    its author may have meant otherwise.
    """

    def __init__(self, source: Source, formats: tuple[str, ...]) -> None:
        self.repeatable = source.repeatable
        self._source = source
        self._formats = formats
        self.hints: tuple[str, ...] = ()
        if self.repeatable:
            with source.open() as stream:
                self._first_byte(stream)

    def blocks(self) -> Iterator[Block]:
        """Yield the records in order; raises InputError where it is no JSON, or an array breaks off."""
        with self._source.open() as stream:
            if self._first_byte(stream) == b"[":
                yield from json_array_blocks(stream)
            elif (whole := _one_object(stream)) is not None:
                self.hints = _hints(whole, stream.name)
                yield Block(first=0, lines=[whole], plain=is_plain([whole]))
            else:
                alone = b""
                for block in jsonl_blocks(stream):
                    alone = block.lines[0] if block.first == 0 and len(block.lines) == 1 else b""
                    yield block
                self.hints = _hints(alone, stream.name)

    def _first_byte(self, stream: ByteStream) -> bytes:
        pieces: list[bytes] = []
        first = b""
        while not first and (piece := stream.read()):
            pieces.append(piece)
            first = piece.lstrip(BLANKS)[:1]
        stream.unread(pieces)
        if first not in {b"", b"[", b"{"}:
            raise InputError(f"{stream.name}: {self._what_it_is(first, b''.join(pieces))}")
        return first

    def _what_it_is(self, first: bytes, begun: bytes) -> str:
        if begun.startswith(_ZIP):
            return "is a zip archive, as spreadsheets (.xlsx, .ods) are; save the sheet as CSV"
        if begun.startswith(_PARQUET):
            return f"is a Parquet file; make JSON lines of it (pip install pyarrow): {_PARQUET_TO_LINES}"
        is_sign = first.isascii() and first.decode().isprintable()
        shown = f"`{first.decode()}`" if is_sign else f"the byte {first.hex()}"
        return (
            f"begins with {shown}, which begins neither a JSON array nor an object; "
            f"say what it is: --format {' | '.join(self._formats)}"
        )


def _one_object(stream: ByteStream) -> bytes | None:
    """The object that the whole input is, on one line; None, with everything put back, where it is lines."""
    pieces: list[bytes] = []
    held, begun, lines_seen = 0, False, False
    while held <= MAX_RECORD_BYTES and (piece := stream.read()):
        pieces.append(piece)
        held += len(piece)
        text = piece if begun else piece.lstrip(BLANKS)
        begun = begun or bool(text)
        if b"\n" in text and not lines_seen:
            lines_seen = True
            if _is_json(b"".join(pieces).lstrip(BLANKS).split(b"\n", 1)[0]):
                break
    else:
        whole = b"".join(pieces)
        if held <= MAX_RECORD_BYTES and lines_seen and _is_json(whole):
            return msgspec.json.format(whole, indent=-1)
    stream.unread(pieces)
    return None


def _hints(whole: bytes, name: str) -> tuple[str, ...]:
    """That the records may stand inside of the one object that the input is."""
    lists = [
        attribute
        for attribute, value in (members(whole).items() if _is_json(whole) else ())
        if re.match(rb"\[\s*\{", value) and attribute.isidentifier()
    ]
    if len(lists) != 1:
        return ()
    return (
        f"{name} is one object, so it is one record; if the objects in its `{lists[0]}` are the records, take "
        f"them out: jq -c '.{lists[0]}[]' {name} > records.jsonl",
    )


def _is_json(text: bytes) -> bool:
    try:
        _decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
