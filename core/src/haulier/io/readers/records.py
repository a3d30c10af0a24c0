"""Records from Python: an iterable of mappings, or of JSON texts as bytes or str."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from time import monotonic
from typing import Any

import msgspec

from haulier.errors import InputError
from haulier.io.readers.lines import BLOCK_RECORDS, count_for, is_plain
from haulier.io.readers.values import encode_records
from haulier.model.block import Block
from haulier.model.json_value import BLANKS

__all__ = ["RecordsReader"]

_FIRST_COUNT = 16
_MOMENT_S = 0.05
_MARK = b"\xef\xbb\xbf"


class RecordsReader:
    """Records of an iterable, pulled a block's worth at a time (16 at first, at most 256).

    An iterator may give them slowly: it is pulled one by one at first, by more while that takes no more than a moment,
    and by fewer when it does. So records do not wait for others to fill a block.
    A mapping becomes a JSON line by the rules of `haulier.io.readers.values`; bytes and str are taken as JSON
    texts, blank ones skipped. What cannot be taken is a fault of that record alone.
    repeatable: a list or tuple is; an iterator is read once; of anything else nobody knows.
    """

    def __init__(self, records: Iterable[Any]) -> None:
        self.repeatable = isinstance(records, (list, tuple))
        self._records = records
        self._begun = False

    def blocks(self) -> Iterator[Block]:
        """Yield the records in order; what the iterable raises passes through."""
        if self._begun and not self.repeatable:
            raise InputError("records: were read already and cannot be read twice; give them as a list")
        self._begun = True
        iterator, position = iter(self._records), 0
        take = most = _FIRST_COUNT if self.repeatable else 1
        factor = BLOCK_RECORDS if self.repeatable else 4
        while True:
            began = monotonic()
            items = list(islice(iterator, take))
            if not items:
                return
            slow = monotonic() - began > _MOMENT_S and not self.repeatable
            lines, faults = _lines_of(items)
            if lines:
                plain = not faults and is_plain(lines)
                yield Block(first=position, lines=lines, plain=plain, faults=faults or None)
            position += len(lines)
            most = max(1, most // 4) if slow else min(BLOCK_RECORDS, most * factor)
            take = min(most, count_for(len(items), sum(map(len, lines))) if lines else BLOCK_RECORDS)


def _lines_of(items: Sequence[Any]) -> tuple[list[bytes], dict[int, str]]:
    """A line per item that is not blank, and the faults by index."""
    kinds = set(map(type, items))
    if kinds == {dict}:
        return encode_records(items)
    if kinds == {bytes}:
        return [line for item in items if (line := _one_line(item))], {}
    lines: list[bytes] = []
    faults: dict[int, str] = {}
    for item in items:
        line, fault = _line_of(item)
        if fault:
            faults[len(lines)] = fault
        if line:
            lines.append(line)
    return lines, faults


def _line_of(item: Any) -> tuple[bytes, str]:
    """The line of one item, b"" where it is blank, and why it cannot be taken."""
    if isinstance(item, Mapping):
        lines, faults = encode_records([item])
        return lines[0], faults.get(0, "")
    if isinstance(item, (bytes, bytearray)):
        return _one_line(bytes(item)), ""
    if isinstance(item, str):
        try:
            return _one_line(item.encode()), ""
        except UnicodeEncodeError:
            return item.encode(errors="replace"), "is text with a lone surrogate, which is no Unicode text"
    name = type(item).__qualname__
    return f'"<{name}>"'.encode(), f"is of type {name}; a record is a mapping, or its JSON as bytes or str"


def _one_line(text: bytes) -> bytes:
    line = text.removeprefix(_MARK).strip(BLANKS)
    if b"\n" not in line and b"\r" not in line:
        return line
    try:
        # Checked first: what formats may still be no JSON.
        msgspec.json.decode(line, type=msgspec.Raw)
        return msgspec.json.format(line, indent=-1)
    except (msgspec.DecodeError, RecursionError):
        return line
