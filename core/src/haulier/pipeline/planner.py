"""The planner: a pure push object that turns blocks of records into requests.

Preview, runs and `write()/flush()` use this very object; there is no second code path. It opens nothing and knows no
clock: what the time decides is handed in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from haulier.errors import PluginError, RecordError
from haulier.model.block import Block, RejectedRecord, parts_of
from haulier.model.parts import Work
from haulier.model.request import FilePart, Header, Positions, Request, Within, joined
from haulier.pipeline.address import Address
from haulier.pipeline.batches import Batches, Cut, OpenBatch
from haulier.pipeline.encoding import Packed, packed
from haulier.pipeline.line_numbers import LineNumbers
from haulier.pipeline.making import Chore, Making, MakingBatch, Outcome, Waiting, at_fault
from haulier.pipeline.payload import Payloads
from haulier.pipeline.spec import PlanSpec

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["OpenWork", "Planned", "Planner", "idempotency_key"]

_AT_ONCE = (
    256  # decoded records: they take four times their text, and are encoded before they have left the caches
)


class OpenWork(msgspec.Struct, frozen=True, gc=False):
    """Work that a batch waits for; hand what came of it to `Planner.done` under its ticket.

    positions: of the records it is about.
    """

    ticket: int
    work: Work | Chore
    positions: Positions


class Planned(msgspec.Struct, frozen=True, gc=False):
    """What came of feeding a block: requests in order, the records that cannot be sent as they are, and work to do."""

    requests: list[Request]
    rejected: list[RejectedRecord]
    work: list[OpenWork] = []


def idempotency_key(run_id: str, positions: Positions, digest: bytes) -> str:
    """32 hexadecimal digits that belong to one exact body of one run."""
    return _key(_keying(run_id), positions, digest)


def _keying(run_id: str) -> _Hash:
    """What the keys of a run begin with; setting a hash up costs more than adding to a copy of one."""
    return sha256(b"%b\n" % run_id.encode())


def _key(keying: _Hash, positions: Positions, digest: bytes) -> str:
    told = keying.copy()
    if isinstance(positions, range):
        told.update(b"%d-%d\n%b" % (positions.start, positions.stop, digest))
    else:
        told.update(b"%b\n%b" % (b",".join([b"%d" % position for position in positions]), digest))
    return told.hexdigest()[:32]


class _Waiting:
    """A batch that waits for work, or for one before it that does."""

    __slots__ = ("first", "making", "outcome")

    def __init__(self, making: MakingBatch, first: int, outcome: Outcome | None) -> None:
        self.making = making
        self.first = first
        self.outcome = outcome


class Planner:
    """Turns blocks into requests. `feed` blocks in order, then `close`; `rebuild` remakes one request.

    Where a grouping waits for work, what comes of a batch is in no `Planned` before everything before it is: carry the
    `work` out, in any order, and hand it to `done`; after `close`, until nothing is `working` any more.
    """

    def __init__(self, spec: PlanSpec) -> None:
        self._spec = spec
        self._payloads = Payloads(spec)
        self._at_once = 0 if spec.way == "untouched" else _AT_ONCE
        self._keying = _keying(spec.run_id)
        self._alike: tuple[Address, str, tuple[Header, ...]] | None = None
        self._number = 0
        self._lines = LineNumbers()
        self._making = Making(spec, self._lines)
        weights = self._making.weights() if spec.grouping is not None else None
        self._batches = Batches(spec.size, weights=weights, max_wait=spec.max_wait)
        self._waiting: deque[tuple[int, _Waiting]] = deque()
        self._working: dict[int, _Waiting] = {}
        self._tickets = 0

    def feed(self, block: Block, now: float = 0.0) -> Planned:
        """Plan a block; records that still wait for company are held. now: seconds of a clock that never goes back."""
        planned = Planned([], [])
        self.note(block)
        for part in parts_of(block, self._at_once):
            self._add(part, now, planned)
        return planned

    def flush(self) -> Planned:
        """Requests for all records held, full or not; but for a call over the whole input, which `close` ends."""
        return self._begin(self._batches.rest() if self._spec.size else [])

    def due(self, now: float) -> Planned:
        """Requests for the records that have waited for company as long as they may."""
        return self._begin(self._batches.due(now))

    def advance(self, block: Block, now: float) -> Planned:
        """What comes of a block, and of records that have waited long enough by now."""
        planned = self.feed(block, now) if block.lines else Planned([], [])
        due = self.deadline()
        if due is not None and due <= now:
            more = self.due(now)
            planned.requests.extend(more.requests)
            planned.rejected.extend(more.rejected)
            planned.work.extend(more.work)
        return planned

    def close(self) -> Planned:
        """Requests for all records still held; nothing is fed after this."""
        return self._begin(self._batches.rest())

    def deadline(self) -> float | None:
        """When `due` has something to do, by the clock of `feed`; None while nothing waits for the time."""
        return self._batches.deadline()

    def done(self, ticket: int, result: Any) -> Planned:
        """What work came to: its result, or a RecordError that says why there is none."""
        planned, waiting = Planned([], []), self._working.pop(ticket)
        self._go_on(ticket, waiting, result, planned)
        while self._waiting and self._waiting[0][1].outcome is not None:
            self._emit(self._waiting.popleft()[1].outcome, planned)
        return planned

    @property
    def working(self) -> int:
        """How much work is open."""
        return len(self._working)

    def held(self) -> int | None:
        """Position of the oldest record that is in no request yet, None where none is."""
        waiting = min((one.first for _, one in self._waiting), default=None)
        held = self._batches.first_position()
        return held if waiting is None else waiting if held is None else min(held, waiting)

    def rebuild(self, number: int, blocks: Sequence[Block]) -> Request | None:
        """The request with these very records, as it was planned before; None where they no longer make one.

        A grouping that waits makes none here: the ledger keeps its requests, and `remake` makes their parts.
        """
        self._number = number
        making = self.remake(blocks)
        try:
            making.send(None)
        except StopIteration as end:
            made: list[Request] = end.value
            return made[0] if len(made) == 1 else None
        return None

    def remake(self, blocks: Sequence[Block]) -> Generator[Waiting, Any, list[Request]]:
        """The requests that these very records make together; none where they do not all make one."""
        batch: OpenBatch | None = None
        for block in blocks:
            items, addresses, faults, _ = self._payloads.read(block)
            if faults:
                return []
            if self._spec.grouping is None:
                return self._units(block, items, addresses, faults, [])
            found = addresses if isinstance(addresses, Address) else addresses[0]
            if not isinstance(found, Address):
                return []
            batch = batch or OpenBatch(found)
            batch.add(block.first, items, block.lines)
        if batch is None:
            return []
        planned = Planned([], [])
        outcome = yield from self._making.make(batch.take(len(batch), 0), measured=False)
        self._emit(outcome, planned)
        return planned.requests if not planned.rejected else []

    def receive(
        self,
        url: str,
        headers: tuple[Header, ...],
        positions: Positions,
        body: bytes,
        texts: bytes,
        within: Within,
        digest: bytes,
    ) -> Request:
        """A request that another planner made by the same spec but that it is not `sealed`: with digest, key and the
        next number. digest: of the body; empty where it is yet to be worked out.
        """
        return self._request(
            url, headers, positions, body, len(body), digest or sha256(body).digest(), texts, within
        )

    def note(self, block: Block) -> None:
        """Where the records of a block stand, for messages; of one that another planner is fed."""
        self._lines.note(block)

    def remarks(self) -> tuple[str, ...]:
        """What its author should know of the records so far, in words: attributes that none has had, oversized ones."""
        return (*self._payloads.remarks(), *self._making.remarks())

    @property
    def next_number(self) -> int:
        """The number the next request will have."""
        return self._number

    def start_at(self, number: int) -> None:
        """Number the next request so: a resumed run goes on counting."""
        self._number = number

    # -- one record a request ------------------------------------------------------------------------------------

    def _units(
        self,
        block: Block,
        items: list[Any],
        addresses: Any,
        faults: dict[int, str],
        rejected: list[RejectedRecord],
    ) -> list[Request]:
        shared = addresses if isinstance(addresses, Address) else None
        encode, settings, seal = self._spec.encode, self._spec.encoder_settings, self._sealed
        compress, sealed = self._spec.compress, self._spec.sealed
        verbatim = self._spec.verbatim and self._spec.way == "untouched"
        requests: list[Request] = []
        for index, (item, line) in enumerate(zip(items, block.lines, strict=True)):
            if faults and index in faults:
                continue
            position = block.first + index
            try:
                body = packed(encode(item, settings), compress, sealed=sealed)
                within: Within = "all" if verbatim and type(item) is msgspec.Raw else ""
                requests.append(
                    seal(shared or addresses[index], range(position, position + 1), body, line, within)
                )
            except RecordError as error:
                faults[index] = str(error)
            except PluginError as error:
                raise at_fault(error, self._spec.place, block.place(index)) from error
        _tell(block, faults, rejected)
        return requests

    # -- many records a request ----------------------------------------------------------------------------------

    def _add(self, block: Block, now: float, planned: Planned) -> None:
        read = self._payloads.read(block)
        if self._spec.grouping is None:
            planned.requests.extend(
                self._units(block, read.items, read.addresses, read.faults, planned.rejected)
            )
            return
        self._batches.add(block, read, now)
        _tell(block, read.faults, planned.rejected)
        self._begin(self._batches.full(now), planned)

    def _begin(self, cuts: Sequence[Cut], planned: Planned | None = None) -> Planned:
        """Make requests of these batches: at once, or when the work they wait for is done."""
        planned = planned or Planned([], [])
        for cut in cuts:
            waiting = _Waiting(self._making.make(cut), _oldest(cut.positions), None)
            self._tickets += 1
            self._go_on(self._tickets, waiting, None, planned)
            if waiting.outcome is not None and not self._waiting:
                self._emit(waiting.outcome, planned)
            else:
                self._waiting.append((self._tickets, waiting))
        return planned

    def _go_on(self, ticket: int, waiting: _Waiting, result: Any, planned: Planned) -> None:
        """Bring a batch to its next work, or to its outcome."""
        making = waiting.making
        try:
            wish = making.throw(result) if isinstance(result, RecordError) else making.send(result)
        except StopIteration as end:
            waiting.outcome = end.value
            return
        self._working[ticket] = waiting
        planned.work.append(OpenWork(ticket, wish.work, wish.positions))

    def _emit(self, outcome: Outcome | None, planned: Planned) -> None:
        assert outcome is not None
        planned.rejected.extend(outcome.rejected)
        for (address, positions, _, records), body in outcome.made:
            texts = b"" if body.within else joined(records)
            planned.requests.append(self._sealed(address, positions, body, texts, body.within))

    # -- the request itself --------------------------------------------------------------------------------------

    def _sealed(
        self, address: Address, positions: Positions, body: Packed, texts: bytes, within: Within
    ) -> Request:
        """The request with this body, with the next number. texts: of its records, `joined`, where it needs them."""
        headers = self._headers(address, body.media_type)
        return self._request(
            address.url, headers, positions, body.content, body.length, body.sha256, texts, within
        )

    def _request(
        self,
        url: str,
        headers: tuple[Header, ...],
        positions: Positions,
        content: bytes | tuple[bytes | FilePart, ...],
        length: int,
        digest: bytes,
        texts: bytes,
        within: Within,
    ) -> Request:
        spec = self._spec
        key = ""
        if spec.idempotency_key and spec.sealed:
            key = _key(self._keying, positions, digest)
            headers = (*headers, ("Idempotency-Key", key))
        number = self._number
        self._number = number + 1
        return Request(
            number=number,
            positions=positions,
            method=spec.method,
            url=url,
            headers=headers,
            body=content,
            length=length,
            sha256=digest,
            key=key,
            texts=b"" if within else texts,
            within=within,
        )

    def _headers(self, address: Address, media_type: str) -> tuple[Header, ...]:
        """The headers of a request but its key; one object for neighbours that have them in common."""
        alike = self._alike
        if alike is None or alike[0] is not address or alike[1] != media_type:
            headers = self._spec.headers + address.headers
            if media_type:
                headers = (*headers, ("Content-Type", media_type))
            alike = self._alike = (address, media_type, headers)
        return alike[2]


def _tell(block: Block, faults: Mapping[int, str], rejected: list[RejectedRecord]) -> None:
    rejected += [
        RejectedRecord(
            position=block.first + index,
            reason=f"{block.place(index)}: {faults[index]}",
            line=block.lines[index].removesuffix(b"\n"),
            place=block.place(index),
        )
        for index in sorted(faults)
    ]


def _oldest(positions: Positions) -> int:
    """The lowest position; not the first where a program wrote an earlier chunk again later."""
    return positions[0] if isinstance(positions, range) else min(positions)
