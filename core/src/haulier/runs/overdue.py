"""Exchanges that take too long, however busy they look: an answer that drips is never silent for `timeout_s`."""

from __future__ import annotations

import asyncio

from haulier.errors import TransportError
from haulier.io.transports.protocol import Transport
from haulier.model.parts import Added
from haulier.model.request import Request, Response

__all__ = ["Overdue"]

_SLOWEST = 16 << 10  # bytes a second at which a request may go out
_LOOKS = 20  # in the longest time


class Overdue:
    """Sends over a transport and breaks off what is not answered whole in `longest_s`.

    A request has more time by its length. Looked after by `watch`, as a timer for each request would cost more.
    """

    def __init__(self, transport: Transport, longest_s: float) -> None:
        self._transport = transport
        self._longest_s = longest_s
        self._until: dict[asyncio.Task[None], float] = {}
        self._broken_off: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    async def send(self, request: Request, added: Added, task: asyncio.Task[None]) -> Response:
        """One exchange; TransportError where it is broken off. task: the one it is awaited in, for nothing else.

        To ask which task that is would take as long as all else here.
        """
        self._until[task] = self._loop.time() + self._longest_s + request.length / _SLOWEST
        try:
            return await self._transport.send(request, added)
        except asyncio.CancelledError:
            if task not in self._broken_off:
                raise
            task.uncancel()
            raise TransportError(
                f"no whole answer in {self._longest_s:,.0f} s, ten times `timeout_s`", sent="maybe"
            ) from None
        finally:
            del self._until[task]
            self._broken_off.discard(task)

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
