"""The running SHA-256 over what was read, the same for every reader and every size of block."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from haulier.model.block import Block
from haulier.model.parts import Reader

__all__ = ["DigestedReader"]


class DigestedReader:
    """Another reader's blocks with `digest` filled in.

    The digest at a position is the SHA-256 of every record's line before it, each followed by a line feed. So
    it depends on the records alone: not on the size of blocks, on blank lines, on CRLF, or on whether the
    input is packed.
    """

    def __init__(self, reader: Reader) -> None:
        self.repeatable = reader.repeatable
        self._reader = reader

    def blocks(self) -> Iterator[Block]:
        """Yield the reader's blocks, each with the digest up to its end."""
        running = hashlib.sha256()
        for block in self._reader.blocks():
            running.update(b"\n".join(block.lines))
            running.update(b"\n")
            yield msgspec.structs.replace(block, digest=running.digest())
