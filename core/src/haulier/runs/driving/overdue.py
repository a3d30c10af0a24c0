"""Exchanges that take too long, however busy they look: an answer that drips is never silent for `timeout_s`."""

from __future__ import annotations

import asyncio

from haulier.errors import TransportError
from haulier.runs.driving.delivery import Delivery

__all__ = ["Awaited", "Overdue"]

_SLOWEST = 16 << 10  # bytes a second at which a request may go out
_LOOKS = 20  # in the longest time


class Awaited:
    """An exchange that a task awaits. broken_off: what is to be its answer, where the task was cancelled for that."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task
        self.broken_off: TransportError | None = None

    def break_off(self, error: TransportError) -> None:
        """Cancel the task; it calls `answer` then."""
        self.broken_off = error
        self._task.cancel()

    def drop(self) -> None:
        """Cancel the task."""
        self._task.cancel()

    def answer(self) -> TransportError | None:
        """To be asked by the task when it is cancelled: what to go on with; None where it was cancelled by others."""
        if self.broken_off is not None:
            self._task.uncancel()
        return self.broken_off


class Overdue:
    """Looks after exchanges under way: `watch` breaks off what takes too long.

    A request has more time by its length. A timer for each, or a coroutine around each, would cost more.
    """

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._under_way: set[Delivery] = set()
        self.begin = self._under_way.add  # an exchange of this delivery begins, which holds it
        self.end = self._under_way.discard  # it is over, whatever came of it
        self._loop = asyncio.get_running_loop()

    def drop(self) -> None:
        """End all that are under way, without an answer."""
        under_way = list(self._under_way)
        self._under_way.clear()
        for delivery in under_way:
            if delivery.exchange is not None:
                delivery.exchange.drop()

    async def watch(self) -> None:
        """Break off what takes too long, until cancelled."""
        while True:
            await asyncio.sleep(min(1.0, self._longest_s / _LOOKS))
            latest = self._loop.time() - self._longest_s
            for delivery in [
                one for one in self._under_way if one.began + one.request.length / _SLOWEST < latest
            ]:
                self._under_way.discard(delivery)
                assert delivery.exchange is not None
                delivery.exchange.break_off(
                    TransportError(
                        f"no whole answer in {self._longest_s:,.0f} s, ten times `timeout_s`", sent="maybe"
                    )
                )
