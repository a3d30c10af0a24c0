"""Reading one request and sending its answer over ASGI, whole, late, in part or not at all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from haulier.testing.emulator.answer import Answer
from haulier.testing.emulator.faults import Fault
from haulier.testing.emulator.log import Outcome
from haulier.testing.emulator.protocol import WIRE, Wire

PASSING = Fault.passing()


class ClientLeftError(Exception):
    """The client went away before its request was complete."""


class BodyTooLargeError(Exception):
    """The request's body is larger than the emulator takes."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request's way in and out."""

    scope: Scope
    receive: Receive
    send: Send

    @property
    def wire(self) -> Wire:
        """The connection; there is one only under the kit's own server."""
        if WIRE not in self.scope:
            raise RuntimeError("an emulator answers only under haulier.testing.emulator.serve or run_forever")
        wire: Wire = self.scope[WIRE]
        return wire

    async def read(self, max_body_bytes: int) -> bytes:
        """The request's whole body."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientLeftError
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > max_body_bytes:
                raise BodyTooLargeError
            if not message.get("more_body", False):
                return b"".join(chunks)

    async def left_within(self, seconds: float) -> bool:
        """Whether the client goes away before `seconds` have passed; waits that long for it."""
        try:
            await asyncio.wait_for(self._disconnected(), seconds)
        except TimeoutError:
            return False
        return True

    async def close(self, answer: Answer | None, fault: Fault) -> None:
        """Send `answer` in the way `fault` has it."""
        if answer is None or fault.drop in ("unhandled", "unanswered"):
            await self._drop(fault)
        elif fault.drop == "partial":
            await self._write(answer.cut_short(), more_body=True)
            await self._drop(fault)
        else:
            await self._write(answer, more_body=False)

    async def _write(self, answer: Answer, *, more_body: bool) -> None:
        head = {"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)}
        await self.send(head)
        await self.send({"type": "http.response.body", "body": answer.body, "more_body": more_body})

    async def _drop(self, fault: Fault) -> None:
        self.wire.close(reset=fault.reset)
        # An app that returns before uvicorn has seen the connection go is answered for with a 500.
        await self._disconnected()

    async def _disconnected(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass


def outcome_of(answer: Answer | None, fault: Fault) -> tuple[Outcome, int | None]:
    """What will have become of a request once its answer was sent, and the status that was sent."""
    if answer is None or fault.drop in ("unhandled", "unanswered"):
        return "dropped", None
    return ("partial" if fault.drop == "partial" else "answered"), answer.status


async def answer_of(app: ASGIApp, scope: Scope, body: bytes) -> tuple[Answer, Exception | None]:
    """What an ASGI app answers to a request whose body was already read, and what it raised, if anything."""
    status = 500
    headers: list[tuple[bytes, bytes]] = []
    chunks: list[bytes] = []
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers.extend(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            chunks.append(message.get("body", b""))

    raised: Exception | None = None
    try:
        await app(scope, receive, send)
    except Exception as error:  # noqa: BLE001 - a stranger's code; the caller logs it with the emulator's name
        raised = error
    return Answer(status, tuple(headers), b"".join(chunks)), raised
