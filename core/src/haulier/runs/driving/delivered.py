"""What observers and outputs are told of records that came to rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from haulier.io.ledger.rows import Unsettled
from haulier.model.block import RejectedRecord
from haulier.model.delivery import State
from haulier.model.request import Request, Response

__all__ = ["Delivered", "LinesOf", "owed_lines"]


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """What an observer is told of records of one request that came to rest together.

    positions and records: all of the request's, or those of which the answer said the same. stage: of a chain.
    """

    number: int
    positions: Sequence[int]
    records: Sequence[bytes]
    state: State
    status: int | None
    attempts: int
    reason: str
    ticket: str
    response: Response | None
    request: Request
    stage: str = ""


class LinesOf(Protocol):
    """What outputs are told: (the outputs, by number, that a line is owed to; the line)."""

    def settled(self, told: Delivered) -> list[tuple[list[int], bytes]]:
        """Of records that came to rest."""
        ...

    def unsent(self, rejected: RejectedRecord) -> list[tuple[list[int], bytes]]:
        """Of a record that never became a request."""
        ...

    def parked(self, left: Unsettled, reason: str, texts: Sequence[bytes]) -> list[tuple[list[int], bytes]]:
        """Of a request of an earlier sitting that is not made again; texts: of its records, where they are known."""
        ...


def owed_lines(
    lines: Iterable[tuple[list[int], bytes]], redact: Callable[[str], str]
) -> list[tuple[int, bytes]]:
    """(output, line) for each output that a line is owed to, without secrets. lines: as `LinesOf` gives them."""
    owed: list[tuple[int, bytes]] = []
    for outputs, line in lines:
        clean = redact(line.decode()).encode()
        owed += [(output, clean) for output in outputs]
    return owed
