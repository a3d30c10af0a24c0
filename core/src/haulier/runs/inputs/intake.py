"""What is carried: an input that can name itself, be compared with what a run has read, and give its blocks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

from haulier.errors import ConfigurationError
from haulier.io.readers import open_records, quick_fingerprint
from haulier.io.readers.digest import DigestedReader
from haulier.io.readers.input_hash import InputHash
from haulier.io.readers.jsonl import JsonlReader
from haulier.io.readers.source import STDIN
from haulier.model.block import Block, Chunk, part_of, parts_of
from haulier.model.parts import Reader, ReaderType
from haulier.runs.inputs.positions import PositionSet
from haulier.runs.inputs.spooling import SpoolDoors

__all__ = ["Input", "Intake", "RecordsLike", "Shaped", "in_pieces"]

RecordsLike: TypeAlias = "str | os.PathLike[str] | Iterable[Mapping[str, Any]] | Iterable[bytes]"


@runtime_checkable
class Input(Protocol):
    """What a run reads from. repeatable: whether `blocks` gives the same records when called again. at_hand: whether
    hardly any of them has to be waited for.
    """

    name: str
    at_hand: bool
    repeatable: bool

    def fingerprint(self) -> str:
        """What finds candidates for a resume; empty where there is nothing."""
        ...

    def whole_digest(self, hashed_by: InputHash) -> tuple[int, bytes | None]:
        """(how many records, the digest) of the whole input, read now."""
        ...

    def begin(self, position: int, chunks: dict[str, Chunk], known: PositionSet) -> None:
        """The run is open: where the next new record stands, and what an earlier sitting has."""
        ...

    def blocks(self, hashed_by: InputHash, *, cut: int = 0, most: int = 0) -> Iterator[Block]:
        """The records in order; a block ends at position `cut`, and holds `most` at most where that is given."""
        ...


class Intake:
    """One input. name: as messages and reports call it. repeatable: whether it can be read again for a resume.

    format: overrides the file's ending. limit: reads no more than so many records. readers: all that are installed.
    resumed: of standard input, what an earlier sitting has kept. doors: of standard input, to be given a spool.
    """

    def __init__(
        self,
        records: RecordsLike,
        *,
        format: str | None = None,
        limit: int | None = None,
        readers: Iterable[ReaderType] | None = None,
        resumed: bool = False,
    ) -> None:
        if limit is not None and limit < 0:
            raise ConfigurationError(
                f"limit: {limit} is no number of records; give 0 or more, or leave it out"
            )
        self._limit = limit
        self.format = format
        self._path = os.fspath(records) if isinstance(records, str | os.PathLike) else None
        types = None if readers is None else tuple(readers)
        self.doors = SpoolDoors(alone=resumed) if self._path == STDIN else None
        self._reader: Reader = open_records(records, format=format, types=types, doors=self.doors)
        self.repeatable = self._reader.repeatable
        self.name = "standard input" if self._path == STDIN else self._path or "records from Python"
        # Unpacking takes longer than all else, and is done beside the interpreter's lock.
        lines = isinstance(self._reader, JsonlReader) and self.file is not None
        self.at_hand = lines and not (self._path or "").lower().endswith(".gz")

    @property
    def readable_elsewhere(self) -> bool:
        """Whether another process that opens the file gets the very same blocks: core's own reader reads all of it."""
        own = type(self._reader).__module__.startswith("haulier.io.readers.")
        return own and self._limit is None and self.file is not None

    @property
    def file(self) -> Path | None:
        """The file that is read; None where it is none, or not known."""
        if self._path is None or self._path == STDIN:
            return None
        path = Path(self._path)
        return path if path.is_file() else None

    def fingerprint(self) -> str:
        """The quick fingerprint that finds candidates for a resume; empty where there is none."""
        if self._path is None or not self.repeatable:
            return ""
        quick = quick_fingerprint(self._path)
        if quick is None:
            return ""
        told = f"{quick.sha256.hex()[:32]}.{quick.size}"
        return told if self._limit is None else f"{told}.{self._limit}"

    def blocks(self, hashed_by: InputHash, *, cut: int = 0, most: int = 0) -> Iterator[Block]:
        """The records with the running digest; a block ends at position `cut`, so that a resume can compare there."""
        return DigestedReader(Shaped(self._reader, self._limit, cut, most), hashed_by).blocks()

    def whole_digest(self, hashed_by: InputHash) -> tuple[int, bytes | None]:
        """(how many records, the digest) of the whole input, read now."""
        count, digest = 0, None
        for block in self.blocks(hashed_by):
            count, digest = block.first + len(block.lines), block.digest
        return count, digest() if digest is not None else None

    def begin(self, position: int, chunks: dict[str, Chunk], known: PositionSet) -> None:
        """Nothing to do: the input is read from its beginning."""

    def hints(self) -> tuple[str, ...]:
        """What whoever wrote the input may have meant otherwise, as far as it was read."""
        return tuple(getattr(self._reader, "hints", ()))

    def plain_blocks(self, *, most: int = 0) -> Iterator[Block]:
        """The records without a digest, for previews; reads no further than it is asked."""
        return Shaped(self._reader, self._limit, 0, most).blocks()


class Shaped:
    """A reader's blocks, no more than `limit` records, with a block ending at `cut`, and of `most` records (0: any)."""

    def __init__(self, reader: Reader, limit: int | None, cut: int, most: int = 0) -> None:
        self.repeatable = reader.repeatable
        self._reader, self._limit, self._cut, self._most = reader, limit, cut, most

    def blocks(self) -> Iterator[Block]:
        """The records in order."""
        blocks = self._reader.blocks()
        cut = _cut(blocks if self._limit is None else _first(blocks, self._limit), self._cut)
        return in_pieces(cut, self._most)


def in_pieces(blocks: Iterable[Block], most: int) -> Iterator[Block]:
    """The blocks, none of more than `most` records (0: any) but chunks, which are taken in whole; see `parts_of`."""
    for block in blocks:
        yield from parts_of(block, 0 if block.chunk is not None else most)


def _cut(blocks: Iterable[Block], position: int) -> Iterator[Block]:
    for block in blocks:
        end = block.first + len(block.lines)
        if block.first < position < end:
            yield part_of(block, block.first, position)
            yield part_of(block, position, end)
        else:
            yield block


def _first(blocks: Iterable[Block], most: int) -> Iterator[Block]:
    if most <= 0:
        return
    for block in blocks:
        end = block.first + len(block.lines)
        if end < most:
            yield block
            continue
        yield part_of(block, block.first, min(end, most)) if end > most else block
        return
