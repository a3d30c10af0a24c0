"""Where a run's requests come from: blocks through the planner, and on a resume what an earlier sitting left over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Protocol

import msgspec

from haulier.errors import InputError
from haulier.io.ledger.rows import Unsettled
from haulier.io.readers.input_hash import InputHash
from haulier.model.block import Block, RejectedRecord, part_of
from haulier.model.request import Request
from haulier.pipeline.planner import Planned, Planner
from haulier.runs.driving.course import Parked, Taken
from haulier.runs.inputs.positions import PositionSet, stretches
from haulier.runs.inputs.stored import restore, stored_records
from haulier.runs.stages.parting import awaited_parts, made_parts
from haulier.runs.stages.working import Crowd

__all__ = ["InputChanged", "PlanSource", "Resumed"]

_NOTHING = Planned([], [])
_END = Block(first=-1, lines=[])


class InputChanged(InputError):
    """The input is not the one an unfinished run was reading."""


class Resumed(msgspec.Struct, frozen=True, kw_only=True):
    """What an earlier sitting left: how far it read, what it knows, what it has not settled.

    again: the ledger has the records from the low-water mark on, so they need not be compared.
    """

    read: int
    digest: bytes | None
    low_water: int
    known: PositionSet
    unsettled: Sequence[Unsettled]
    next_number: int
    again: bool = False


class Blocks(Protocol):
    """Where blocks come from: the input, or the stage before."""

    @property
    def empty(self) -> bool:
        """Whether the next one would have to be waited for."""
        ...

    @property
    def ready(self) -> bool:
        """Whether one, or the end, is there to be taken without waiting."""
        ...

    async def wait(self, seconds: float | None) -> None:
        """Return when one is there, after so many seconds (None: however long), or when nudged."""
        ...

    def nudge(self) -> None:
        """End a `wait`."""
        ...

    def __aiter__(self) -> AsyncIterator[Block]:
        """The blocks in order."""
        ...


class PlanSource:
    """Blocks of a feed through a planner. On a resume: call `verify` first, then iterate `taken`.

    parks: what an earlier sitting sent and got no answer to is not sent again. fetches: files of records that are in a
    request come with that request alone. crowd: carries out the work that batches wait for; without one no batch waits.
    """

    def __init__(
        self,
        feed: Blocks,
        planner: Planner,
        *,
        resumed: Resumed | None = None,
        parks: bool = False,
        fetches: bool = False,
        crowd: Crowd | None = None,
    ) -> None:
        self._feed = feed
        self._planner = planner
        self._resumed = resumed
        self._parks = parks
        self._fetches = fetches
        self._crowd = crowd
        if crowd is not None:
            crowd.finished = feed.nudge
        self._loop = asyncio.get_running_loop()
        self._blocks = aiter(feed)
        self._span: list[Block] = []
        self._left: Taken | None = None
        self._read = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def idle(self) -> bool:
        """Whether the next block would have to be waited for."""
        return self._feed.empty

    def remarks(self) -> tuple[str, ...]:
        """See `Planner.remarks`."""
        return self._planner.remarks()

    def held(self) -> int | None:
        """Position of the oldest record not yet in a request."""
        return self._planner.held()

    async def verify(self) -> None:
        """Read up to where the earlier sitting had read, and compare; InputChanged where the input differs.

        What it left over is made again. Records above the low-water mark are kept for `taken`; those below are settled
        and skipped.
        """
        if self._resumed is not None:
            await self._read_again(self._resumed)
            self._left = self._left_over(self._resumed)

    @property
    def changed(self) -> list[Unsettled]:
        """After `verify`: requests that may have gone out, and of whose records another body comes now."""
        return [one.left for one in self._left.parked if one.changed] if self._left is not None else []

    async def _read_again(self, resumed: Resumed) -> None:
        """Read and compare what the earlier sitting had read, and keep what it had not settled."""
        if resumed.read == 0 or (resumed.digest is None and not resumed.again):
            return
        if resumed.again and resumed.low_water >= resumed.read:
            return
        async for block in self._blocks:
            end = block.first + len(block.lines)
            if end > resumed.low_water:
                self._span.append(block)
            if end == resumed.read:
                digest = block.digest() if block.digest is not None else None
                if digest != resumed.digest and not resumed.again:
                    raise InputChanged(
                        f"the first {resumed.read:,} records differ from those this run has read"
                        f" ({_compared(digest, resumed.digest)})"
                    )
                return
            if end > resumed.read:
                break
        raise InputChanged(f"the input has fewer records than the {resumed.read:,} this run has read")

    def parts(
        self,
        request: Request,
        places: Sequence[Sequence[int]],
        then: Callable[[list[Request] | None], None],
    ) -> None:
        """Requests of some records of another, made as the planner makes them; `then` is given them, or None.

        Called at once where no grouping waits, else when its work is done.
        """
        if self._crowd is None:
            then(made_parts(self._planner, request, places))
            return
        task = self._loop.create_task(self._make_parts(self._crowd, request, places, then))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make_parts(
        self,
        crowd: Crowd,
        request: Request,
        places: Sequence[Sequence[int]],
        then: Callable[[list[Request] | None], None],
    ) -> None:
        then(await awaited_parts(crowd, self._planner, request, places))

    async def taken(self) -> AsyncIterator[Taken]:
        """What comes of each block; what was left over comes first."""
        if self._resumed is not None:
            async for taken in self._again(self._resumed):
                yield taken
        while (block := await self._next()) is not _END:
            if block.settled is not None:
                async for taken in self._all_of(self._planner.flush(), self._nothing_read()):
                    yield taken
                yield Taken(block=block, planned=_NOTHING)
                continue
            planned = self._fed(block)
            yield Taken(block=block, planned=planned)
            async for taken in self._worked(planned):
                yield taken
        async for taken in self._all_of(self._planner.close(), None):
            yield taken

    async def _again(self, resumed: Resumed) -> AsyncIterator[Taken]:
        """What an earlier sitting left over."""
        self._read = resumed.read
        left_over, self._left = self._left, None
        assert left_over is not None
        yield left_over
        rejected = {record.position for record in left_over.planned.rejected}
        known = resumed.known.without(
            left.positions for left in left_over.taken_apart if rejected.isdisjoint(left.positions)
        )
        resumed = msgspec.structs.replace(resumed, known=known)
        for block in self._span:
            for taken in self._pending_again(block, resumed):
                yield taken
                async for more in self._worked(taken.planned):
                    yield more
        self._span = []

    def _fed(self, block: Block) -> Planned:
        planned = self._planner.advance(block, self._loop.time())
        self._read = max(self._read, block.first + len(block.lines))
        return planned

    async def _all_of(self, planned: Planned, block: Block | None) -> AsyncIterator[Taken]:
        """These, and all that was waited for until now."""
        yield Taken(block=block, planned=planned)
        async for more in self._worked(planned, most=0):
            yield more

    async def _next(self) -> Block:
        """The next block; one without records where something else has to be seen to; `_END` at the end."""
        due = self._planner.deadline()
        if self._feed.empty and (due is not None or self._planner.working):
            seconds = None if due is None else due - self._loop.time()
            if not self._crowd_has_results() and (seconds is None or seconds > 0):
                await self._feed.wait(seconds)
            if not self._feed.ready:
                return self._nothing_read()
        return await anext(self._blocks, _END)

    def _crowd_has_results(self) -> bool:
        return self._crowd is not None and self._crowd.has_results

    def _nothing_read(self) -> Block:
        return Block(first=self._read, lines=[])

    async def _worked(self, planned: Planned, *, most: int | None = None) -> AsyncIterator[Taken]:
        """Have the work carried out, and what came of it; returns when no more than `most` is open."""
        if self._crowd is None:
            return
        self._crowd.add(planned.work)
        async for ticket, result in self._crowd.results(most):
            done = self._planner.done(ticket, result)
            self._crowd.add(done.work)
            if done.requests or done.rejected:
                yield Taken(block=self._nothing_read(), planned=done)

    def _left_over(self, resumed: Resumed) -> Taken:
        """The unsettled requests again: from what the ledger kept, or made from the same records once more.

        Where one that never left would be another now, it and all behind it that never left are taken apart: their
        records are planned with those that are in no request, and in their order. Where they, or their files, are not
        given again, its records are rejected.
        """
        rebuilt: list[tuple[Request, int | None]] = []
        parked: list[Parked] = []
        taken_apart: list[Unsettled] = []
        rejected: list[RejectedRecord] = []
        # In the order of their records, which is not that of their numbers: parts were numbered behind what followed.
        for left in sorted(resumed.unsettled, key=_oldest):
            parts = self._parts(left)
            given = sum(len(part.lines) for part in parts) == len(left.positions)
            request = restore(left) if left.stored is not None else self._rebuild(left, parts, given=given)
            why = self._why_not(left, request, given=given)
            if left.never_left and given and not self._fetches and (why or taken_apart):
                taken_apart.append(left)
            elif why:
                texts = _texts(left, parts)
                if left.never_left and texts:
                    taken_apart.append(left)
                    rejected += _rejected(left, why, texts)
                else:
                    changed = given and left.stored is None and not self._parked_anyway(left)
                    parked.append(Parked(left=left, reason=why, texts=texts, changed=changed))
            else:
                assert request is not None
                rebuilt.append((request, left.came_to))
        self._planner.start_at(resumed.next_number)
        planned = Planned([], rejected)
        return Taken(block=None, planned=planned, rebuilt=rebuilt, parked=parked, taken_apart=taken_apart)

    def _why_not(self, left: Unsettled, request: Request | None, *, given: bool) -> str:
        """Why a request is not sent again, or an empty text. given: whether the input gave its records again."""
        if self._parked_anyway(left):
            return "no answer: the run ended before one came"
        if request is not None and request.sha256 == left.sha256:
            return ""
        if request is None and left.stored is None and not given:
            return "the input did not give its records again"
        if left.stored is not None:
            now = "a file of it is gone or another one now"
        elif request is not None:
            now = "its body is another one now"
        else:
            now = "its records make no such request now"
        if left.never_left:
            return f"{now}, and nothing of it was carried out; a replay sends it as it is now"
        then = "may have arrived" if left.may_have_been_sent else "was tried"
        return f"{now}, and the one before {then}; a replay of what is in doubt sends it as it is now"

    def _parked_anyway(self, left: Unsettled) -> bool:
        """Whether a request is not sent again whatever comes of its records now."""
        return self._parks and left.unanswered

    def _parts(self, left: Unsettled) -> list[Block]:
        """The records of a request, as far as the input gave them again."""
        return [
            part_of(block, max(block.first, stretch.start), min(block.first + len(block.lines), stretch.stop))
            for stretch in stretches(left.positions)
            for block in self._span
            if block.first < stretch.stop and stretch.start < block.first + len(block.lines)
        ]

    def _rebuild(self, left: Unsettled, parts: Sequence[Block], *, given: bool) -> Request | None:
        return self._planner.rebuild(left.number, parts) if given else None

    def _pending_again(self, block: Block, resumed: Resumed) -> Iterator[Taken]:
        """Records that were read but are in no request, or were given back; each stretch planned in its turn."""
        start, stop = max(block.first, resumed.low_water), block.first + len(block.lines)
        for gap in resumed.known.missing(start, stop):
            part = part_of(block, gap.start, gap.stop)
            yield Taken(block=part, planned=self._planner.feed(part))


def _oldest(left: Unsettled) -> int:
    return left.positions[0]


def _texts(left: Unsettled, parts: Sequence[Block]) -> Sequence[bytes]:
    """Of the records of a request; empty where not all are known. parts: those that the input gave again."""
    if left.stored is not None:
        return stored_records(left)
    texts = [text for part in parts for text in part.records]
    return texts if len(texts) == len(left.positions) else ()


def _rejected(left: Unsettled, why: str, texts: Sequence[bytes]) -> list[RejectedRecord]:
    """The records of a request that never left and is not made anew."""
    places = (f"record {position}" for position in left.positions)
    return [
        RejectedRecord(position=position, reason=f"{place}: {why}", line=text, place=place)
        for position, place, text in zip(left.positions, places, texts, strict=True)
    ]


def _compared(now: bytes | None, before: bytes | None) -> str:
    """Two digests by the hash that both are of, for people."""
    hashed_by = InputHash.of(before)
    told = [one.removeprefix(hashed_by.prefix).hex()[:16] if one else "none" for one in (now, before)]
    return f"{hashed_by.title} {' instead of '.join(told)}"
