"""The book of a run under way: what came of each request, as rows for the next commit and as counts.

Pure bookkeeping between the driver, which acts, and the ledger, which keeps. Every record that was read is in exactly
one state: read = pending + sending + delivered + accepted + rejected + in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from haulier.io.ledger.rows import Commit, RunRow, Unsettled, intent_row
from haulier.model.block import Block, RejectedRecord
from haulier.model.delivery import State, Verdict
from haulier.model.request import Request, Response

__all__ = ["Book", "Delivered"]

_STATES = {
    "delivered": State.DELIVERED,
    "accepted": State.ACCEPTED,
    "rejected": State.REJECTED,
    "unknown": State.IN_DOUBT,
}


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """What an observer is told of one request that was settled."""

    number: int
    positions: Sequence[int]
    state: State
    status: int | None
    attempts: int
    reason: str
    ticket: str
    response: Response | None
    request: Request


class Book:
    """lines: makes the output lines of a settled request; outputs: how many outputs each line is owed to.

    redact: takes secrets out of what is kept: a service may send them back in its answer.
    """

    def __init__(
        self,
        run: RunRow,
        *,
        outputs: int = 0,
        lines: Callable[[Delivered], list[bytes]] | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._run = run
        self._outputs = outputs
        self._lines = lines
        self._redact = redact
        self._commit = Commit()
        self._unsettled: dict[int, int] = {}
        self._read = run.read
        self._pending_from = run.low_water
        self._seq = 0

    # -- taking in -----------------------------------------------------------------------------------------------

    def took(self, block: Block, held: int | None) -> None:
        """A block was planned; `held`: position of the oldest record the planner still holds."""
        end = block.first + len(block.lines)
        self._read = max(self._read, end)
        self._commit.read = self._read
        if block.digest is not None:
            self._commit.digest = block.digest
        if block.chunk is not None:
            self._commit.chunks.append((block.chunk, block.first, len(block.lines)))
        self._pending_from = end if held is None else held

    def rejected_unsent(self, rejected: Sequence[RejectedRecord]) -> None:
        """Records that never became a request."""
        rows = self._commit.records
        rows += [(record.position, State.REJECTED, None, record.reason, record.line) for record in rejected]
        self._commit.rejected += len(rejected)

    def intend(self, request: Request, stored: bytes | None) -> None:
        """This request may be sent once the next commit is durable."""
        self._commit.intents.append(intent_row(self._run.id, request, stored))
        self._unsettled[request.number] = request.positions[0]

    # -- settling ------------------------------------------------------------------------------------------------

    def settle(
        self, request: Request, verdict: Verdict, attempts: int, response: Response | None
    ) -> Delivered:
        """The records of a request come to rest; outputs are owed their lines from the same commit on."""
        state = _STATES[verdict.kind]
        count, commit = len(request.positions), self._commit
        status = response.status if response is not None else None
        reason = self._redact(verdict.reason) if verdict.reason else ""
        commit.outcomes.append(
            (state, status, attempts, reason or None, verdict.ticket or None, self._id(request))
        )
        commit.attempts += attempts
        if state == State.DELIVERED:
            commit.delivered += count
        elif state == State.ACCEPTED:
            commit.accepted += count
        else:
            if state == State.REJECTED:
                commit.rejected += count
            else:
                commit.in_doubt += count
            texts: Sequence[bytes | None] = request.records or [None] * count
            commit.records += [
                (position, state, request.number, reason, text)
                for position, text in zip(request.positions, texts, strict=True)
            ]
        del self._unsettled[request.number]
        told = Delivered(
            number=request.number,
            positions=request.positions,
            state=state,
            status=status,
            attempts=attempts,
            reason=reason,
            ticket=verdict.ticket,
            response=response,
            request=request,
        )
        if self._outputs and self._lines is not None:
            self._owe([self._redact(line.decode()).encode() for line in self._lines(told)])
        return told

    def park(self, left: Unsettled, reason: str) -> None:
        """A request of an earlier sitting that cannot be made again: its records are in doubt, never sent by itself."""
        self._commit.outcomes.append(
            (State.IN_DOUBT, None, 0, reason, None, self._run.id << 40 | left.number)
        )
        self._commit.in_doubt += len(left.positions)
        self._commit.records += [
            (position, State.IN_DOUBT, left.number, reason, None) for position in left.positions
        ]

    def put_back(self, request: Request, reason: str, attempts: int, status: int | None) -> None:
        """The request is tried again later: its records are pending meanwhile."""
        self._commit.outcomes.append(
            (State.PENDING, status, attempts, self._redact(reason) or None, None, self._id(request))
        )
        self._commit.attempts += attempts

    def paid(self, seqs: Sequence[int]) -> None:
        """An output has made these lines durable."""
        self._commit.paid += seqs

    def owed_before(self, seqs: Sequence[int]) -> None:
        """Lines an earlier sitting still owes: go on counting after them."""
        self._seq = max([self._seq, *(seq + 1 for seq in seqs)])

    # -- committing ----------------------------------------------------------------------------------------------

    @property
    def unsettled(self) -> int:
        """Requests intended and not settled."""
        return len(self._unsettled)

    @property
    def anything_new(self) -> bool:
        """Whether the next commit would say anything but how far was read."""
        commit = self._commit
        return bool(commit.outcomes or commit.records or commit.paid or commit.intents)

    def turn(self) -> Commit:
        """The commit filled so far; a new one is begun."""
        commit, self._commit = self._commit, Commit()
        commit.low_water = min([self._pending_from, *self._unsettled.values()])
        return commit

    def _owe(self, lines: list[bytes]) -> None:
        for output in range(self._outputs):
            for line in lines:
                self._commit.owed.append((self._seq, output, line))
                self._seq += 1

    def _id(self, request: Request) -> int:
        return self._run.id << 40 | request.number
