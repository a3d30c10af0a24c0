"""Exchanges that take too long, however busy they look: an answer that drips is never silent for `timeout_s`."""

from __future__ import annotations

import asyncio

from haulier.errors import TransportError

__all__ = ["Overdue"]

_SLOWEST = 16 << 10  # bytes a second at which a request may go out
_LOOKS = 20  # in the longest time


class Overdue:
    """Looks after exchanges under way: `begin` and `end` each of them, and `watch` cancels what takes too long.

    A request has more time by its length. A timer for each, or a coroutine around each, would cost more.
    """

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._until: dict[asyncio.Task[None], float] = {}
        self._broken_off: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    def begin(self, task: asyncio.Task[None], now: float, length: int) -> None:
        """An exchange begins. task: the one it is awaited in, one at a time; length: of its body."""
        self._until[task] = now + self._longest_s + length / _SLOWEST

    def end(self, task: asyncio.Task[None]) -> None:
        """It is over, whatever came of it."""
        del self._until[task]
        if self._broken_off:
            self._broken_off.discard(task)

    def why(self, task: asyncio.Task[None]) -> TransportError | None:
        """What to make of a cancelled exchange; None where it was cancelled by others."""
        if task not in self._broken_off:
            return None
        task.uncancel()
        return TransportError(
            f"no whole answer in {self._longest_s:,.0f} s, ten times `timeout_s`", sent="maybe"
        )

    async def watch(self) -> None:
        """Break off what takes too long, until cancelled."""
        while True:
            await asyncio.sleep(min(1.0, self._longest_s / _LOOKS))
            now = self._loop.time()
            late = [
                task for task, until in self._until.items() if until < now and task not in self._broken_off
            ]
            for task in late:
                self._broken_off.add(task)
                task.cancel()
