"""Requests kept whole in the ledger, where the input cannot be read again."""

from __future__ import annotations

import msgspec

from haulier.io.files import part_again
from haulier.io.ledger.rows import Unsettled
from haulier.model.request import FilePart, Request, joined

__all__ = ["restore", "store", "stored_records"]


class _Stored(msgspec.Struct, frozen=True):
    method: str
    url: str
    headers: list[tuple[str, str]]
    parts: list[bytes | FilePart]
    whole: bool
    length: int
    records: list[bytes]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Stored).decode


def store(request: Request) -> bytes:
    """The request as bytes, but for what the ledger's row says anyway."""
    whole = isinstance(request.body, bytes)
    parts: list[bytes | FilePart] = [request.body] if isinstance(request.body, bytes) else list(request.body)
    return _encode(
        _Stored(
            request.method,
            request.url,
            list(request.headers),
            parts,
            whole,
            request.length,
            request.records,
        )
    )


def restore(left: Unsettled) -> Request | None:
    """The request again, the same in every byte; None where a file of it is gone, or another one now."""
    assert left.stored is not None
    stored = _decode(left.stored)
    parts = [part_again(part) if isinstance(part, FilePart) else part for part in stored.parts]
    found = [part for part in parts if part is not None]
    if len(found) < len(parts):
        return None
    body = found[0] if stored.whole else tuple(found)
    assert isinstance(body, bytes | tuple)
    return Request(
        number=left.number,
        positions=left.positions,
        method=stored.method,
        url=stored.url,
        headers=tuple(stored.headers),
        body=body,
        length=stored.length,
        sha256=left.sha256,
        key=left.key,
        texts=joined(stored.records),
    )


def stored_records(left: Unsettled) -> list[bytes]:
    """The texts of the records of a request that was kept whole."""
    assert left.stored is not None
    return _decode(left.stored).records
