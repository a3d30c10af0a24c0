"""What is said of a finished body without reading its files: how long it is, and its digest."""

from __future__ import annotations

from hashlib import sha256

from haulier.model.request import Body, FilePart

__all__ = ["digest_of", "length_of"]


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
