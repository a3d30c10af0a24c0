"""Which hash function makes the digests over an input, and which one made a digest that is stored."""

from __future__ import annotations

from enum import Enum
from hashlib import sha256
from typing import Protocol

from haulier.errors import LedgerError

__all__ = ["InputHash"]


class Running(Protocol):
    """A hash that is under way."""

    def update(self, data: bytes | memoryview, /) -> object:
        """Add these bytes."""
        ...

    def digest(self) -> bytes:
        """The hash of what was added so far, 32 bytes."""
        ...


class InputHash(Enum):
    """A hash function. title: as people know it. prefix: what its digests begin with, so that they say whose they are.

    The prefix is that of a multihash (code, length): https://multiformats.io/multihash/,
    https://github.com/multiformats/multicodec/blob/master/table.csv. Earlier versions stored a SHA-256 alone.
    """

    SHA_256 = ("SHA-256", b"")
    BLAKE3 = ("BLAKE3", b"\x1e\x20")

    def __init__(self, title: str, prefix: bytes) -> None:
        self.title = title
        self.prefix = prefix

    @classmethod
    def of(cls, digest: bytes | None) -> InputHash:
        """The one that made a stored digest; None: the one for an input of which no digest is stored.

        Raises LedgerError for the digest of one that is not known.
        """
        if digest is None:
            return cls.BLAKE3 if cls.BLAKE3.installed else cls.SHA_256
        for one in cls:
            if digest.startswith(one.prefix) and len(digest) == len(one.prefix) + _BYTES:
                return one
        raise LedgerError(f"the digest {digest.hex()} is of no hash function that is known: upgrade haulier")

    @property
    def installed(self) -> bool:
        """Whether it can be worked out here."""
        try:
            self.begun()
        except ImportError:
            return False
        return True

    def begun(self) -> Running:
        """A hash of nothing so far; ImportError where it is not installed."""
        if self is InputHash.SHA_256:
            return sha256()
        from blake3 import blake3  # noqa: PLC0415 - an extra, and only where an input is hashed

        return blake3()  # in this thread alone: others would be taken from whoever embeds the run


_BYTES = 32
