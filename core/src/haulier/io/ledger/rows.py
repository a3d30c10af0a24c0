"""What goes into a ledger and comes out of it, as values."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from haulier.io.ledger.ids import row_id
from haulier.model.delivery import State
from haulier.model.request import Positions, Request

__all__ = [
    "NOT_SENT",
    "Commit",
    "IntentRow",
    "Job",
    "OnwardRow",
    "OutcomeRow",
    "RecordRow",
    "ReplayRow",
    "RunRow",
    "Unsettled",
    "intent_row",
    "may_have_arrived",
    "more_telling",
    "pack_positions",
    "record_rows",
    "unpack_positions",
]

# No answer, or one of a server that gave up: the request may have been carried out all the same.
_UNANSWERED = frozenset({None, 408, 500, 502, 504})
# As the status of a request that waits: none of its attempts can have been carried out.
NOT_SENT = 0
# id, first, count, positions, sha256, key, state, stored, parent
IntentRow: TypeAlias = tuple[int, int, int, "bytes | None", bytes, str, int, "bytes | None", "int | None"]
# state, status, attempts, reason, ticket, id
OutcomeRow: TypeAlias = "tuple[int, int | None, int, str | None, str | None, int]"
# position, state, number, reason, text
RecordRow: TypeAlias = "tuple[int, int, int | None, str, bytes | None]"


def may_have_arrived(status: int | None) -> bool:
    """Whether a request whose attempt came to this status may have been carried out all the same."""
    return status in _UNANSWERED or (status is not None and status >= 500)


def more_telling(earlier: int | None, later: int | None) -> int | None:
    """Of what two attempts of a request came to, the one that makes it likelier that it was carried out."""
    if later == NOT_SENT or (earlier in _UNANSWERED and later not in _UNANSWERED):
        return earlier
    return earlier if may_have_arrived(earlier) and not may_have_arrived(later) else later


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run as the ledger has it. `started` and `ended` in Unix seconds; counts in records.

    parent: of a replay, the ids of the runs whose dead letters it carries, with commas between. active_s: seconds under
    way, over all sittings; busy_s, waited_s: sums over its requests, of their attempts and of the waits between.
    cut_off: requests without outcome when a process ended, summed over sittings: of each, attempts may have gone out
    that `attempts` does not count. chain, stage: of a later stage of a chain, the id of the chain's run, and the name;
    the run of a chain is the run of its first stage.
    """

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
    active_s: float = 0.0
    busy_s: float = 0.0
    waited_s: float = 0.0
    compacted: int = 0
    chain: int = 0
    stage: str = ""
    cut_off: int = 0


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
    def never_left(self) -> bool:
        """Whether nothing of it can have been carried out in any sitting: a stop put it back, as was each attempt.

        What a crash left is SENDING, and where a later stop puts that back, its status says that it may have gone out.
        """
        return self.state == State.PENDING and self.status == NOT_SENT

    @property
    def may_have_been_sent(self) -> bool:
        """Whether an attempt may have reached the server: unanswered, 408, 5xx, or a crash in the middle."""
        return may_have_arrived(self.came_to)

    @property
    def unanswered(self) -> bool:
        """Whether an attempt got no answer that says what became of it: what `unanswered: park` leaves alone."""
        return self.came_to in _UNANSWERED

    @property
    def came_to(self) -> int | None:
        """The most telling status of its attempts so far: None where one got no answer, or may have been under way."""
        return None if self.state == State.SENDING else self.status


class OnwardRow(msgspec.Struct, frozen=True, kw_only=True):
    """A record that goes on to a later stage. run: that stage's; parent: of the run whose answer made it, by row.

    place: which of the records that the answer made. root, places, failed, fault: see `haulier.io.ledger.onward`.
    """

    run: int
    parent: int
    parent_position: int
    place: int
    root: int
    places: str
    failed: str | None
    fault: str | None
    text: bytes


