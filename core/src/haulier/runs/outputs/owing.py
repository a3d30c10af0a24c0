"""Outputs served beside the deliveries: lines that are durable in the ledger are handed on until outputs have them.

Each output has a queue of its own, in the ledger's order. What does not fit stays in the ledger and is read back from
there, so that memory is bounded however slow an output is, and no delivery ever waits for one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from random import random
from typing import TypeAlias

from haulier.errors import HaulierError, LedgerError, OutputBusy, PluginError, TransportError
from haulier.io.ledger.rows import Commit
from haulier.runs.outputs.served import Served

__all__ = ["Owing"]

# A line with its place in the ledger's order, its seq.
Line: TypeAlias = tuple[int, bytes]
# Of an output's number, the seq after which to begin, and how many lines at most.
ReadBack: TypeAlias = Callable[[int, int, int], list[Line]]

_MOST_LINES = 10_000
_MOST_BYTES = 8 << 20
_READ_LINES = 1_000
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
_LOOK_S = 0.25  # how often what was taken is written down while a run waits for its outputs
_GRACE_S = 1.0  # what outputs get of a run that is stopped


class Owing:
    """outputs: in the order of the destination. read: lines that the ledger has for one of them.

    paid: called in the loop's thread with the seqs an output has made durable. failed: called with why an output could
    not write; what it raises that it should not comes as a PluginError.
    """

    def __init__(
        self,
        outputs: Sequence[Served],
        *,
        read: ReadBack,
        paid: Callable[[list[int]], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._rested = asyncio.Event()
        self._debts = [
            _Debt(number, output, read, paid, failed, self._rested.set)
            for number, output in enumerate(outputs)
        ]

    def begin(self, owed: Mapping[int, tuple[int, int]]) -> None:
        """owed: output -> (lines, highest seq) that earlier sittings left in the ledger."""
        for output, (count, newest) in owed.items():
            self._debts[output].left_over(count, newest)

    def durable(self, commit: Commit) -> None:
        """A commit is durable: hand on what it owes."""
        for seq, output, line in commit.owed:
            self._debts[output].add(seq, line)

    async def finish(self, *, stopped: Callable[[], bool], meanwhile: Callable[[], Awaitable[None]]) -> str:
        """Wait until outputs have all that is owed; why some have not, or an empty text.

        One that takes nothing is waited for as long as its patience says; of a run that is stopped, a moment only.
        meanwhile: awaited again and again, to make durable what was taken.
        """
        loop = asyncio.get_running_loop()
        since = loop.time()
        stopped_at: float | None = None
        while waiting := [debt for debt in self._debts if debt.open]:
            now = loop.time()
            if stopped() and stopped_at is None:
                stopped_at = now
            if stopped_at is not None and now >= stopped_at + _GRACE_S:
                return ""
            if all(debt.is_late(now, since) for debt in waiting):
                return "; ".join(debt.told() for debt in waiting)
            self._rested.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._rested.wait(), _LOOK_S)
            await meanwhile()
        return ""

    async def close(self) -> None:
        """Hand nothing more on; what was not taken stays in the ledger."""
        tasks = [debt.task for debt in self._debts]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


class _Debt:
    """What one output is owed: lines up to `_taken` are in its queue or done, all up to `_newest` in the ledger."""

    def __init__(
        self,
        number: int,
        output: Served,
        read: ReadBack,
        paid: Callable[[list[int]], None],
        failed: Callable[[Exception], None],
        rested: Callable[[], None],
    ) -> None:
        self._number = number
        self._output = output
        self._read = read
        self._paid = paid
        self._failed = failed
        self._rested = rested
        self._lines: deque[Line] = deque()
        self._bytes = 0
        self._taken = self._newest = -1
        self._count = 0
        self._under_way = False
        self._progress_at = 0.0
        self._trouble = ""
        self._broken = False
        self._more = asyncio.Event()
        self.task = asyncio.create_task(self._serve())

    @property
    def open(self) -> bool:
        """Whether lines are owed that may still be taken."""
        return not self._broken and (self._under_way or self._behind)

    @property
    def _behind(self) -> bool:
        return bool(self._lines) or self._taken < self._newest

    def left_over(self, count: int, newest: int) -> None:
        """Lines of earlier sittings are in the ledger, up to the seq `newest`."""
        self._count, self._newest = count, newest
        self._more.set()

    def add(self, seq: int, line: bytes) -> None:
        """A line is durable in the ledger; it is kept here too where there is room and none before it is missing."""
        self._count += 1
        caught_up = self._taken >= self._newest
        self._newest = max(self._newest, seq)
        if seq <= self._taken or not caught_up:
            return
        if len(self._lines) >= _MOST_LINES or self._bytes >= _MOST_BYTES:
            return
        self._queue(seq, line)
        self._more.set()

    def is_late(self, now: float, since: float) -> bool:
        """Whether it took nothing for as long as its patience says, since the last delivery at the earliest."""
        return now - max(since, self._progress_at) >= self._output.patience_s

    def told(self) -> str:
        """Why the run stops for it."""
        why = f" ({self._trouble})" if self._trouble else ""
        return (
            f"{self._output.place} took nothing for {self._output.patience_s:g} s{why}: {self._count:,} lines are kept "
            "for it, and the same call hands them over"
        )

    def _queue(self, seq: int, line: bytes) -> None:
        self._taken = seq
        self._lines.append((seq, line))
        self._bytes += len(line)

    async def _serve(self) -> None:
        while not self._broken:
            if not self._behind:
                self._rested()
                self._more.clear()
                await self._more.wait()
            elif self._lines:
                await self._hand_on()
            else:
                await self._read_back()

    async def _read_back(self) -> None:
        try:
            lines = await self._output.call(lambda: self._read(self._number, self._taken, _READ_LINES))
        except LedgerError as error:
            self._break(error)
            return
        if not lines:
            self._break(LedgerError(f"the ledger lacks lines that it owes to {self._output.place}"))
        for seq, line in lines:
            self._queue(seq, line)

    async def _hand_on(self) -> None:
        batch = [self._lines.popleft() for _ in range(min(len(self._lines), self._output.at_once))]
        self._bytes -= sum(len(line) for _, line in batch)
        self._under_way = True
        if await self._taken_by_output([line for _, line in batch]):
            self._count -= len(batch)
            self._progress_at = asyncio.get_running_loop().time()
            self._trouble = ""
            self._paid([seq for seq, _ in batch])
        self._under_way = False

    async def _taken_by_output(self, lines: list[bytes]) -> bool:
        """Hand the same lines over until they are taken; False where the output failed for good."""
        tries = 0
        while True:
            try:
                await self._output.write(lines)
                return True
            except (OutputBusy, TransportError) as error:
                self._trouble = str(error)
                asked = error.wait_s if isinstance(error, OutputBusy) else None
                await asyncio.sleep(_wait_s(tries) if asked is None else asked)
                tries += 1
            except PluginError as error:
                self._break(error)
                return False
            except (HaulierError, OSError) as error:
                self._break(OSError(f"{self._output.place} cannot be written: {error}"))
                return False

    def _break(self, error: Exception) -> None:
        self._broken = True
        self._failed(error)
        self._rested()


def _wait_s(tries: int) -> float:
    """Half of the wait by chance: many runs that wait for one hook do not come back at once."""
    longest: float = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(tries, 10))
    return longest * (0.5 + random() / 2)  # noqa: S311 - chance, no secret
