"""The crowd: carries out what batches wait for, in threads beside the event loop, and hands the results back to it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from haulier.errors import RecordError, RunStopped
from haulier.model.parts import Work
from haulier.model.request import Positions
from haulier.pipeline.making import Waiting, carried
from haulier.pipeline.planner import OpenWork

__all__ = ["Crowd"]

T = TypeVar("T")


class Crowd:
    """At most `size` pieces of work at once; all calls belong to the loop's thread.

    carry: carries out a program in a thread, and raises RecordError for what is wrong with its records. finished:
    called when one is done.
    """

    def __init__(self, carry: Callable[[Work, Positions], Any], size: int) -> None:
        self._carry = carry
        self._size = size
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="haulier-work")
        self._loop = asyncio.get_running_loop()
        self._done: deque[tuple[int, Future[Any]]] = deque()
        self._some = asyncio.Event()
        self._open = 0
        self._closed = False
        self.finished: Callable[[], None] | None = None

    def add(self, work: Iterable[OpenWork]) -> None:
        """Begin with these as soon as a thread is free."""
        for one in work:
            self._open += 1
            future = self._threads.submit(carried, one.work, one.positions, self._carry)
            future.add_done_callback(lambda done, ticket=one.ticket: self._tell(ticket, done))  # type: ignore[misc]

    @property
    def has_results(self) -> bool:
        """Whether something is done."""
        return bool(self._done)

    async def results(self, most: int | None = None) -> AsyncIterator[tuple[int, Any]]:
        """(ticket, result or RecordError) of what is done, until no more than `most` is open; unless given, a few."""
        most = 4 * self._size if most is None else most
        while self._done or self._open > most:
            if not self._done:
                self._some.clear()
                await self._some.wait()
                continue
            ticket, future = self._done.popleft()
            self._open -= 1
            try:
                result = future.result()
            except RecordError as error:
                result = error
            yield ticket, result

    async def through(self, making: Generator[Waiting, Any, T]) -> T:
        """What becomes of something that waits, all its work carried out; RunStopped once this is closed."""
        try:
            waiting = making.send(None)
            while True:
                if self._closed:
                    raise RunStopped("the run has stopped")
                try:
                    result = await self._loop.run_in_executor(
                        self._threads, carried, waiting.work, waiting.positions, self._carry
                    )
                except RecordError as error:
                    waiting = making.throw(error)
                else:
                    waiting = making.send(result)
        except StopIteration as end:
            made: T = end.value
            return made

    def close(self) -> None:
        """Begin with nothing more."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _tell(self, ticket: int, future: Future[Any]) -> None:
        """In a thread: the result is there."""
        if not future.cancelled() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._finish, ticket, future)

    def _finish(self, ticket: int, future: Future[Any]) -> None:
        self._done.append((ticket, future))
        self._some.set()
        if self.finished is not None:
            self.finished()
