"""The words in which a fault is written: what a server does with a connection, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Pause:
    """Say nothing for so long."""

    seconds: float


@dataclass(frozen=True)
class Forever:
    """Say this again and again until the client goes."""

    content: bytes
    every_s: float = 0.0


@dataclass(frozen=True)
class Reset:
    """Close with RST."""


@dataclass(frozen=True)
class Close:
    """Close with FIN."""


Step: TypeAlias = "bytes | Pause | Forever | Reset | Close"
Steps: TypeAlias = "tuple[Step, ...]"


def says(
    status: int,
    body: bytes = b"{}",
    *,
    media_type: str = "application/json",
    length: int | None = None,
    **headers: str,
) -> bytes:
    """An answer; length: announced instead of the true one; further headers by name, `_` for a hyphen."""
    lines = [
        f"HTTP/1.1 {status} Said",
        f"Content-Type: {media_type}",
        f"Content-Length: {len(body) if length is None else length}",
    ]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


GOOD = says(200, b'{"ok":true,"results":[{"is":"ok"},{"is":"ok"},{"is":"ok"}]}')
