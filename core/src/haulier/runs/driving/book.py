"""The book of a run under way: what came of each request, as rows for the next commit and as counts.

Pure bookkeeping between the driver, which acts, and the ledger, which keeps. Every record that was read is in exactly
one state: read = pending + sending + delivered + accepted + rejected + in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from haulier.io.ledger.ids import row_id
from haulier.io.ledger.rows import (
    NOT_SENT,
    Commit,
    OutcomeRow,
    RunRow,
    Unsettled,
    intent_row,
    record_rows,
)
from haulier.model.block import Block, RejectedRecord
from haulier.model.delivery import State, Verdict
from haulier.model.request import Request, Response
from haulier.runs.driving.delivered import Delivered, LinesOf, owed_lines
from haulier.runs.driving.low_water import LowWater
from haulier.runs.driving.numbering import Goer, Numbering

__all__ = ["Book"]

_STATES = {
    "delivered": State.DELIVERED,
    "accepted": State.ACCEPTED,
    "rejected": State.REJECTED,
    "unknown": State.IN_DOUBT,
}


_MOST_SLOW = 10
_MOST_ROWS = 2_000  # rejected records in one commit
_MOST_ROW_BYTES = 1 << 20  # of their texts
_BEST_FIRST = ("delivered", "accepted", "unknown", "rejected", "retry")
_AGAIN = Verdict("unknown", "every record of it was asked for again")
_MADE_ANEW = "never sent: when the run went on, its records were planned anew, or rejected"


def _best(verdict: Verdict) -> int:
    return _BEST_FIRST.index(verdict.kind)


class Book:
    """lines: makes the lines that outputs are owed; None without outputs.

    numbering: of these lines. outbox: the run that owes them, where it is not this one. onward: of a chain.

    redact: takes secrets out of what is kept: a service may send them back in its answer. missing: stretches of
    positions that an earlier sitting had read and that are in no request; each stays pending until it is taken again.
    follows: whether what is accepted is followed to its end in this sitting: then outputs hear of the end only.
    None where jobs cannot be followed.
    """

    def __init__(
        self,
        run: RunRow,
        *,
        lines: LinesOf | None = None,
        redact: Callable[[str], str] = str,
        missing: Sequence[range] = (),
        follows: bool | None = None,
        numbering: Numbering | None = None,
        outbox: int = 0,
        onward: Goer | None = None,
    ) -> None:
        self._run = run
        self._first_id = row_id(run.id, 0)
        self._numbering = numbering or Numbering()
        self._outbox = outbox
        self._onward = onward
        self._owed: list[tuple[int, bytes]] = []
        self._lines = lines
        self._redact = redact
        self._commit = Commit()
        self._row_bytes = 0
        self._unsettled: dict[int, int] = {}
        self._read = run.read
        self._low_water = LowWater(run.low_water, missing)
        self._put_back: dict[int, OutcomeRow] = {}
        self._slow: dict[int, float] = {}
        self._slow_from = -1.0
        self._follows = follows
        self.delivered_before = bool(run.delivered or run.accepted)
        self.rejected = run.rejected
        self.settled = run.delivered + run.accepted + run.rejected + run.in_doubt

    # -- taking in -----------------------------------------------------------------------------------------------

    def took(self, block: Block, held: int | None, requests: Sequence[Request]) -> None:
        """A block was planned; `held`: position of the oldest record the planner still holds.

        requests: what came of it, to be intended next; a window that closes between two of them forgets none.
        """
        end = block.first + len(block.lines)
        self._read = max(self._read, end)
        self._commit.read = self._read
        if block.digest is not None:
            self._commit.digest = block.digest
        if block.chunk is not None:
            self._commit.chunks.append((block.chunk, block.first, len(block.lines), block.content))
        self._low_water.pending_from = end if held is None else held
        self._unsettled.update((request.number, _oldest(request)) for request in requests)

    def rejected_unsent(self, rejected: Sequence[RejectedRecord]) -> None:
        """Records that never became a request."""
        self._low_water.found([record.position for record in rejected])
        rows = self._commit.records
        rows += [(record.position, State.REJECTED, None, record.reason, record.line) for record in rejected]
        self._row_bytes += sum([len(record.line) for record in rejected])
        self._count(State.REJECTED, len(rejected))
        if self._lines is not None:
            for record in rejected:
                self._owe(self._lines.unsent(record))

    def hold_back(self, rejected: Sequence[RejectedRecord]) -> None:
        """Records of batches that could not be made, whose refusal does not count yet: they are pending."""
        self._low_water.found([record.position for record in rejected])
        self._low_water.held_back += (record.position for record in rejected)

    def release(self) -> None:
        """What was held back is rejected now."""
        self._low_water.held_back.clear()

    def expect(self, *requests: Request) -> None:
        """These requests are to be intended later: until then their records are pending."""
        for request in requests:
            if request.number not in self._unsettled:
                self._unsettled[request.number] = _oldest(request)

    def intend(self, requests: Sequence[Request], stored: Callable[[Request], bytes | None]) -> None:
        """These requests, which are expected, may be sent once the next commit is durable. stored: see Course."""
        commit, run = self._commit, self._run.id
        for request in requests if self._put_back else ():
            if (row := self._put_back.pop(request.number, None)) is not None:
                commit.outcomes.remove(row)
                commit.before.append(row)
        commit.intents += [intent_row(run, request, stored(request)) for request in requests]
        for request in requests if self._low_water.has_gaps else ():
            self._low_water.found(request.positions)

    # -- settling ------------------------------------------------------------------------------------------------

    def settle(
        self,
        request: Request,
        verdict: Verdict,
        attempts: int,
        response: Response | None,
        *,
        counted: bool = False,
    ) -> Delivered:
        """The records of a request come to rest; outputs are owed their lines from the same commit on.

        counted: `put_back` has counted these attempts already.
        """
        self._close_row(request, verdict, 0 if counted else attempts, response)
        return self._rest(request, range(len(request.positions)), verdict, attempts, response)

    @property
    def told(self) -> bool:
        """Whether outputs are owed lines of what comes to rest."""
        return self._lines is not None

    def delivered(self, requests: Sequence[Request], status: int | None, attempts: int) -> None:
        """`settle` for what nearly all requests come to, where nobody is told of it."""
        commit, first, unsettled = self._commit, self._first_id, self._unsettled
        commit.delivered_at_once.setdefault((status, attempts), []).extend(
            [first | request.number for request in requests]
        )
        for request in requests:
            del unsettled[request.number]
        count = sum([len(request.positions) for request in requests])
        commit.attempts += attempts * len(requests)
        commit.delivered += count
        self.settled += count

    def settle_apart(
        self,
        request: Request,
        verdicts: Sequence[Verdict],
        attempts: int,
        response: Response | None,
        *,
        counted: bool = False,
        part: Request | None = None,
    ) -> list[Delivered]:
        """Each record of a request comes to rest by its own verdict; those to be asked for again are in a part.

        part: the one in which these are by now, as others have come to rest before.
        """
        groups: dict[tuple[str, str], list[int]] = {}
        for at, verdict in enumerate(verdicts):
            if verdict.kind != "retry":
                groups.setdefault((verdict.kind, verdict.reason), []).append(at)
        shown = min(
            (verdict for verdict in verdicts if verdict.kind != "retry"), key=_best, default=verdicts[0]
        )
        row = shown if shown.kind in _STATES else _AGAIN
        self._close_row(part or request, row, 0 if counted else attempts, response)
        return [
            self._rest(request, places, verdicts[places[0]], attempts, response) for places in groups.values()
        ]

    def split(self, request: Request, reason: str, attempts: int, status: int | None) -> None:
        """A request was refused whole and goes on as two; it carries no records any more."""
        self._commit.split.append((status, attempts, self._redact(reason), self._id(request)))
        self._commit.attempts += attempts
        del self._unsettled[request.number]

    def _close_row(
        self, request: Request, verdict: Verdict, attempts: int, response: Response | None
    ) -> None:
        status = response.status if response is not None else None
        reason = self._redact(verdict.reason) if verdict.reason else None
        self._commit.outcomes.append(
            (_STATES[verdict.kind], status, attempts, reason, verdict.ticket or None, self._id(request))
        )
        self._commit.attempts += attempts
        del self._unsettled[request.number]

    def _rest(
        self,
        request: Request,
        places: Sequence[int],
        verdict: Verdict,
        attempts: int,
        response: Response | None,
    ) -> Delivered:
        """Some records of a request come to rest together: counted, kept where they failed, told to outputs."""
        state = _STATES[verdict.kind]
        reason = self._redact(verdict.reason) if verdict.reason else ""
        whole = len(places) == len(request.positions)
        positions = request.positions if whole else [request.positions[at] for at in places]
        records = request.records
        if records and not whole:
            records = [records[at] for at in places]
        self._count(state, len(positions))
        if state in (State.REJECTED, State.IN_DOUBT):
            self._commit.records += record_rows(positions, state, request.number, reason, records)
        told = Delivered(
            number=request.number,
            positions=positions,
            records=records,
            state=state,
            status=response.status if response is not None else None,
            attempts=attempts,
            reason=reason,
            ticket=verdict.ticket,
            response=response,
            request=request,
            stage=self._run.stage,
        )
        followed = self._follows is not None and state == State.ACCEPTED and bool(verdict.ticket)
        if followed:
            self._commit.jobs.append((self._id(request), b"\n".join(records), not self._follows))
        if self._lines is not None and not (followed and self._follows):
            self._owe(self._lines.settled(told))
        return told

    def _count(self, state: State, count: int) -> None:
        self.settled += count
        if state == State.REJECTED:
            self.rejected += count
        self._commit.count(state, count)

    def park(self, left: Unsettled, reason: str, texts: Sequence[bytes] = ()) -> None:
        """A request of an earlier sitting that is not made again: its records are in doubt, never sent by itself."""
        self._commit.outcomes.append((State.IN_DOUBT, None, 0, reason, None, self._first_id | left.number))
        self._count(State.IN_DOUBT, len(left.positions))
        self._commit.records += record_rows(left.positions, State.IN_DOUBT, left.number, reason, texts)
        if self._lines is not None:
            self._owe(self._lines.parked(left, reason, texts))

    def take_apart(self, never_left: Sequence[Unsettled]) -> None:
        """Requests of an earlier sitting that carry no records any more, which are as if just read."""
        self._low_water.lost([position for left in never_left for position in left.positions])
        self._commit.split += [(NOT_SENT, 0, _MADE_ANEW, self._first_id | left.number) for left in never_left]

    def put_back(self, request: Request, reason: str, attempts: int, status: int | None) -> None:
        """The request is tried again later: its records are pending meanwhile."""
        row: OutcomeRow = (
            State.PENDING,
            status,
            attempts,
            self._redact(reason) or None,
            None,
            self._id(request),
        )
        self._put_back[request.number] = row
        self._commit.outcomes.append(row)
        self._commit.attempts += attempts

    def attempted(self, request: Request, seconds: float) -> None:
        """An attempt was made and took so long; the slowest are kept for the report."""
        self._commit.busy_s += seconds
        if seconds <= self._slow_from:
            return
        slow, number = self._slow, request.number
        slow[number] = max(seconds, slow.get(number, 0.0))
        if len(slow) > _MOST_SLOW:
            del slow[min(slow, key=slow.__getitem__)]
        if len(slow) == _MOST_SLOW:
            self._slow_from = min(slow.values())
        self._commit.slow.append((number, seconds))

    def waited(self, seconds: float) -> None:
        """A request waits so long for its next attempt."""
        self._commit.waited_s += seconds

    def paid(self, seqs: Sequence[int]) -> None:
        """An output has made these lines durable."""
        self._commit.paid += seqs

    # -- committing ----------------------------------------------------------------------------------------------

    @property
    def keeps_much(self) -> bool:
        """Whether the next commit keeps so many rejected and in-doubt records, or so long ones, that it is due."""
        return len(self._commit.records) > _MOST_ROWS or self._row_bytes > _MOST_ROW_BYTES

    @property
    def hurries(self) -> bool:
        """Whether a later stage waits for the next commit."""
        return self._onward is not None and self._onward.anything()

    @property
    def unsettled(self) -> int:
        """Requests intended and not settled."""
        return len(self._unsettled)

    @property
    def anything_new(self) -> bool:
        """Whether the next commit would say anything but how far was read."""
        commit = self._commit
        settled = commit.outcomes or commit.delivered_at_once or commit.records
        return bool(settled or commit.paid or commit.intents)

    def turn(self) -> Commit:
        """The commit filled so far; a new one is begun. To be written before what any other stage turns later."""
        commit, self._commit, self._row_bytes = self._commit, Commit(), 0
        # Numbered here, as commits become durable in the order in which they are turned.
        commit.owed = [(self._numbering.take(), output, line) for output, line in self._owed]
        commit.outbox = self._outbox
        self._owed = []
        if self._onward is not None:
            commit.onward = self._onward.take()
        self._put_back.clear()
        commit.low_water = self._low_water.now(self._unsettled.values())
        return commit

    def _owe(self, lines: list[tuple[list[int], bytes]]) -> None:
        self._owed += owed_lines(lines, self._redact)

    def _id(self, request: Request) -> int:
        return self._first_id | request.number


def _oldest(request: Request) -> int:
    """The lowest position of a request; not its first where a program wrote an earlier chunk again later."""
    positions = request.positions
    return positions[0] if isinstance(positions, range) else min(positions)
