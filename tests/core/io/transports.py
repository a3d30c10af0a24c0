"""What the suite of all transports shares: each of them by name, requests, and what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

import pytest
import uvloop

from haulier.errors import TransportError
from haulier.io.transports.http1 import Http1
from haulier.io.transports.httpx_lanes import HttpxLanes
from haulier.io.transports.protocol import NOTHING_ADDED, Transport
from haulier.model.parts import Added
from haulier.model.request import FilePart, Request, Response

T = TypeVar("T")


@dataclass(frozen=True)
class Sender:
    """One transport on one event loop. name: as a destination names it."""

    name: str
    make: Callable[..., Transport]
    new_loop: Callable[[], asyncio.AbstractEventLoop]

    def open(self, *, lanes: int = 1, timeout_s: float = 5.0, **options: object) -> Transport:
        return self.make(lanes=lanes, timeout_s=timeout_s, **options)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        with asyncio.Runner(loop_factory=self.new_loop) as runner:
            return runner.run(main)

    def exchange(
        self, *requests: Request, added: Added = NOTHING_ADDED, pause_s: float = 0.0, **options: object
    ) -> list[Response | TransportError]:
        """Each request after the other over one transport; what came of it."""

        async def main() -> list[Response | TransportError]:
            transport = self.open(**options)  # type: ignore[arg-type]
            found: list[Response | TransportError] = []
            try:
                for number, one in enumerate(requests):
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


SENDERS = {
    "httpx": Sender("httpx", HttpxLanes, asyncio.new_event_loop),
    "http1": Sender("http1", Http1, asyncio.new_event_loop),
    "http1 on uvloop": Sender("http1", Http1, uvloop.new_event_loop),
}
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
