"""What carries httpcore's bytes: an asyncio protocol, at half the cost of the general one that httpcore brings.

Head and body of a small request leave in one system call, a read that finds bytes waits for nothing, and one timer
serves a wait.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any, cast

import httpcore

from haulier.errors import TransportError
from haulier.io.transports.dialing import HINT, Dialer, readable, told
from haulier.io.transports.hangups import Hangups

__all__ = ["Network"]

_HTTP_PORT = 80  # not written where it is the usual one
_HELD_BYTES = 64 << 10  # of a request, until they are written
_UNREAD_BYTES = 1 << 20  # of an answer, until the connection is told to wait


class Network(httpcore.AsyncNetworkBackend):
    """Connections for httpcore. What fails before the first byte is a TransportError with sent "no"."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._hangups = Hangups()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature; the dialer has its own
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A plain connection; httpcore asks for TLS on it next."""
        del timeout, local_address, socket_options
        shown = f"[{host}]" if ":" in host else host
        stream = _Stream(self._hangups, shown if port == _HTTP_PORT else f"{shown}:{port}")
        await self._dialer.dial("http", stream.host, lambda: stream)
        return stream

    async def sleep(self, seconds: float) -> None:
        """Wait between attempts of httpcore's own, which are switched off."""
        await asyncio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream, asyncio.Protocol):
    """One connection. Reads give what is there; writes are held until the next read, or until they are many."""

    _wire: asyncio.Transport

    def __init__(self, hangups: Hangups, host: str) -> None:
        self._hangups, self.host = hangups, host
        self._loop = asyncio.get_running_loop()
        self._held: list[bytes] = []
        self._came: list[bytes] = []
        self._held_bytes = self._came_bytes = 0
        self._ended = self._halted = self._paused = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._tls: asyncio.Transport | None = None
        self._idle_since: float | None = None  # None before the end of an answer
        self._spent = False
        self._unanswered = False  # it was used again, and not a byte of the answer came

    # -- what httpcore calls ---------------------------------------------------------------------------------------

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """What has come, or next comes; empty at the end. httpcore takes more than `max_bytes` as well."""
        if self._held:
            self._flush()
        if not self._came and not self._ended:
            await self._wait(timeout, httpcore.ReadTimeout)
        if not self._came:
            if self._error is not None:
                raise httpcore.ReadError(told(self._error))
            return b""
        data = self._came[0] if len(self._came) == 1 else b"".join(self._came)
        self._came.clear()
        self._came_bytes = 0
        if self._halted:
            self._halted = False
            self._wire.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Take bytes to be written; waits while the connection takes no more."""
        if self._ended:
            raise httpcore.WriteError(told(self._error) if self._error else "it closed the connection")
        if self._idle_since is not None:
            self._idle_since = None
            self._unanswered = True
        self._held.append(buffer)
        self._held_bytes += len(buffer)
        if self._held_bytes >= _HELD_BYTES:
            self._flush()
            if self._paused:
                await self._wait(timeout, httpcore.WriteTimeout)

    async def aclose(self) -> None:
        """Hang up."""
        self._held.clear()
        self._wire.abort()
        self._ended = True
        await asyncio.sleep(0)  # asyncio closes the socket in its next round

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        """The same connection, with TLS on it."""
        try:
            tls = await self._loop.start_tls(
                self._wire,
                self,
                ssl_context,
                server_hostname=server_hostname,
                ssl_handshake_timeout=timeout,
                ssl_shutdown_timeout=timeout,
            )
        except TimeoutError:
            why = f"no connection in time {HINT}"
        except OSError as error:
            late = isinstance(error, ConnectionAbortedError)
            why = f"no connection in time {HINT}" if late else told(error)
        else:
            if tls is not None:
                self._wire = self._tls = tls
                return self
            why = "it closed the connection"
        self._wire.abort()
        raise TransportError(f"{self.host}: {why}", sent="no")

    def get_extra_info(self, info: str) -> Any:
        """Whether an idle connection must not be used again, and what TLS agreed on."""
        if (
            info == "is_readable"
        ):  # asked behind each answer and before each request, when nothing should come
            return self._is_spent()
        if info == "ssl_object":
            return self._tls.get_extra_info("ssl_object") if self._tls is not None else None
        return self._wire.get_extra_info(info)

    # -- what asyncio calls ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._wire = cast("asyncio.Transport", transport)
        self._readable = readable(transport.get_extra_info("socket").fileno())

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._unanswered = False
        self._came.append(data)
        self._came_bytes += len(data)
        if self._came_bytes > _UNREAD_BYTES and not self._halted:
            self._halted = True
            self._wire.pause_reading()
        self._go_on()

    def eof_received(self) -> None:
        """Nothing more will come."""
        self._end()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._error = error
        self._end()

    def pause_writing(self) -> None:
        """More is held than is good."""
        self._paused = True

    def resume_writing(self) -> None:
        """More can be written."""
        self._paused = False
        self._go_on()

    def _is_spent(self) -> bool:
        now = self._loop.time()
        if self._idle_since is None:
            self._idle_since = now
            self._spent = self._hangups.once(self.host)
        if self._ended or self._came or self._readable():
            self._hangups.ended(self.host, now - self._idle_since)
            return True
        return self._spent

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            if self._unanswered:
                self._hangups.ended(self.host)
            elif self._idle_since is not None:
                self._hangups.ended(self.host, self._loop.time() - self._idle_since)
        self._go_on()

    def _flush(self) -> None:
        if not self._wire.is_closing():
            self._wire.writelines(self._held)
        self._held = []
        self._held_bytes = 0

    def _go_on(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self, timeout_s: float | None, late: type[Exception]) -> None:
        self._waiter = waiter = self._loop.create_future()
        timer = self._loop.call_later(timeout_s, _expire, waiter, late) if timeout_s is not None else None
        try:
            await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()


def _expire(waiter: asyncio.Future[None], late: type[Exception]) -> None:
    if not waiter.done():
        waiter.set_exception(late())
