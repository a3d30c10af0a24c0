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

from haulier.errors import PluginError
from haulier.io.doors import RunDoors
from haulier.model.parts import Output

__all__ = ["Served"]

T = TypeVar("T")

_AT_ONCE = 1_000
_PATIENCE_S = 60.0
_CLOSING_S = 2.0  # an output that does not come back from its last call is left behind after so long


class Served:
    """number: place in the destination, from 1. All methods belong to the run's loop; `open` comes first.

    The thread is a daemon: an output that never returns cannot keep the process.
    """

    def __init__(self, number: int, name: str, doors: RunDoors) -> None:
        self.name = name
        self.place = f"output {number} ({name})"
        self.at_once = _AT_ONCE
        self.patience_s = _PATIENCE_S
        self._doors = doors
        self._output: Output | None = None
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"haulier-output-{number}", daemon=True)
        self._thread.start()

    async def open(self, make: Callable[[RunDoors], Output]) -> None:
        """Make the output; raises what its factory raises."""
        output = await self.call(lambda: make(self._doors))
        self.at_once = max(1, int(getattr(output, "at_once", _AT_ONCE)))
        self.patience_s = float(getattr(output, "patience_s", _PATIENCE_S))
        self._output = output

    async def write(self, lines: Sequence[bytes]) -> None:
        """Hand lines to the output; raises what it raises."""
        output = self._output
        assert output is not None
        await self.call(lambda: output.write(lines))

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
        """Break off what it is sending, let it go, and end its thread; raises what its `close` raises."""
        await self._doors.close()
        output, self._output = self._output, None
        try:
            if output is not None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.call(partial(self._close, output)), _CLOSING_S)
        finally:
            self._jobs.put(None)

    def _close(self, output: Output) -> None:
        try:
            output.close()
        except SystemExit as error:
            raise PluginError(f"output {self.name} raised SystemExit: {error}") from error

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
