"""JSON arrays of any size: the records of one `[...]`, taken out of it with their bytes as they stand.

An array is never held whole. A window is cut behind a `}` that a comma follows and checked by decoding
`[` + window + `]`: as JSON is read from left to right and the window begins with an element, what decodes
ends with an element too. Where no such cut is found, the elements are cut out one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from haulier.errors import InputError
from haulier.io.readers.lines import BLOCK_RECORDS, MAX_RECORD_BYTES, is_plain
from haulier.io.readers.source import CHUNK_BYTES, ByteStream
from haulier.model.block import Block
from haulier.model.json_value import BLANKS

__all__ = ["json_array_blocks", "kind_of"]

_decode_all: Callable[[bytes], list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_one: Callable[[bytes], msgspec.Raw] = msgspec.json.Decoder(msgspec.Raw).decode
# Brackets, commas and whole strings; the group is empty for a string that does not end in the window.
_MARKS = re.compile(rb'[\[\]{},]|"[^"\\]*+(?:\\.[^"\\]*+)*+("|)', re.DOTALL)
_BYTE = re.compile(r" \(byte (\d+)\)")
_KINDS = {b"[": "a list", b'"': "a string", b"t": "a boolean", b"f": "a boolean", b"n": "null"}
_COMMA = re.compile(rb"[ \t\r\n]*,")
_BRACES_SEEN = 16


def json_array_blocks(stream: ByteStream, max_bytes: int = MAX_RECORD_BYTES) -> Iterator[Block]:
    """The elements of the array that a stream holds, which `[` begins; one that is no object is a fault of it alone.

    max_bytes: longest element. Raises InputError at a syntax error, after what came before it.
    """
    position = 0
    for texts, refused in _Elements(stream, max_bytes):
        lines = [_on_one_line(text) for text in texts]
        plain = not refused and is_plain(lines)
        faults = refused if plain else _faults(lines) | refused
        yield Block(first=position, lines=lines, plain=plain, faults=faults or None)
        position += len(lines)


def kind_of(text: bytes) -> str:
    """What a JSON text is, in words: `a list`, `a number`."""
    return "an object" if text[:1] == b"{" else _KINDS.get(text[:1], "a number")


def _on_one_line(text: bytes) -> bytes:
    # Inside a JSON text line breaks stand between tokens only; numbers and strings keep their text.
    return msgspec.json.format(text, indent=-1) if b"\n" in text or b"\r" in text else text


def _faults(lines: list[bytes]) -> dict[int, str]:
    kinds = ((index, kind_of(line)) for index, line in enumerate(lines) if not line.startswith(b"{"))
    return {index: f"is {kind}, not a JSON object" for index, kind in kinds}


class _Elements:
    """Iterates over (element texts, faults) of one array; `_at` is where in the window the next begins."""

    def __init__(self, stream: ByteStream, max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes
        self._window = b""
        self._at = 0
        self._ended = False
        self._closed = False
        self._failure: InputError | None = None
        self._count = 0
        self._byte = 0
        self._line = 1

    def __iter__(self) -> Iterator[tuple[list[bytes], dict[int, str]]]:
        self._open()
        while not self._closed:
            texts = self._many()
            faults: dict[int, str] = {}
            if not texts:
                texts, faults = self._few()
            if texts:
                yield texts, faults
            if self._failure is not None:
                raise self._failure
            if not texts:
                self._more()
        if self._skip_blanks():
            raise self._error(self._at, "something stands behind the array; an input holds one array")

    def _open(self) -> None:
        if self._skip_blanks() != b"[":
            raise self._error(self._at, "a JSON array begins with `[`")
        self._at += 1
        if self._skip_blanks() == b"]":
            self._at += 1
            self._closed = True

    def _many(self) -> list[bytes]:
        """All elements up to one of the last `}` with a comma behind; none where the guess does not hold."""
        for end, comma in self._cuts():
            try:
                found = _decode_all(b"[" + self._window[self._at : end] + b"]")
            except (msgspec.DecodeError, RecursionError):
                continue
            self._at = comma + 1
            self._count += len(found)
            return [bytes(raw) for raw in found]
        return []

    def _cuts(self) -> Iterator[tuple[int, int]]:
        """The last places (end of the `}`, its comma) where an element may end, last first."""
        brace = len(self._window)
        for _ in range(_BRACES_SEEN):
            brace = self._window.rfind(b"}", self._at, brace)
            if brace < 0:
                return
            if found := _COMMA.match(self._window, brace + 1):
                yield brace + 1, found.end() - 1

    def _few(self) -> tuple[list[bytes], dict[int, str]]:
        """Elements cut out one by one, as far as the window goes or as the array holds."""
        texts: list[bytes] = []
        faults: dict[int, str] = {}
        while not self._closed and len(texts) < BLOCK_RECORDS:
            try:
                element = self._one()
            except InputError as error:
                self._failure = error
                break
            if element is None:
                break
            text, fault = element
            if fault:
                faults[len(texts)] = fault
            texts.append(text)
        return texts, faults

    def _one(self) -> tuple[bytes, str] | None:
        """The next element and why it cannot be taken; None where the window does not hold all of it."""
        end = _end_of_value(self._window, self._at)
        if end < 0:
            if self._ended:
                raise self._error(len(self._window), "the array ends early")
            return None
        text, closing, fault = self._window[self._at : end].strip(BLANKS), self._window[end : end + 1], ""
        if not text:
            raise self._error(end, f"an element is missing before `{closing.decode()}`")
        try:
            _decode_one(text)
        except RecursionError:
            fault = "is nested too deeply"
        except msgspec.DecodeError as error:
            offset, reason = _place_and_reason(error, len(text))
            raise self._error(self._window.find(text, self._at) + offset, reason) from None
        if closing == b"}":
            raise self._error(end, "`}` closes nothing")
        self._at, self._closed = end + 1, closing == b"]"
        self._count += 1
        return text, fault

    def _more(self) -> None:
        """Read on: as much again as is held, so that a long element is looked through a few times only."""
        held = self._window[self._at :]
        if len(held) > self._max_bytes:
            raise self._error(self._at, f"an element is longer than {self._max_bytes:,} bytes")
        self._line += self._window.count(b"\n", 0, self._at)
        self._byte += self._at
        pieces, wanted = [held], max(CHUNK_BYTES, len(held))
        while wanted > 0 and not self._ended:
            piece = self._stream.read(wanted)
            self._ended = not piece
            pieces.append(piece)
            wanted -= len(piece)
        self._window, self._at = b"".join(pieces), 0

    def _skip_blanks(self) -> bytes:
        """Go on to the next byte that is not blank and return it; b"" at the end."""
        while not (rest := self._window[self._at :].lstrip(BLANKS)) and not self._ended:
            self._at = len(self._window)
            self._more()
        self._at = len(self._window) - len(rest)
        return rest[:1]

    def _error(self, offset: int, reason: str) -> InputError:
        line = self._line + self._window.count(b"\n", 0, offset)
        return InputError(
            f"{self._stream.name}: line {line}, byte {self._byte + offset}: {reason}; "
            f"read before it: {self._count} records; mend the array and run again"
        )


def _place_and_reason(error: msgspec.DecodeError, length: int) -> tuple[int, str]:
    """Where in an element of that length a syntax error stands, and what it is."""
    found = _BYTE.search(str(error))
    reason = _BYTE.sub("", str(error)).removeprefix("JSON is malformed: ")
    if reason == "trailing characters":
        # Its place is the byte behind the one that is too much.
        return (int(found[1]) - 1 if found else length), "a comma or bracket is missing before this"
    return (int(found[1]) if found else length), reason


def _end_of_value(window: bytes, start: int) -> int:
    """Where the value that begins at `start` ends: at the comma or bracket behind it; -1: not seen yet."""
    depth = 0
    for mark in _MARKS.finditer(window, start):
        sign = window[mark.start()]
        if sign == 0x22:  # a string
            if not mark[1]:
                return -1
        elif sign in b"[{":
            depth += 1
        elif depth == 0:
            return mark.start()
        elif sign != 0x2C:  # a closing bracket
            depth -= 1
    return -1
