"""Carrying: makes the attempts that a delivery's flow asks for, one exchange each, until it wants anything else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from random import random

from haulier.delivery.pacing import Pacing
from haulier.delivery.retry import Exhausted, Flow, Send, Settle, Wait, deliver
from haulier.errors import TransportError
from haulier.io.ledger.rows import NOT_SENT, may_have_arrived
from haulier.io.transports.protocol import Prompt, Transport
from haulier.model.delivery import DELIVERED
from haulier.model.request import Response
from haulier.runs.driving.delivery import Delivery
from haulier.runs.driving.overdue import Awaited, Overdue
from haulier.runs.driving.under_way import UnderWay
from haulier.runs.driving.wishes import Wishes

__all__ = ["Carrier"]


class Carrier:
    """Carries out the flows of deliveries. wishes: told of what a flow wants after its last attempt for now.

    ended: called after it, with how many there are, where `begin` made the attempts; failed: with what went wrong then.

    Made inside the running loop; all methods belong to its thread.
    """

    def __init__(
        self,
        transport: Transport,
        stage: UnderWay,
        pacing: Pacing,
        wishes: Wishes,
        *,
        ended: Callable[[int], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._transport = transport
        self._prompt = transport if isinstance(transport, Prompt) else None
        self._book = stage.book
        self._course = course = stage.course
        self._takes_any_200 = course.judging.takes_any_200
        self._plain_200 = self._takes_any_200 and not wishes.settling.tells
        self._authorize = course.authorize
        self._pacing = pacing
        self._rules = stage.rules
        self._history = stage.history
        self._settling = wishes.settling
        self._delivered = wishes.delivered
        self._settle = wishes.settle
        self._wait = wishes.wait
        self._exhausted = wishes.exhausted
        self._ended, self._failed = ended, failed
        self._exchanges = Overdue(course.longest_s)
        self._heard: list[tuple[Delivery, Response | TransportError]] = []
        self._loop = asyncio.get_running_loop()

    async def watch(self) -> None:
        """Break off exchanges that take too long, until cancelled."""
        await self._exchanges.watch()

    def drop(self) -> None:
        """Break off everything under way; nothing more is told of it."""
        self._heard.clear()
        self._exchanges.drop()

    def _flow(self, delivery: Delivery, first: Response | TransportError | None = None) -> Flow:
        """What decides on a delivery; first: what came of its first attempt, where that was made already."""
        course = self._course
        return deliver(
            delivery.request,
            course.judging,
            course.policy,
            self._history,
            random,
            resend=may_have_arrived(delivery.before),
            spent=delivery.spent,
            first=first,
        )

    def begin(self, delivery: Delivery) -> bool:
        """Make the first attempt without a task of its own; False where that cannot be, and it is to be carried.

        When it has come to rest, or waits, that is told together with all others of one turn of the loop.
        """
        prompt, request = self._prompt, delivery.request
        if prompt is None or delivery.flow is not None or delivery.waits_first:
            return False
        try:
            exchange = prompt.begin(request, self._authorize(request), partial(self._hear, delivery))
        except Exception:  # noqa: BLE001 - whoever carries it meets it again, and has it judged or ends the run
            return False
        if exchange is None:
            return False
        self._attempt(delivery, 1)
        delivery.exchange = exchange
        self._exchanges.begin(delivery)
        return True

    def _hear(self, delivery: Delivery, reply: Response | TransportError) -> None:
        self._exchanges.end(delivery)
        if not self._heard:
            self._loop.call_soon(self._take_heard)
        self._heard.append((delivery, reply))

    def _take_heard(self) -> None:
        """What came in one turn of the loop."""
        heard, self._heard = self._heard, []
        if not heard:
            return  # it was broken off
        try:
            self._settle_heard(heard)
        except Exception as error:  # noqa: BLE001 - called from the loop, where nobody would hear of it
            self._failed(error)
        self._ended(len(heard))

    def _settle_heard(self, heard: Sequence[tuple[Delivery, Response | TransportError]]) -> None:
        """In their order; neighbours of which nothing is to be decided all at once."""
        now = self._loop.time()
        plain: list[Delivery] = []
        for beside, (delivery, reply) in enumerate(heard):
            self._count(delivery, reply, now, beside)
            if self._plain_200 and type(reply) is Response and reply.status == 200:
                plain.append(delivery)
                continue
            if plain:
                self._delivered(plain)
                plain = []
            try:
                self._decide(delivery, reply)
            except Exception as error:  # noqa: BLE001 - of a plugin's judge, say: it ends the run, not the others
                self._failed(error)
        if plain:
            self._delivered(plain)

    async def carry(self, delivery: Delivery) -> None:
        """Follow a delivery's flow until it settles, or has to wait."""
        request, task = delivery.request, delivery.task
        assert task is not None
        flow = delivery.flow = delivery.flow or self._flow(delivery)
        wish = flow.send(None)
        while isinstance(wish, Send):
            self._attempt(delivery, wish.number)
            exchange = delivery.exchange = Awaited(task)
            self._exchanges.begin(delivery)
            reply: Response | TransportError
            try:
                reply = await self._transport.send(request, self._authorize(request))
            except TransportError as error:
                reply = error
            except asyncio.CancelledError:
                if (broken_off := exchange.answer()) is None:
                    raise
                reply = broken_off
            finally:
                self._exchanges.end(delivery)
            self._count(delivery, reply, self._loop.time(), 0)
            wish = flow.send(reply)
        self._end(delivery, wish)

    def _decide(self, delivery: Delivery, reply: Response | TransportError) -> None:
        """Have the flow decide on what a first attempt came to, where anything is to be decided."""
        if self._takes_any_200 and type(reply) is Response and reply.status == 200:
            self._settle(delivery, Settle(DELIVERED, 1, reply))
            return
        delivery.flow = self._flow(delivery, reply)
        self._end(delivery, delivery.flow.send(None))

    def _attempt(self, delivery: Delivery, number: int) -> None:
        if delivery.since is None:
            delivery.since = self._rules.successes
        if delivery.tries > delivery.spent:
            delivery.before = delivery.left_status
        delivery.tries, delivery.began = number, self._loop.time()
        delivery.refusals = self._settling.refusals

    def _count(self, delivery: Delivery, reply: Response | TransportError, now: float, beside: int) -> None:
        began = delivery.began
        response: Response | None = None
        if isinstance(reply, Response):
            response = reply
            delivery.status = reply.status
        else:
            delivery.status = None if reply.sent == "maybe" else NOT_SENT
        self._book.attempted(delivery.request, now - began)
        self._pacing.answered(began, now, response, beside=beside)

    def _end(self, delivery: Delivery, wish: Send | Wait | Settle | Exhausted) -> None:
        if isinstance(wish, Settle):
            self._settle(delivery, wish)
        elif isinstance(wish, Wait):
            self._wait(delivery, wish)
        elif isinstance(wish, Exhausted):
            self._exhausted(delivery, wish)
