"""What goes into a ledger and comes out of it, as values."""

from __future__ import annotations

from array import array
from typing import TypeAlias

import msgspec

from haulier.model.delivery import State
from haulier.model.request import Positions, Request

__all__ = [
    "Commit",
    "IntentRow",
    "OutcomeRow",
    "RecordRow",
    "RunRow",
    "Unsettled",
    "intent_row",
    "pack_positions",
    "unpack_positions",
]

# id, first, count, positions, sha256, key, state, stored
IntentRow: TypeAlias = tuple[int, int, int, "bytes | None", bytes, str, int, "bytes | None"]
# state, status, attempts, reason, ticket, id
OutcomeRow: TypeAlias = "tuple[int, int | None, int, str | None, str | None, int]"
# position, state, number, reason, text
RecordRow: TypeAlias = "tuple[int, int, int | None, str, bytes | None]"


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run as the ledger has it. `started` and `ended` in Unix seconds; counts in records."""

    id: int
    run_id: str
    run_key: str
    parent: str
    state: str
    reason: str
    started: float
    ended: float | None
    source: str
    fingerprint: str
    settings: str
    way: str
    read: int
    digest: bytes | None
    low_water: int
    delivered: int
    accepted: int
    rejected: int
    in_doubt: int
    attempts: int


class Unsettled(msgspec.Struct, frozen=True, kw_only=True):
    """An intent without outcome: it may have been sent (SENDING) or waits for another try (PENDING)."""

    number: int
    positions: Positions
    sha256: bytes
    key: str
    state: State
    attempts: int
    status: int | None
    stored: bytes | None

    @property
    def may_have_been_sent(self) -> bool:
        """Whether an attempt may have reached the server: unanswered, 408, 5xx, or a crash in the middle."""
        if self.state == State.SENDING:
            return True
        return self.attempts > 0 and (self.status is None or self.status == 408 or self.status >= 500)


class Commit(msgspec.Struct, kw_only=True):
    """One transaction: outcomes of finished requests, intents of the next window, and how far the input was read.

    owed: (seq, output, line) that outputs are to make durable; paid: the seqs of those that have.
    chunks: (id, first position, records) as pushed. Counts are what this
    commit adds, in records; attempts in requests.
    """

    intents: list[IntentRow] = []
    outcomes: list[OutcomeRow] = []
    records: list[RecordRow] = []
    owed: list[tuple[int, int, bytes]] = []
    paid: list[int] = []
    chunks: list[tuple[str, int, int]] = []
    read: int = 0
    digest: bytes | None = None
    low_water: int = 0
    delivered: int = 0
    accepted: int = 0
    rejected: int = 0
    in_doubt: int = 0
    attempts: int = 0


def intent_row(run: int, request: Request, stored: bytes | None) -> IntentRow:
    """The row that says: this request may be sent from now on."""
    positions = request.positions
    return (
        run << 40 | request.number,
        positions[0],
        len(positions),
        pack_positions(positions),
        request.sha256,
        request.key,
        State.SENDING,
        stored,
    )


def pack_positions(positions: Positions) -> bytes | None:
    """Positions as stored: None where they are consecutive, else 64-bit little-endian integers."""
    return None if isinstance(positions, range) else positions.tobytes()


def unpack_positions(first: int, count: int, packed: bytes | None) -> Positions:
    """The positions again."""
    if packed is None:
        return range(first, first + count)
    positions = array("q")
    positions.frombytes(packed)
    return positions
