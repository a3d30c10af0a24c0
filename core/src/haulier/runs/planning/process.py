"""A process that plans, read frame by frame."""

from __future__ import annotations

import asyncio
import mmap
import os
import select
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


class PlannerProcess:
    """A process that was handed its task, as the run sees it; whoever began it ends it."""

    def __init__(self, begun: Begun) -> None:
        os.set_blocking(begun.told, False)
        self._begun = begun
        self._told = begun.told
        self._freed = begun.freed
        self._memory = begun.memory
        self._read = bytearray()
        self._slot = 0

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
        if not self._read and not _readable(self._told):
            await self._until_readable(seconds)
        return bool(self._read) or _readable(self._told)

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
                self._tell(b".")
            else:
                yield frame, b"", 0
            if frame.last:
                return

    def close(self) -> None:
        """End it, however far it is."""
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

    async def _fill(self, size: int) -> None:
        """Read until so many bytes are there; _Ended where they do not come."""
        while len(self._read) < size:
            try:
                data = os.read(self._told, max(_READ_BYTES, size - len(self._read)))
            except BlockingIOError:
                await self._until_readable()
                continue
            if not data:
                raise _Ended
            self._read += data

    async def _until_readable(self, seconds: float | None = None) -> None:
        """Return when there is something to read, or after so long."""
        loop = asyncio.get_running_loop()
        readable = loop.create_future()
        loop.add_reader(self._told, _set, readable)
        timer = loop.call_later(seconds, _set, readable) if seconds is not None else None
        try:
            await readable
        finally:
            loop.remove_reader(self._told)
            if timer is not None:
                timer.cancel()

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


def _readable(descriptor: int) -> bool:
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(0))


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
