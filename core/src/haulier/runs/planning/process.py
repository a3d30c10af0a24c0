"""A process that plans, read frame by frame."""

from __future__ import annotations

import asyncio
import mmap
import os
import signal
import subprocess
from collections.abc import AsyncIterator

from haulier import errors
from haulier.errors import HaulierError, RunStopped
from haulier.runs.planning.beginning import SLOT_BYTES, SLOTS, Begun
from haulier.runs.planning.frames import LENGTH, Failed, Frame, said
from haulier.runs.planning.handing import tell
from haulier.runs.planning.worker import READY

__all__ = ["PlannerProcess"]

_READ_BYTES = 64 << 10
_MOST_READ_BYTES = 1 << 20  # beyond what is waited for
_TOLD_AT_ONCE = (
    SLOTS // 2
)  # free slots: each telling wakes the other process, which may take this one's core for that


class PlannerProcess:
    """A process that was handed its task, as the run sees it; whoever began it ends it."""

    def __init__(self, begun: Begun) -> None:
        os.set_blocking(begun.told, False)
        self._begun = begun
        self._told = begun.told
        self._freed = begun.freed
        self._memory = begun.memory
        self._read = bytearray()
        self._ended = False
        self._wanted = 0
        self._listening: asyncio.AbstractEventLoop | None = None
        self._heard: asyncio.Future[None] | None = None
        self._slot = 0
        self._free = 0  # slots that it was not told of

    async def ready(self, seconds: float) -> bool:
        """Whether it has understood its task within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._fill(len(READY))
        except (TimeoutError, _Ended):
            return False
        del self._read[: len(READY)]
        return True

    async def at_hand(self, seconds: float) -> bool:
        """Whether something of the next frame, or the end, is there within so many seconds."""
        if not self._read:
            await self._more(seconds)
        return bool(self._read) or self._ended

    async def frames(self) -> AsyncIterator[tuple[Frame, bytes | mmap.mmap, int]]:
        """What comes of each block, where the bytes of its requests are, and from which place on.

        They stand there until the next one is asked for. Raises what planning raised, and RunStopped where the process
        ended before its time.
        """
        while True:
            frame = await self._next()
            if frame.inline:
                yield frame, await self._inline(frame.size), 0
            elif frame.rows:
                yield frame, self._memory, self._slot * SLOT_BYTES
                self._slot = (self._slot + 1) % SLOTS
                self._let_go_of_slot()
            else:
                yield frame, b"", 0
            if frame.last:
                return

    def close(self) -> None:
        """End it, however far it is."""
        self._listen(False)
        self._begun.close()

    async def _next(self) -> Frame:
        (length,) = LENGTH.unpack(await self._inline(LENGTH.size))
        told: Frame | Failed = said(await self._inline(length))
        if isinstance(told, Failed):
            raise _error(told)
        return told

    async def _inline(self, size: int) -> bytes:
        """So many bytes of what it says."""
        try:
            await self._fill(size)
        except _Ended:
            raise RunStopped(self._why_ended()) from None
        found = bytes(self._read[:size])
        del self._read[:size]
        return found

    def _tell(self, what: bytes) -> None:
        """Where it has ended, what it said before can be read all the same."""
        tell(self._freed, what)

    def _let_go_of_slot(self) -> None:
        self._free += 1
        if self._free == _TOLD_AT_ONCE:
            self._free = 0
            self._tell(b"." * _TOLD_AT_ONCE)

    # -- what it says --------------------------------------------------------------------------------------------

    async def _fill(self, size: int) -> None:
        """Read until so many bytes are there; _Ended where they do not come."""
        self._wanted = size
        while len(self._read) < size:
            if self._ended:
                raise _Ended
            await self._more()

    async def _more(self, seconds: float | None = None) -> None:
        """Return when something was read, or nothing more comes, or after so long."""
        if self._ended:
            return
        self._listen(True)
        loop = asyncio.get_running_loop()
        heard = self._heard = loop.create_future()
        timer = loop.call_later(seconds, _set, heard) if seconds is not None else None
        try:
            await heard
        finally:
            self._heard = None
            if timer is not None:
                timer.cancel()

    def _listen(self, wish: bool) -> None:
        """Have the loop look for what it says, or no longer; for good, as to begin anew each time costs two calls."""
        if wish and self._listening is None:
            self._listening = asyncio.get_running_loop()
            self._listening.add_reader(self._told, self._hear)
        elif not wish and self._listening is not None:
            if not self._listening.is_closed():
                self._listening.remove_reader(self._told)
            self._listening = None

    def _hear(self) -> None:
        try:
            data = os.read(self._told, max(_READ_BYTES, self._wanted - len(self._read)))
        except BlockingIOError:
            return
        self._read += data
        self._ended = not data
        if self._ended or len(self._read) > self._wanted + _MOST_READ_BYTES:
            self._listen(False)
        if self._heard is not None:
            _set(self._heard)

    def _why_ended(self) -> str:
        try:
            status = self._begun.process.wait(1.0)
        except subprocess.TimeoutExpired:
            how = "closed its pipe"
        else:
            how = f"was ended by {_signal_name(-status)}" if status < 0 else f"ended with status {status}"
        return (
            f"the process that plans for this run {how} before all records were planned; the same call goes on. "
            "HAULIER_PLANNING=here has the run's own process plan"
        )


class _Ended(Exception):
    """Nothing more comes."""


def _error(told: Failed) -> HaulierError:
    kind = getattr(errors, told.kind, HaulierError)
    error: HaulierError = kind(told.message)
    return error


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
