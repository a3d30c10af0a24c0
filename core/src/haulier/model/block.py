"""A block: some hundred consecutive records as one value, so that no call is paid per record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from haulier.model.request import FilePart

__all__ = ["Block", "Chunk", "RejectedRecord", "Text", "part_of", "parts_of"]

Files: TypeAlias = Mapping[str, FilePart | str]
Text: TypeAlias = Sequence[bytes | memoryview]


class Chunk(NamedTuple):
    """A chunk that was pushed: position of its first record, how many there are, and SHA-256 of their lines.

    sha256: None of a chunk that a version wrote which kept none.
    """

    first: int
    records: int
    sha256: bytes | None = None


class Block(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Consecutive records, as read.

    lines: one JSON text per record, none of them blank. Each may end in its line feed, which is no part of the text.
    first: position of `lines[0]`: non-blank records count from 0, malformed ones included.
    first_line: line number (from 1) of `lines[0]` where the input has lines; the reader begins a new block wherever
        position and line number part, so record i of a block stands on line `first_line + i`. None: no lines.
    plain: the reader has seen that every line is UTF-8 and begins with `{`; False asks the planner to look at each.
    faults: index in the block -> why the reader cannot take that record (a CSV row with a wrong column count, a value
        that is no JSON); its line is kept as read, for the dead letter.
    files: per record, parameter name -> the file part found for it, or the reason why there is none.
    digest: gives the digest over the input up to the end of this block, where the run asked for it; works it out when
        it is called first, in any thread.
    text: the bytes of the lines, each with its line feed, in pieces; only where the lines themselves have them. Let go
        of with the digest.
    chunk: the name a program gave to the records it pushed, of which these are all; content: SHA-256 of their lines.
    more: whether the next block was read together with this one, and need not be waited for.
    settled: called when everything before this block has come to rest; such a block has no lines (`flush`).
    """

    first: int
    lines: list[bytes]
    first_line: int | None = None
    plain: bool = False
    faults: Mapping[int, str] | None = None
    files: list[Files] | None = None
    digest: Callable[[], bytes] | None = None
    text: Text | None = None
    chunk: str | None = None
    content: bytes | None = None
    more: bool = False
    settled: Callable[[], None] | None = None

    @property
    def records(self) -> list[bytes]:
        """The lines without the line feeds that they may end in; made anew at each look."""
        return [line.removesuffix(b"\n") for line in self.lines]

    def place(self, index: int) -> str:
        """Where record `index` of this block stands, as messages name it: `line 7` or `record 6`."""
        if self.first_line is None:
            return f"record {self.first + index}"
        return f"line {self.first_line + index}"


class RejectedRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A record that cannot be sent as it is: where it stands, why, and its text for the dead letter.

    reason: begins with the place, but where a whole batch has one reason.
    batch: number of the batch, from 1, that could not be made; 0 where the fault is the record's own.
    """

    position: int
    reason: str
    line: bytes
    place: str = ""
    batch: int = 0

    @property
    def told(self) -> str:
        """The reason for people, with the record it is about: `line 3: ...`, `record 7: ...`."""
        named = self.place and not self.batch
        return self.reason if named else f"{self.place or f'record {self.position}'}: {self.reason}"


def part_of(block: Block, start: int, stop: int) -> Block:
    """The records of a block from position `start` to before `stop`, both inside it; without its digest."""
    low, high = start - block.first, stop - block.first
    faults = None
    if block.faults:
        faults = {index - low: why for index, why in block.faults.items() if low <= index < high}
    lines = block.lines[low:high]
    return Block(
        first=start,
        lines=lines,
        first_line=None if block.first_line is None else block.first_line + low,
        plain=block.plain,
        faults=faults,
        files=None if block.files is None else block.files[low:high],
        text=None if block.text is None else lines,
    )


def parts_of(block: Block, most: int) -> Iterator[Block]:
    """The block as it is where it has no more than `most` records (0: any number), else in parts that do.

    Each part but the last says that more is at hand; the last one as the block does.
    """
    if not most or len(block.lines) <= most:
        yield block
        return
    end = block.first + len(block.lines)
    for start in range(block.first, end, most):
        stop = min(start + most, end)
        yield msgspec.structs.replace(part_of(block, start, stop), more=block.more or stop < end)