class Commit(msgspec.Struct, kw_only=True):
    """One transaction: outcomes of finished requests, intents of the next window, and how far the input was read.

    before: outcomes that come before the intents, of requests that are tried once more in this very commit.
    slow: (number, seconds) of slow requests. owed: (seq, output, line) that outputs are to make durable; paid: the
    seqs of those that have. outbox: the run that owes them, where not this one: lines of a chain are owed by its run.
    onward: records that go on to later stages of a chain.
    delivered_at_once: (status, attempts) -> ids of requests that were delivered whole, with nothing else to say of
    them; they come after the outcomes. split: (status, attempts, reason, id) of requests that go on as two. chunks:
    (id, first position, records, SHA-256 of their lines), as pushed. jobs: (id, texts of its records, whether
    outputs know of it) of requests that were accepted; asking: ids of those that are asked for next; answers:
    (status, body of the last answer, id); told: ids that outputs know of now; found: positions of records that are
    no dead letters any more.
    digest: gives the digest of the input as far as it was read; worked out where the commit is written.
    Counts are what this commit adds, in records; attempts in requests.
    """

    intents: list[IntentRow] = []
    outcomes: list[OutcomeRow] = []
    delivered_at_once: dict[tuple[int | None, int], list[int]] = {}
    records: list[RecordRow] = []
    owed: list[tuple[int, int, bytes]] = []
    outbox: int = 0
    paid: list[int] = []
    onward: list[OnwardRow] = []
    chunks: list[tuple[str, int, int, bytes | None]] = []
    split: list[tuple[int | None, int, str, int]] = []
    before: list[OutcomeRow] = []
    slow: list[tuple[int, float]] = []
    jobs: list[tuple[int, bytes, bool]] = []
    asking: list[int] = []
    answers: list[tuple[int | None, bytes | None, int]] = []
    told: list[int] = []
    found: list[int] = []
    read: int = 0
    digest: Callable[[], bytes] | None = None
    low_water: int = 0
    delivered: int = 0
    accepted: int = 0
    rejected: int = 0
    in_doubt: int = 0
    attempts: int = 0
    busy_s: float = 0.0
    waited_s: float = 0.0

    def count(self, state: State, records: int) -> None:
        """So many records came to this state; fewer than none where they left it."""
        if state == State.DELIVERED:
            self.delivered += records
        elif state == State.ACCEPTED:
            self.accepted += records
        elif state == State.REJECTED:
            self.rejected += records
        else:
            self.in_doubt += records


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was accepted, and what is known of its job.

    asking: the last question has no answer that the ledger knows of. told: outputs know that it was accepted. lost: its
    records are in doubt, as an answer was lost. texts: of its records; empty where the ledger does not have them.
    """

    number: int
    positions: Positions
    ticket: str
    status: int | None
    attempts: int
    asking: bool
    told: bool
    lost: bool
    texts: Sequence[bytes]


class ReplayRow(msgspec.Struct, frozen=True, kw_only=True):
    """One record of a replay: the dead letter it comes from, by id of the run's row and position, and its text now.

    stage: the later stage of a chain at which it begins; empty: the first one. root, places: see OnwardRow.
    included: it begins with a record that is there before it, and is not sent by itself.
    """

    parent: int
    parent_position: int
    text: bytes
    stage: str = ""
    root: int = 0
    places: str = ""
    included: bool = False


def intent_row(run: int, request: Request, stored: bytes | None) -> IntentRow:
    """The row that says: this request may be sent from now on."""
    positions = request.positions
    if type(positions) is range:
        first, count, packed = positions.start, positions.stop - positions.start, None
    else:
        first, count, packed = positions[0], len(positions), pack_positions(positions)
    return (
        row_id(run, request.number),
        first,
        count,
        packed,
        request.sha256,
        request.key,
        State.SENDING,
        stored,
        request.parent,
    )


def record_rows(
    positions: Sequence[int], state: State, number: int, reason: str, texts: Sequence[bytes]
) -> list[RecordRow]:
    """The rows of records of one request that were rejected or are in doubt. texts: of each; empty where unknown."""
    known: Sequence[bytes | None] = texts or [None] * len(positions)
    return [(position, state, number, reason, text) for position, text in zip(positions, known, strict=True)]


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
