"""The input of a later stage: the records that the ledger has for it, read as they become durable, never held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import suppress
from itertools import chain

import msgspec

from haulier.errors import LedgerError
from haulier.io.fetched import Fetched
from haulier.io.ledger.onward import Onward
from haulier.model.block import Block
from haulier.runs.inputs.filing import Filing
from haulier.runs.inputs.intake import in_pieces

__all__ = ["StageFeed"]

_AT_ONCE = 64  # records a block: few, as they hold what earlier stages answered


class StageFeed:
    """read: records from a position on, none from the second one on, at most so many; called in another thread.

    filing: finds their files, in that thread too; it may hold blocks back. fetches: it fetches some, so each record is
    a block of its own. start: the first position to read; known: how many records the ledger had when this sitting
    began. trail: gets where each record comes from, by position.
    """

    def __init__(
        self,
        read: Callable[[int, int | None, int], list[Onward]],
        *,
        start: int,
        known: int,
        trail: dict[int, Onward],
        filing: Filing,
        fetches: bool,
    ) -> None:
        self._read = read
        self._position = start
        self._known = known
        self._trail = trail
        self._filing, self._fetches = filing, fetches
        self._watched: Future[list[Fetched]] | None = None
        self._loop = asyncio.get_running_loop()
        self._announced = self._durable = self._taken = 0
        self._ended = False
        self._flushed: list[Callable[[], None]] = []
        self._more = asyncio.Event()

    @property
    def coming(self) -> int:
        """Records of this sitting that were announced and not taken in yet."""
        return self._announced - self._taken

    @property
    def empty(self) -> bool:
        """Whether taking the next block would wait, for a record or for the files of one."""
        waiting = self._filing.waiting
        if waiting is not None and (waiting.done() or self._filing.free <= 0):
            return not waiting.done()
        return self._position >= self._known and self._taken >= self._durable

    @property
    def ready(self) -> bool:
        """Whether there is something to be taken, or the end."""
        at_rest = self._ended or bool(self._flushed)
        return not self.empty or (at_rest and self._filing.waiting is None)

    async def wait(self, seconds: float | None) -> None:
        """Return when there is something to be taken, after so many seconds (None: however long), or when nudged."""
        self._more.clear()
        self._watch()
        if not self.ready:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._more.wait(), seconds)

    def nudge(self) -> None:
        """End a `wait`: something else has come up."""
        self._more.set()

    def announce(self, count: int) -> None:
        """So many records will come, once the outcomes they come from are durable."""
        self._announced += count

    def durable(self, count: int) -> None:
        """So many more of those announced are in the ledger."""
        self._durable += count
        self._more.set()

    def end(self) -> None:
        """No more will come than were announced; all of them are durable."""
        self._ended = True
        self._more.set()

    async def flush(self) -> None:
        """Return when all that came so far has come to rest, and what came of it."""
        flushed = asyncio.Event()
        self._flushed.append(flushed.set)
        self._more.set()
        await flushed.wait()

    async def __aiter__(self) -> AsyncIterator[Block]:
        while True:
            self._more.clear()
            durable, ended, flushed = self._durable, self._ended, self._flushed
            old = self._position < self._known
            found = await asyncio.to_thread(self._next, self._known if old else None)
            if found is not None:
                for block in self._passed_on(*found, old=old):
                    yield block
            elif (waiting := self._filing.waiting) is not None:
                for block in await self._fetched(waiting):
                    yield block
            elif old:
                raise LedgerError("the ledger lacks records that a stage of the chain has yet to carry")
            else:
                # Everything durable was read, even if some of what was announced was in the ledger before.
                self._taken = max(self._taken, durable)
                if not (flushed or ended):
                    await self._more.wait()
                    continue
                for block in await self._at_rest(flushed):
                    yield block
                if not flushed:
                    return

    async def _at_rest(self, flushed: list[Callable[[], None]]) -> list[Block]:
        """What was held back, and a block for each flush that waited until nothing more is to come before it."""
        held = await asyncio.to_thread(lambda: [*self._filing.rest()])
        self._flushed = self._flushed[len(flushed) :]
        return [*held, *(Block(first=self._position, lines=[], settled=settled) for settled in flushed)]

    def _next(self, stop: int | None) -> tuple[list[Onward], list[Block]] | None:
        most = min(_AT_ONCE, self._filing.free) if self._fetches else _AT_ONCE
        records = self._read(self._position, stop, most) if most > 0 else []
        if not records:
            return None
        block = Block(
            first=records[0].position,
            lines=[record.text for record in records],
            faults={at: record.fault for at, record in enumerate(records) if record.fault is not None}
            or None,
            more=True,
        )
        pieces = in_pieces([block], 1 if self._fetches else 0)
        blocks = [*chain.from_iterable(map(self._filing.take, pieces))]
        if not blocks:
            # It was taken all the same, and stages before this one need not wait for it: an empty block tells them.
            held_from = self._filing.oldest
            blocks = [Block(first=block.first if held_from is None else held_from, lines=[])]
        return records, blocks

    def _passed_on(self, records: list[Onward], blocks: list[Block], *, old: bool) -> list[Block]:
        """The blocks of what was read, which is noted."""
        self._position += len(records)
        for record in records:  # their texts are in the block
            self._trail[record.position] = msgspec.structs.replace(record, text=b"")
        if not old:
            self._taken += len(records)
        return blocks

    async def _fetched(self, waiting: Future[list[Fetched]]) -> list[Block]:
        """What goes on once these files are there, or something else has come up."""
        self._watch()
        if not waiting.done():
            await self._more.wait()
        return [*self._filing.ready()]

    def _watch(self) -> None:
        """Have `_more` set when the files that are waited for are there."""

        def wake(_: object) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._more.set)

        waiting = self._filing.waiting
        if waiting is not None and waiting is not self._watched:
            self._watched = waiting
            waiting.add_done_callback(wake)
