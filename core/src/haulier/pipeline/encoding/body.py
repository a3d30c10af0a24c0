"""A finished body as it goes out: how long it is, and its digest, without reading its files."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from hashlib import sha256

import msgspec

from haulier.model.request import Body, FilePart, Within

__all__ = ["Packed", "digest_of", "gzipped", "length_of", "packed"]


class Packed(msgspec.Struct, frozen=True, gc=False):
    """A body as it goes out. content: bytes, or parts where a file is among them; sha256: see `digest_of`.

    within: see Within.
    """

    content: bytes | tuple[bytes | FilePart, ...]
    length: int
    sha256: bytes
    media_type: str
    within: Within = ""


def packed(body: Body, compress: Callable[[bytes], bytes] | None, *, sealed: bool = True) -> Packed:
    """The body as it goes out; compress: what becomes of one without files, None where it stays as it is.

    sealed: False leaves the digest of one without files empty, for whoever works it out elsewhere.
    """
    within = body.within
    whole = body.parts[0] if len(body.parts) == 1 else _joined(body.parts)
    if not isinstance(whole, bytes):
        return Packed(body.parts, length_of(body), digest_of(body), body.media_type)
    if compress is not None:
        whole, within = compress(whole), ""
    return Packed(whole, len(whole), sha256(whole).digest() if sealed else b"", body.media_type, within)


def gzipped(data: bytes) -> bytes:
    """The same compressed, without a time in it: the same bytes always, as long as zlib stays the same."""
    return gzip.compress(data, compresslevel=6, mtime=0)


def _joined(parts: Sequence[bytes | FilePart]) -> bytes | None:
    """All parts as one; None where a file is among them."""
    found = [part for part in parts if isinstance(part, bytes)]
    return b"".join(found) if len(found) == len(parts) else None


def length_of(body: Body) -> int:
    """Bytes the whole body has on the wire, each file at the size it was seen with."""
    return sum(part.size if isinstance(part, FilePart) else len(part) for part in body.parts)


def digest_of(body: Body) -> bytes:
    """32 bytes that only the same body has.

    Without files: the SHA-256 of the body. With files: the SHA-256 over the parts in order, where each file
    stands as its own 32-byte SHA-256. The planner knows a file's hash from the pass that found it, and never
    reads it again; so preview and resume can name and compare a body of gigabytes at once.
    """
    whole = sha256()
    for part in body.parts:
        whole.update(part.sha256 if isinstance(part, FilePart) else part)
    return whole.digest()
