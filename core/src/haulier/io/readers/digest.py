"""The running hash over what was read, the same for every reader and every size of block."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

import msgspec

from haulier.io.readers.input_hash import InputHash
from haulier.model.block import Block, Text
from haulier.model.parts import Reader

__all__ = ["DigestedReader"]

_MOST_BYTES = 8 << 20  # of texts that wait to be hashed


class DigestedReader:
    """Another reader's blocks with `digest` filled in.

    The digest at a position is the hash of every record's line before it, each followed by a line feed, behind
    what says which hash that is. So it depends on the records alone: not on the size of blocks, on blank lines, on
    CRLF, or on whether the input is packed.
    """

    def __init__(self, reader: Reader, hashed_by: InputHash) -> None:
        self.repeatable = reader.repeatable
        self._reader = reader
        self._hashed_by = hashed_by

    def blocks(self) -> Iterator[Block]:
        """Yield the reader's blocks, each with the digest up to its end."""
        running = _Running(self._hashed_by)
        for block in self._reader.blocks():
            # A reader that has the very bytes spares joining the lines again, which are in no cache any more.
            text = block.text if block.text is not None else (b"\n".join((*block.lines, b"")),)
            yield msgspec.structs.replace(block, digest=running.after(text), text=None)


class _Running:
    """Hashes texts in their order when a digest is asked for: by the ledger's thread, beside the interpreter's lock."""

    def __init__(self, hashed_by: InputHash) -> None:
        self._hash, self._prefix = hashed_by.begun(), hashed_by.prefix
        self._behind: deque[_Digest] = deque()
        self._added, self._done = 0, 0  # bytes; the first by who adds, the second under the lock
        self._lock = threading.Lock()

    def after(self, text: Text) -> _Digest:
        """The digest when this text has been added."""
        digest = _Digest(self, text)
        self._behind.append(digest)
        self._added += sum(map(len, text))
        while self._added - self._done > _MOST_BYTES:
            self._hash_oldest()
        return digest

    def work_out(self, digest: _Digest) -> bytes:
        """This digest, and with it all before it."""
        while digest.value is None:
            self._hash_oldest()
        return digest.value

    def _hash_oldest(self) -> None:
        with self._lock:
            if self._behind:
                oldest = self._behind.popleft()
                for piece in oldest.text:
                    self._hash.update(piece)
                    self._done += len(piece)
                oldest.value, oldest.text = self._prefix + self._hash.digest(), ()


class _Digest:
    """A digest that is worked out when it is called. value: None until then; text: what is not hashed until then."""

    __slots__ = ("_running", "text", "value")

    def __init__(self, running: _Running, text: Text) -> None:
        self._running = running
        self.text = text
        self.value: bytes | None = None

    def __call__(self) -> bytes:
        """The digest as it is stored; in any thread."""
        return self._running.work_out(self)
