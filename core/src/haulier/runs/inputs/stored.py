"""Requests kept whole in the ledger, where the input cannot be read again."""

from __future__ import annotations

import msgspec

from haulier.io.ledger.rows import Unsettled
from haulier.model.request import FilePart, Request, joined

__all__ = ["restore", "store"]


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


def restore(left: Unsettled) -> Request:
    """The request again, the same in every byte."""
    assert left.stored is not None
    stored = _decode(left.stored)
    body = stored.parts[0] if stored.whole else tuple(stored.parts)
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
