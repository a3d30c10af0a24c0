"""The transport that speaks HTTP/1.1 itself, over httptools' parser: exact bytes, exact phases, a clean exit.

One exchange at a time per connection. A connection on which anything happens that was not to be expected is closed.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import zlib
from typing import cast

import httptools

from haulier.errors import TransportError
from haulier.io.transports.dialing import HINT, Dialer, readable, told
from haulier.io.transports.protocol import (
    MAX_ANSWER_BYTES,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    check_files,
    head_bytes,
    head_of,
    parts_of,
    pieces_of,
)
from haulier.io.transports.unpacking import TooLong, unpacked
from haulier.model.request import Added, FilePart, Header, Request, Response

__all__ = ["Http1"]

_AT_ONCE_BYTES = 256 << 10  # a body up to this size is handed over whole, a longer one piece by piece
_IDLE_S = 4.0  # many servers hang up after 5 s; one that says so in a Keep-Alive header is believed
_CLOSING_S = 0.5  # how long the last words of TLS may take
_OVERHEAD_BYTES = 1 << 20  # what may come beside the bytes of a body: the borders of its chunks
_TELLING = frozenset(("content-encoding", "content-length", "keep-alive", "transfer-encoding"))
_KEPT_FOR = re.compile(r"timeout\s*=\s*(\d{1,4})")


class Http1:
    """Up to `lanes` requests at once, each on a connection of its own, kept open between requests.

    timeout_s: longest silence in each phase (connecting, writing, reading). max_answer_bytes: a longer body, before or
    after decompression, is an error. verify: an SSLContext, or None for the usual authorities. origin: where the first
    request will go, so that what TLS needs is there before it.
    """

    def __init__(
        self,
        *,
        lanes: int,
        timeout_s: float,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        verify: ssl.SSLContext | None = None,
        origin: str = "",
    ) -> None:
        self.lines: set[_Line] = set()
        self.names: dict[bytes, str] = {}  # of headers, as they came and in lower case
        self.timeout_s, self.max_answer_bytes = timeout_s, max_answer_bytes
        self._lanes = lanes
        self._slots = asyncio.Semaphore(lanes)
        self._dialer = Dialer(timeout_s=timeout_s, closing_s=_CLOSING_S, verify=verify)
        if origin.startswith("https:"):
            self._dialer.context()
        self._idle: list[_Line] = []

    async def send(self, request: Request, added: Added) -> Response:
        """One exchange, on the connection that was used last, or a new one."""
        check_files(request.body)
        target, headers = head_of(request, added)
        head = head_bytes(request.method, target, headers)
        scheme, host, _ = parts_of(request.url)
        async with self._slots:
            line = self._take(scheme, host) or await self._connect(scheme, host)
            response = await line.exchange(request.method, head, request.body)
            if line.usable:
                self._idle.append(line)
            return response

    async def close(self) -> None:
        """Close all connections; what is under way on them fails."""
        self._idle.clear()
        if closing := [line.close() for line in tuple(self.lines)]:
            await asyncio.wait(closing, timeout=_CLOSING_S)
        if self.lines:
            await asyncio.wait([line.abort() for line in tuple(self.lines)], timeout=_CLOSING_S)

    def _take(self, scheme: str, host: str) -> _Line | None:
        """The idle connection to this server that was used last; those that idled too long are closed."""
        idle = self._idle
        if not idle:
            return None
        now = asyncio.get_running_loop().time()
        for number in range(len(idle) - 1, -1, -1):
            line = idle[number]
            if now >= line.idle_until or line.has_news():
                line.abort()
                del idle[number]
            elif line.host == host and line.scheme == scheme:
                return idle.pop(number)
        if len(self.lines) >= self._lanes and idle:
            idle.pop(0).abort()  # they go to other servers
        return None

    async def _connect(self, scheme: str, host: str) -> _Line:
        line = _Line(self, scheme, host)
        await self._dialer.dial(scheme, host, lambda: line)
        return line


class _Line(asyncio.Protocol):
    """One connection. usable: whether another request may follow the answer that came."""

    def __init__(self, owner: Http1, scheme: str, host: str) -> None:
        loop = asyncio.get_running_loop()
        self.scheme, self.host = scheme, host
        self.usable = self.closed = False
        self.idle_until = 0.0
        self._owner, self._loop = owner, loop
        self._timeout_s, self._max_bytes = owner.timeout_s, owner.max_answer_bytes
        self._names = owner.names
        self._gone: asyncio.Future[None] = loop.create_future()
        self._answer: asyncio.Future[Response] | None = None
        self._moving: asyncio.Future[None] | None = None  # done when more can be written, or need not be
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False

    async def exchange(
        self, method: str, head: bytes, body: bytes | tuple[bytes | FilePart, ...]
    ) -> Response:
        """Send a request and return its answer; nothing was written where TransportError says sent "no"."""
        if self.closed or self._wire.is_closing():
            raise TransportError(f"{self.host}: it closed the connection at once", sent="no")
        answer = self._begin(method)
        try:
            if type(body) is bytes and len(body) <= _AT_ONCE_BYTES:
                self._wire.writelines((head, body) if body else (head,))
                self._written = True
            else:
                await self._pour(head, body)
            return await answer
        except BaseException:
            self.abort()
            if not answer.cancel() and not answer.cancelled():
                answer.exception()  # it was looked at
            raise
        finally:
            self._answer = None

    def has_news(self) -> bool:
        """Whether the connection ended, or has bytes that nobody asked for; the loop may not have seen it yet."""
        return self.closed or self._wire.is_closing() or self._readable()

    def close(self) -> asyncio.Future[None]:
        """Say goodbye; done when the connection is gone."""
        self._wire.close()
        return self._gone

    def abort(self) -> asyncio.Future[None]:
        """Hang up at once; done when the connection is gone."""
        self.usable = False
        self._wire.abort()
        return self._gone

    # -- writing ---------------------------------------------------------------------------------------------------

    def _begin(self, method: str) -> asyncio.Future[Response]:
        self._method = method
        self._headers: list[Header] = []
        self._telling: dict[str, str] = {}
        self._pieces: list[bytes] = []
        self._status = self._head_bytes = self._body_bytes = self._raw_bytes = self._unwritten = 0
        self._whole = self._keep = self._written = self._until_end = self._interim = False
        self._answer = self._loop.create_future()
        now = self._loop.time()
        self._deadline = now + self._timeout_s
        if self._timer is None:
            self._arm(now)
        return self._answer

    async def _pour(self, head: bytes, body: bytes | tuple[bytes | FilePart, ...]) -> None:
        """Write a long body as fast as it is taken; an answer, or the end of the connection, ends it early."""
        assert self._answer is not None
        self._wire.write(head)
        for piece in pieces_of(body, at_most=_AT_ONCE_BYTES):
            self._wire.write(piece)
            self._deadline = self._loop.time() + self._timeout_s
            if self._paused:
                self._moving = self._loop.create_future()
                await self._moving
            else:
                await asyncio.sleep(0)  # an early answer wants to be seen
            if self._answer.done():
                return
        self._written = True

    def pause_writing(self) -> None:
        """Called by asyncio while it holds more than it likes to."""
        self._paused = True

    def resume_writing(self) -> None:
        """Called by asyncio when more can be written."""
        self._paused = False
        self._go_on()

    def _go_on(self) -> None:
        if self._moving is not None and not self._moving.done():
            self._moving.set_result(None)

    # -- time ------------------------------------------------------------------------------------------------------

    def _arm(self, now: float) -> None:
        # One timer for many requests: it looks at the deadline when it comes, instead of being moved with each byte.
        self._timer = self._loop.call_at(min(self._deadline, now + self._timeout_s / 4), self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._answer is None or self._answer.done():
            return
        now, unwritten = self._loop.time(), self._wire.get_write_buffer_size()
        if unwritten != self._unwritten:
            self._unwritten, self._deadline = unwritten, now + self._timeout_s
        if now < self._deadline:
            self._arm(now)
        elif unwritten or not self._written:
            self._fail(f"it did not take the request in time {HINT}")
        else:
            self._fail(f"no answer in time {HINT}")

    # -- reading ---------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio when the connection stands, TLS included."""
        self._wire = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpResponseParser(self)
        self._readable = readable(transport.get_extra_info("socket").fileno())
        self._owner.lines.add(self)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio with what came."""
        if self._answer is None or self._answer.done():
            self.abort()  # nobody asked
            return
        self._deadline = self._loop.time() + self._timeout_s
        if not self._raw_bytes and data[:7] != b"HTTP/1."[: len(data)]:
            self._fail("it does not speak HTTP/1.1")
            return
        self._raw_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._keep = False
            if not self._whole:
                refused = error.__context__
                lax = f"its answer is no good HTTP/1.1: {error} (`transport: httpx` is less strict)"
                self._fail(str(refused) if isinstance(refused, _Refused) else lax)
                return
        if self._whole:
            self._finish(data)
        elif not self._status and self._raw_bytes > MAX_HEAD_BYTES:
            self._fail(_LONG_HEAD)
        elif self._raw_bytes > 8 * self._body_bytes + _OVERHEAD_BYTES + MAX_HEAD_BYTES:
            self._fail("the borders of its chunks are out of all proportion")

    def eof_received(self) -> None:
        """Called by asyncio when the server says that nothing more will come."""
        self._ended(None)
        self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """Called by asyncio, once, when the connection is gone."""
        self.closed = True
        self.usable = False
        self._owner.lines.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        self._ended(error)
        self._go_on()
        self._gone.set_result(None)

    def on_message_begin(self) -> None:
        """Called by the parser before the first byte of an answer."""
        if self._whole:
            raise _Refused("more than one answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser for each header, and for those after the last chunk."""
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > MAX_HEAD_BYTES:
            raise _Refused(_LONG_HEAD)
        if len(self._headers) >= MAX_HEADERS:
            raise _Refused(f"the head of its answer has more than {MAX_HEADERS} headers")
        if self._status:
            return
        known = self._names.get(name)
        if known is None:
            known = name.lower().decode("ascii")
            if len(self._names) < MAX_HEADERS:
                self._names[name] = known
        text = value.decode("latin-1").rstrip(" \t")
        self._headers.append((known, text))
        if known in _TELLING:
            before = self._telling.get(known)
            self._telling[known] = text if before is None else f"{before}, {text}"

    def on_headers_complete(self) -> None:
        """Called by the parser after each head, those of interim answers included."""
        status, telling = self._parser.get_status_code(), self._telling
        self._interim = status < 200
        if status == 101:
            raise _Refused("it changes to a protocol that nobody asked for")
        if self._interim:
            return
        self._status = status
        if self._method == "HEAD":
            self._whole = True
        elif "transfer-encoding" in telling:
            if telling["transfer-encoding"].lower() != "chunked":
                raise _Refused("its answer has a Transfer-Encoding other than chunked")
        elif "content-length" not in telling and status not in {204, 304}:
            self._until_end = True

    def on_body(self, piece: bytes) -> None:
        """Called by the parser with each piece of a body."""
        self._body_bytes += len(piece)
        if self._body_bytes > self._max_bytes:
            raise _Refused(self._too_long())
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """Called by the parser after each answer, interim ones included."""
        if self._interim:
            self._headers.clear()
            self._telling.clear()
        else:
            self._whole = True
            self._keep = self._parser.should_keep_alive()

    def _ended(self, error: Exception | None) -> None:
        """Nothing more will come."""
        if self._answer is None or self._answer.done():
            return
        if self._until_end and error is None:
            self._finish(b"")
        elif error is not None:
            self._fail(told(error))
        else:
            self._fail("it closed the connection before its answer was whole")

    def _finish(self, data: bytes) -> None:
        """The answer is whole; `data` came last."""
        assert self._answer is not None
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if codings := self._telling.get("content-encoding"):
            try:
                body = unpacked(body, [codings], self._max_bytes)
            except TooLong:
                self._fail(self._too_long())
                return
            except zlib.error as error:
                self._fail(f"its answer is no {codings}: {error}")
                return
        if self._keep and self._written and not self._strays(data) and not self._wire.get_write_buffer_size():
            kept = _KEPT_FOR.search(self._telling.get("keep-alive", ""))
            self.usable = True
            self.idle_until = self._loop.time() + (int(kept[1]) - 1 if kept else _IDLE_S)
        else:
            self.abort()
        self._answer.set_result(Response(status=self._status, headers=tuple(self._headers), body=body))
        self._go_on()

    def _strays(self, data: bytes) -> bool:
        """Whether line ends follow the answer, which the parser passes over in silence."""
        if data[-1:] not in (b"\r", b"\n"):
            return False
        if self._pieces and "content-length" in self._telling:
            return not data.endswith(self._pieces[-1])
        return len(data) - len(data.rstrip(b"\r\n")) > len(b"\r\n\r\n")

    def _too_long(self) -> str:
        return f"the answer is longer than {self._max_bytes:,} bytes"

    def _fail(self, words: str) -> None:
        assert self._answer is not None
        status = self._status or None
        broken = f"the answer ({status}) broke off: " if status else ""
        self._answer.set_exception(
            TransportError(f"{broken}{self.host}: {words}", sent="maybe", status=status)
        )
        self._go_on()
        self.abort()


class _Refused(Exception):
    """An answer, or what is beside it, that is not taken; raised through the parser."""


_LONG_HEAD = f"the head of its answer is longer than {MAX_HEAD_BYTES:,} bytes"
