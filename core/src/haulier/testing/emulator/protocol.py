"""uvicorn's HTTP/1.1 protocol with the wire handed to the app: the head as sent, the connection to drop."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

WIRE = "haulier.wire"
# A request still being answered when the server stops gets this long before its connection is dropped.
GRACE_S = 0.2


class Wire:
    """One client's connection."""

    def __init__(self, transport: asyncio.Transport, conn: HeadKeeper) -> None:
        self._transport = transport
        self._conn = conn

    @property
    def target(self) -> str:
        """The target of the request being answered, as it stood on the request line."""
        return self._conn.target.decode("latin-1")

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Its headers in the order and case in which they were sent."""
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._conn.headers]

    def close(self, *, reset: bool = False) -> None:
        """Close the TCP connection: after what was already sent, or at once with a reset."""
        if not reset:
            self._transport.close()
            return
        sock = self._transport.get_extra_info("socket")
        # Lingering for 0 seconds is what makes the kernel send RST in place of FIN.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


class HeadKeeper(h11.Connection):
    """Remembers the last request's target and headers, which uvicorn passes on split up and in lower case."""

    def __init__(self, max_head_bytes: int) -> None:
        super().__init__(h11.SERVER, max_head_bytes)
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []

    def next_event(self) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
        """The next event, as h11 gives it."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            self.target = event.target
            self.headers = event.headers.raw_items()
        return event


class WireProtocol(H11Protocol):
    """Puts a `Wire` into each request's scope; on shutdown drops what does not end by itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._keeper = HeadKeeper(self.config.h11_max_incomplete_event_size or 64 * 1024)
        self.conn = self._keeper

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by the event loop once a client has connected."""
        super().connection_made(transport)
        # asyncio does so by itself only where the listening socket names its protocol; this one does not.
        # Without it each answer on a kept connection waits 40 ms for the client's acknowledgement.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire, app = Wire(transport, self._keeper), self.app

        async def with_wire(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, WIRE: wire}, receive, send)

        self.app = with_wire

    def shutdown(self) -> None:
        """Called by the server when it stops."""
        super().shutdown()
        if not self.transport.is_closing():
            self.loop.call_later(GRACE_S, self.transport.abort)
