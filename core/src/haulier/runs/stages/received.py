"""Requests of a run that another process plans: received block by block, as if they were planned here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from haulier.io.ledger.rows import Unsettled
from haulier.model.block import Block
from haulier.model.request import Request
from haulier.pipeline.planner import Planned, Planner
from haulier.runs.driving.course import Taken
from haulier.runs.planning.frames import Frame, requests_of
from haulier.runs.planning.process import PlannerProcess
from haulier.runs.stages.parting import made_parts
from haulier.runs.stages.source import PlanSource

__all__ = ["ReceivedSource"]

_BEGINS_S = 5.0
_PATIENCE_S = 0.02  # each window that is committed before it is full costs a transaction


class Other(Protocol):
    """A leg whose planner is in this process: its source, and what lets go of it."""

    @property
    def source(self) -> PlanSource | ReceivedSource:
        """Where its requests come from."""
        ...

    @property
    def close(self) -> Callable[[], None]:
        """Lets go of what it reads from."""
        ...


class ReceivedSource:
    """A source of a run that begins. planner: of the same plan; it seals and numbers requests, and makes parts
    of them.

    otherwise: gives the leg that is planned in this process, for where the other one cannot begin.
    """

    def __init__(self, process: PlannerProcess, planner: Planner, *, otherwise: Callable[[], Other]) -> None:
        self._process = process
        self._planner = planner
        self._otherwise = otherwise
        self._instead: Other | None = None
        self._held: int | None = None
        self._read = 0
        self._idle = self._ended = False
        self._remarks: tuple[str, ...] = ()

    async def verify(self) -> None:
        """Nothing was read before; wait until the process has begun, or for so long that it may never."""
        if not await self._process.ready(_BEGINS_S):
            self._process.close()
            self._instead = self._otherwise()

    @property
    def changed(self) -> list[Unsettled]:
        """Nothing was sent before."""
        return []

    @property
    def idle(self) -> bool:
        """Whether the next ones would have to be waited for."""
        return self._instead.source.idle if self._instead is not None else self._idle

    def held(self) -> int | None:
        """Position of the oldest record not yet in a request."""
        return self._instead.source.held() if self._instead is not None else self._held

    def remarks(self) -> tuple[str, ...]:
        """See `Planner.remarks`."""
        return self._planner.remarks() if self._instead is not None else self._remarks

    def close(self) -> None:
        """End the process, and let go of what took its place."""
        self._process.close()
        if self._instead is not None:
            self._instead.close()

    def parts(
        self,
        request: Request,
        places: Sequence[Sequence[int]],
        then: Callable[[list[Request] | None], None],
    ) -> None:
        """Requests of some records of another; `then` is given them, or None."""
        then(made_parts(self._planner, request, places))

    async def taken(self) -> AsyncIterator[Taken]:
        """What comes of each block."""
        if self._instead is not None:
            async for taken in self._instead.source.taken():
                yield taken
            return
        frames = self._process.frames()
        while not self._ended:
            if not await self._process.at_hand(_PATIENCE_S):
                self._idle = True  # what was planned leaves meanwhile
                yield Taken(block=Block(first=self._read, lines=[]), planned=Planned([], []))
                self._idle = False
            frame, data, at = await anext(frames)
            await asyncio.sleep(0)  # what waits meanwhile has its turn, however much is there
            requests = requests_of(frame, data, at, self._planner)
            self._held, self._remarks, self._ended = frame.held, frame.remarks, frame.last
            self._read = max(self._read, frame.first + frame.count)
            block = None if frame.last else _block(frame)
            if block is not None:
                self._planner.note(block)
            yield Taken(block=block, planned=Planned(requests, frame.rejected))


def _block(frame: Frame) -> Block:
    """The block that a frame is about, without the texts of its records."""
    digest = frame.digest
    return Block(
        first=frame.first, first_line=frame.first_line, lines=[b""] * frame.count, digest=lambda: digest
    )
