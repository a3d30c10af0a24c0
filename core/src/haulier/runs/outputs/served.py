"""An output and the thread in which it is made, called and closed, so that one which hangs holds up nobody else."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import TypeVar

from haulier.io.doors import RunDoors
from haulier.model.parts import Output
from haulier.runs.resolving.guarding import Guard
from haulier.runs.resolving.returned import output_fault

__all__ = ["Served"]

T = TypeVar("T")

_AT_ONCE = 1_000
_PATIENCE_S = 60.0
_CLOSING_S = 2.0  # an output that does not come back from its last call is left behind after so long


class Served:
    """number: place in the destination, from 1. All methods belong to the run's loop; `open` comes first.

    The thread is a daemon: an output that never returns cannot keep the process.
    """

    def __init__(self, number: int, name: str, doors: RunDoors, guard: Guard) -> None:
        self.place = f"output {number} ({name})"
        self.at_once = _AT_ONCE
        self.patience_s = _PATIENCE_S
        self._doors = doors
        self._guard = guard
        self._write: Callable[[Sequence[bytes]], None] | None = None
        self._close: Callable[[], None] | None = None
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"haulier-output-{number}", daemon=True)
        self._thread.start()

    async def open(self, make: Callable[[RunDoors], Output]) -> None:
        """Make the output; PluginError where its factory raises anything but our own errors, or returns no output."""
        made = self._guard.around(make, returns=output_fault)
        output = await self.call(lambda: made(self._doors))
        self.at_once = max(1, int(getattr(output, "at_once", _AT_ONCE)))
        self.patience_s = float(getattr(output, "patience_s", _PATIENCE_S))
        self._write = self._guard.around(output.write, passing=(OSError,))
        self._close = self._guard.around(output.close)

    async def write(self, lines: Sequence[bytes]) -> None:
        """Hand lines to the output; raises our own errors and OSError as they are, PluginError for any other."""
        assert self._write is not None
        await self.call(partial(self._write, lines))

    async def call(self, work: Callable[[], T]) -> T:
        """What `work` gives, done in the output's thread."""
        future: Future[T] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the result
                future.set_exception(error)
            else:
                future.set_result(result)

        self._jobs.put(job)
        return await asyncio.wrap_future(future)

    async def close(self) -> None:
        """Break off what it is sending, let it go, and end its thread; raises what its `close` does wrong."""
        await self._doors.close()
        close, self._close = self._close, None
        try:
            if close is not None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.call(close), _CLOSING_S)
        finally:
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
