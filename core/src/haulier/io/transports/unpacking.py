"""Bodies of answers, decompressed without ever growing beyond what is allowed."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

__all__ = ["TooLong", "unpacked"]

# https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1; `deflate` means zlib's format, and some send the bare one.
_WINDOWS = {"gzip": (16 + zlib.MAX_WBITS,), "x-gzip": (16 + zlib.MAX_WBITS,), "deflate": (15, -15)}
_GZIP_BEGINS = b"\x1f\x8b"


class TooLong(ValueError):
    """A body that is longer than allowed once it is decompressed."""


def unpacked(body: bytes, codings: Sequence[str], max_bytes: int) -> bytes:
    """The body without its codings, given in the order they were applied; one we do not know is left as it is.

    Raises TooLong beyond `max_bytes`, zlib.error where the body is not what its coding says or breaks off.
    """
    if not body:
        return body
    for coding in reversed([name.strip().lower() for written in codings for name in written.split(",")]):
        if coding in ("identity", ""):
            continue
        if coding not in _WINDOWS:
            return body
        body = _inflated(body, _WINDOWS[coding], max_bytes)
    return body


def _inflated(body: bytes, windows: tuple[int, ...], max_bytes: int) -> bytes:
    window, *others = windows
    try:
        return _members(body, window, max_bytes)
    except zlib.error:
        if not others:
            raise
    return _members(body, others[0], max_bytes)


def _members(body: bytes, window: int, max_bytes: int) -> bytes:
    """All members of a gzip body, of which there may be many; of deflate there is one."""
    pieces: list[bytes] = []
    room = max_bytes
    while True:
        inflating = zlib.decompressobj(window)
        piece = inflating.decompress(body, room + 1)
        room -= len(piece)
        if room < 0:
            raise TooLong
        if not inflating.eof:
            raise zlib.error("the packed body breaks off")
        pieces.append(piece)
        body = inflating.unused_data
        if not body.startswith(_GZIP_BEGINS) or window < 16:
            return b"".join(pieces)
