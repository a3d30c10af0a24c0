"""What a planner in another process says: a frame for each block, its bodies and texts in shared memory.

A frame is its length in four bytes and a msgpack value. The bodies and texts of its requests lie one behind the other
in a slot of the shared memory, where they find room there; else they follow the frame in the pipe.
"""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Sequence
from hashlib import sha256
from struct import Struct

import msgspec

from haulier.model.block import RejectedRecord
from haulier.model.request import Header, Positions, Request, Within
from haulier.pipeline.planner import Planner
from haulier.runs.planning.beginning import SLOT_BYTES

__all__ = [
    "LENGTH",
    "Failed",
    "Frame",
    "Row",
    "framed",
    "place",
    "requests_of",
    "rows_of",
    "said",
]

LENGTH = Struct("<I")


class Row(msgspec.Struct, array_like=True, gc=False):
    """A request: records from `start` to before `stop`, or where they do not follow each other, `positions` as int64.

    head: which of the frame's `heads` it has. length and texts: bytes of body and texts, which lie behind those before.
    within: see Within. digest: the SHA-256 of the body, where it was worked out.
    """

    start: int
    stop: int
    head: int
    length: int
    texts: int
    positions: bytes = b""
    within: Within = ""
    digest: bytes = b""


class Frame(msgspec.Struct, array_like=True, gc=False, tag="frame"):
    """What came of a block.

    first, first_line and count: of its records; held and digest: see Planner and Block. heads: URLs with the headers
    that requests have besides their keys. inline: whether their bytes follow the frame, `size` of them. remarks: of the
    planner. last: of those held until the end, without a block.
    """

    first: int
    first_line: int | None
    count: int
    held: int | None
    digest: bytes
    heads: list[tuple[str, tuple[Header, ...]]]
    rows: list[Row]
    rejected: list[RejectedRecord]
    remarks: tuple[str, ...]
    size: int
    inline: bool = False
    last: bool = False


class Failed(msgspec.Struct, array_like=True, gc=False, tag="failed"):
    """That planning ended with an error: the name of its class in `haulier.errors`, or empty, and what it says."""

    kind: str
    message: str


said = msgspec.msgpack.Decoder(Frame | Failed).decode
_encode = msgspec.msgpack.Encoder().encode


def framed(value: Frame | Failed) -> bytes:
    """The value as it travels."""
    told = _encode(value)
    return LENGTH.pack(len(told)) + told


def rows_of(
    requests: Sequence[Request], *, hashed: bool
) -> tuple[list[tuple[str, tuple[Header, ...]]], list[Row], list[bytes]]:
    """The heads and rows of a frame, and the bytes that belong to it, in order. hashed: with the bodies' digests."""
    heads: list[tuple[str, tuple[Header, ...]]] = []
    rows: list[Row] = []
    pieces: list[bytes] = []
    for request in requests:
        body, texts, head = request.body, request.texts, (request.url, request.headers)
        assert isinstance(body, bytes)  # what carries files is planned where they are seen to
        if not heads or heads[-1] != head:
            heads.append(head)
        pieces += (body, texts) if texts else (body,)
        digest = sha256(body).digest() if hashed else b""
        positions = request.positions
        span, apart = (positions, b"") if isinstance(positions, range) else (range(0), positions.tobytes())
        rows.append(
            Row(span.start, span.stop, len(heads) - 1, len(body), len(texts), apart, request.within, digest)
        )
    return heads, rows, pieces


def place(pieces: Sequence[bytes], memory: mmap.mmap, slot: int) -> None:
    """Write the pieces into a slot that has room for them."""
    at = slot * SLOT_BYTES
    for piece in pieces:
        memory[at : at + len(piece)] = piece
        at += len(piece)


def requests_of(frame: Frame, data: bytes | mmap.mmap, at: int, planner: Planner) -> list[Request]:
    """The requests of a frame again, sealed and numbered by this planner. data: holds their bytes from `at` on."""
    requests: list[Request] = []
    heads, receive = frame.heads, planner.receive
    for row in frame.rows:
        url, headers = heads[row.head]
        between = at + row.length
        end = between + row.texts
        requests.append(
            receive(
                url, headers, _positions(row), data[at:between], data[between:end], row.within, row.digest
            )
        )
        at = end
    return requests


def _positions(row: Row) -> Positions:
    return array("q", row.positions) if row.positions else range(row.start, row.stop)
