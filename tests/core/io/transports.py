"""What the suite of all transports shares: each of them by name, requests, and what came of them."""

from __future__ import annotations

import asyncio
import select
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from types import TracebackType
from typing import Any, Self, TypeVar

import pytest
import uvloop
from tests.core.runs.wire import answer

from haulier.errors import TransportError
from haulier.io.transports.http1 import Http1
from haulier.io.transports.httpx_lanes import HttpxLanes
from haulier.io.transports.protocol import NOTHING_ADDED, Exchange, Transport
from haulier.model.parts import Added
from haulier.model.request import FilePart, Request, Response

T = TypeVar("T")


@dataclass(frozen=True)
class Sender:
    """One transport on one event loop. name: as a destination names it."""

    name: str
    make: Callable[..., Transport]
    new_loop: Callable[[], asyncio.AbstractEventLoop]

    def open(self, *, lanes: int = 1, timeout_s: float = 30.0, **options: object) -> Transport:
        return self.make(lanes=lanes, timeout_s=timeout_s, **options)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        with asyncio.Runner(loop_factory=self.new_loop) as runner:
            return runner.run(main)

    def exchange(
        self,
        *requests: Request,
        added: Added = NOTHING_ADDED,
        pause_s: float = 0.0,
        ready: Callable[[int], bool] = lambda number: True,
        **options: object,
    ) -> list[Response | TransportError]:
        """Each request after the other over one transport; what came of it.

        ready: whether the next one may begin, by its number; pause_s: how long it waits then.
        """

        async def main() -> list[Response | TransportError]:
            transport = self.open(**options)  # type: ignore[arg-type]
            found: list[Response | TransportError] = []
            try:
                for number, one in enumerate(requests):
                    while number and not ready(number):  # noqa: ASYNC110 - another thread knows
                        await asyncio.sleep(0.005)
                    if number:
                        await asyncio.sleep(pause_s)
                    try:
                        found.append(await transport.send(one, added))
                    except TransportError as error:
                        found.append(error)
            finally:
                await transport.close()
            return found

        return self.run(main())

    def answer(self, one: Request, **options: object) -> Response:
        (found,) = self.exchange(one, **options)  # type: ignore[arg-type]
        assert isinstance(found, Response), found
        return found

    def failure(self, one: Request, **options: object) -> TransportError:
        (found,) = self.exchange(one, **options)  # type: ignore[arg-type]
        assert isinstance(found, TransportError), found
        return found


class Begun(Http1):
    """`http1` with each exchange begun where it can be, as a run does, instead of awaited."""

    async def send(self, request: Request, added: Added) -> Response:
        answer: asyncio.Future[Response | TransportError] = asyncio.get_running_loop().create_future()
        exchange: Exchange | None = self.begin(request, added, answer.set_result)
        if exchange is None:
            return await super().send(request, added)
        assert not answer.done()
        try:
            reply = await answer
        except asyncio.CancelledError:
            exchange.drop()
            raise
        if isinstance(reply, TransportError):
            raise reply
        return reply


SENDERS = {
    "httpx": Sender("httpx", HttpxLanes, asyncio.new_event_loop),
    "http1": Sender("http1", Http1, asyncio.new_event_loop),
    "http1 on uvloop": Sender("http1", Http1, uvloop.new_event_loop),
    "http1, begun": Sender("http1", Begun, asyncio.new_event_loop),
    "http1 on uvloop, begun": Sender("http1", Begun, uvloop.new_event_loop),
}
every_http1_sender = pytest.mark.parametrize(
    "sender",
    [one for one in SENDERS.values() if one.name == "http1"],
    ids=[name for name, one in SENDERS.items() if one.name == "http1"],
)
every_sender = pytest.mark.parametrize("sender", SENDERS.values(), ids=list(SENDERS))


def request(
    url: str,
    *,
    method: str = "POST",
    body: bytes | tuple[bytes | FilePart, ...] = b'{"a":1}',
    headers: tuple[tuple[str, str], ...] = (("X-One", "1"),),
) -> Request:
    pieces = (body,) if isinstance(body, bytes) else body
    length = sum(part.size if isinstance(part, FilePart) else len(part) for part in pieces)
    return Request(
        number=0,
        positions=range(1),
        method=method,
        url=url,
        headers=headers,
        body=body,
        length=length,
        sha256=sha256(b"").digest(),
    )


class Serving:
    """A server with a script for each connection: the first is handled by the first script, and so on, then closed."""

    def __init__(self, *scripts: Callable[[socket.socket], None], host: str = "127.0.0.1") -> None:
        self.connections = 0
        self._scripts = scripts
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, 0), family=family)
        self.port = int(self._listening.getsockname()[1])
        self.url = f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        for script in self._scripts:
            try:
                taken, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(taken)
            thread = threading.Thread(target=self._serve, args=(script, taken), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, script: Callable[[socket.socket], None], taken: socket.socket) -> None:
        with taken, suppress(OSError):
            script(taken)


def read_request(taken: socket.socket) -> bytes:
    """One small request from a connection; empty at its end."""
    data = b""
    while b"\r\n\r\n" not in data or not data.endswith(b"}"):
        piece = taken.recv(65536)
        if not piece:
            return b""
        data += piece
    return data


def answering(taken: socket.socket) -> None:
    """A script: answer whatever comes."""
    while read_request(taken):
        taken.sendall(answer())


def holding(taken: socket.socket) -> None:
    """A script: say nothing and read nothing, until the connection or the server is closed."""
    poll = select.poll()
    poll.register(taken, 0)
    poll.poll(60_000)
