"""The input of a later stage: the records that the ledger has for it, read as they become durable, never held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import msgspec

from haulier.errors import LedgerError
from haulier.io.ledger.onward import Onward
from haulier.model.block import Block

__all__ = ["StageFeed"]

_AT_ONCE = 64  # records a block: few, as they hold what earlier stages answered


class StageFeed:
    """read: records from a position on, none from the second one on, at most so many; called in another thread.

    shape: a block with what else it needs (files), in that thread too: those that are ready, as some may be held back
    until the next one; rest: those that are held back at last. most: records a block, 0 for as many as suit. start: the
    first position to read; known: how many records the ledger had when this sitting began. trail: gets where each
    record comes from, by position.
    """

    def __init__(
        self,
        read: Callable[[int, int | None, int], list[Onward]],
        *,
        start: int,
        known: int,
        trail: dict[int, Onward],
        shape: Callable[[Block], list[Block]],
        rest: Callable[[], list[Block]],
        most: int = 0,
    ) -> None:
        self._read = read
        self._position = start
        self._known = known
        self._trail = trail
        self._shape, self._rest = shape, rest
        self._most = most or _AT_ONCE
        self._held_from: int | None = None
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
        """Whether taking the next block would wait."""
        return self._position >= self._known and self._taken >= self._durable

    @property
    def ready(self) -> bool:
        """Whether there is something to be taken, or the end."""
        return not self.empty or self._ended or bool(self._flushed)

    async def wait(self, seconds: float | None) -> None:
        """Return when there is something to be taken, after so many seconds (None: however long), or when nudged."""
        self._more.clear()
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
                records, blocks = found
                self._position += len(records)
                for record in records:  # their texts are in the block
                    self._trail[record.position] = msgspec.structs.replace(record, text=b"")
                if not old:
                    self._taken += len(records)
                for block in blocks:
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
        held = await asyncio.to_thread(self._rest)
        self._flushed = self._flushed[len(flushed) :]
        return [*held, *(Block(first=self._position, lines=[], settled=settled) for settled in flushed)]

    def _next(self, stop: int | None) -> tuple[list[Onward], list[Block]] | None:
        records = self._read(self._position, stop, self._most)
        if not records:
            return None
        block = Block(
            first=records[0].position,
            lines=[record.text for record in records],
            faults={at: record.fault for at, record in enumerate(records) if record.fault is not None}
            or None,
        )
        blocks = self._shape(block)
        if blocks:
            self._held_from = None
            return records, blocks
        # It was taken all the same, and stages before this one need not wait for it: an empty block tells them.
        self._held_from = block.first if self._held_from is None else self._held_from
        return records, [Block(first=self._held_from, lines=[])]
