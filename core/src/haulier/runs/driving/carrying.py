"""Carrying: makes the attempts that a delivery's flow asks for, one exchange each, until it wants anything else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from haulier.delivery.pacing import Pacing
from haulier.delivery.retry import Exhausted, Send, Settle, Wait
from haulier.delivery.stopping import StopRules
from haulier.errors import TransportError
from haulier.io.ledger.rows import NOT_SENT
from haulier.io.transports.protocol import Transport
from haulier.model.request import Response
from haulier.runs.driving.book import Book
from haulier.runs.driving.course import Course
from haulier.runs.driving.crew import Delivery
from haulier.runs.driving.overdue import Overdue
from haulier.runs.driving.settling import Settling

__all__ = ["Carrier"]


class Carrier:
    """Carries out the flows of deliveries.

    settle, wait, exhausted: told of what a flow wants after its last attempt for now.

    Made inside the running loop; all methods belong to its thread.
    """

    def __init__(
        self,
        transport: Transport,
        book: Book,
        course: Course,
        pacing: Pacing,
        rules: StopRules,
        settling: Settling,
        *,
        settle: Callable[[Delivery, Settle], None],
        wait: Callable[[Delivery, Wait], None],
        exhausted: Callable[[Delivery, Exhausted], None],
    ) -> None:
        self._transport = transport
        self._book = book
        self._authorize = course.authorize
        self._pacing = pacing
        self._rules = rules
        self._settling = settling
        self._settle = settle
        self._wait = wait
        self._exhausted = exhausted
        self._exchanges = Overdue(course.longest_s)
        self._loop = asyncio.get_running_loop()

    async def watch(self) -> None:
        """Break off exchanges that take too long, until cancelled."""
        await self._exchanges.watch()

    async def carry(self, delivery: Delivery) -> None:
        """Follow a delivery's flow until it settles, or has to wait."""
        request, flow, task = delivery.request, delivery.flow, delivery.task
        exchanges = self._exchanges
        assert task is not None
        reply: Response | TransportError | None
        wish = flow.send(None)
        if delivery.since is None:
            delivery.since = self._rules.successes
        while isinstance(wish, Send):
            if delivery.tries > delivery.spent:
                delivery.before = delivery.left_status
            delivery.tries = wish.number
            delivery.refusals = self._settling.refusals
            began = delivery.began = self._loop.time()
            exchanges.begin(task, began, request.length)
            try:
                reply = await self._transport.send(request, self._authorize(request))
                delivery.status = reply.status
            except TransportError as error:
                reply, delivery.status = error, None if error.sent == "maybe" else NOT_SENT
            except asyncio.CancelledError:
                if (broken_off := exchanges.why(task)) is None:
                    raise
                reply, delivery.status = broken_off, None
            finally:
                exchanges.end(task)
            now = self._loop.time()
            self._book.attempted(request, now - began)
            self._pacing.answered(began, now, reply if isinstance(reply, Response) else None)
            wish = flow.send(reply)
        if isinstance(wish, Settle):
            self._settle(delivery, wish)
        elif isinstance(wish, Wait):
            self._wait(delivery, wish)
        else:
            self._exhausted(delivery, wish)
