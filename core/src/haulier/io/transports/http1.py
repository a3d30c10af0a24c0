"""The transport that speaks HTTP/1.1 itself: exact bytes, exact phases, a clean exit.

One exchange at a time per connection. A connection on which anything happens that was not to be expected is closed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from haulier.errors import TransportError
from haulier.io.transports.answers import AnswerReader, Heads, Refused
from haulier.io.transports.dialing import HINT, Dialer, readable, told
from haulier.io.transports.hangups import Hangups
from haulier.io.transports.heads import HeadWriter
from haulier.io.transports.protocol import (
    MAX_ANSWER_BYTES,
    check_files,
    pieces_of,
)
from haulier.io.transports.turns import Turns
from haulier.model.request import Added, FilePart, Request, Response

__all__ = ["Http1"]

_AT_ONCE_BYTES = 256 << 10  # a body up to this size is handed over whole, a longer one piece by piece
_JOINED_BYTES = 4 << 10  # a body up to this size goes in one piece with its head: that is less work than two
_IDLE_S = 4.0  # many servers hang up after 5 s; one that says so in a Keep-Alive header is believed
_CLOSING_S = 0.5  # how long the last words of TLS may take
_LOOKS = 8  # straight behind answers of one connection, until it counts as one that stays
_STRAIGHT_S = 0.01  # a run follows answers once a turn of its loop


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
        self.heads, self.hangups = Heads(), Hangups()
        self.timeout_s, self.max_answer_bytes = timeout_s, max_answer_bytes
        self._writer = HeadWriter()
        self._lanes = lanes
        self._turns = Turns(lanes)
        self._dialer = Dialer(timeout_s=timeout_s, closing_s=_CLOSING_S, verify=verify)
        if origin.startswith("https:"):
            self._dialer.context()
        self._idle: list[_Line] = []

    async def send(self, request: Request, added: Added) -> Response:
        """One exchange, on the connection that was used last, or a new one."""
        check_files(request.body)
        head, scheme, host = self._writer.write(request, added)
        if self._turns.free:
            self._turns.free -= 1
        else:
            await self._turns.wait()
        try:
            line = self._take(scheme, host) or await self._connect(scheme, host)
            response = await line.exchange(request.method, head, request.body)
            if line.usable:
                self._keep(line)
            return response
        finally:
            self._turns.leave()

    def begin(
        self, request: Request, added: Added, answered: Callable[[Response | TransportError], None]
    ) -> _Line | None:
        """Begin a small exchange on an idle connection; None where that cannot be. See `Prompt`."""
        body = request.body
        if not self._turns.free or not self._idle or type(body) is not bytes or len(body) > _AT_ONCE_BYTES:
            return None
        head, scheme, host = self._writer.write(request, added)
        line = self._take(scheme, host)
        if line is None:
            return None
        self._turns.free -= 1
        line.begin(request.method, head, body, answered)
        line.lent = True
        return line

    def returned(self, line: _Line) -> None:
        """An exchange that was begun is over; its connection may serve the next one."""
        if line.usable:
            self._keep(line)
        self._turns.leave()

    async def close(self) -> None:
        """Close all connections; what is under way on them fails."""
        self._idle.clear()
        if closing := [line.close() for line in tuple(self.lines)]:
            await asyncio.wait(closing, timeout=_CLOSING_S)
        if self.lines:
            await asyncio.wait([line.abort() for line in tuple(self.lines)], timeout=_CLOSING_S)

    def _keep(self, line: _Line) -> None:
        if self.hangups.once(line.host):
            line.abort()
        else:
            self._idle.append(line)

    def _take(self, scheme: str, host: str) -> _Line | None:
        """The idle connection to this server that was used last; those that idled too long are closed."""
        idle = self._idle
        if not idle:
            return None
        now = idle[-1].now()
        for number in range(len(idle) - 1, -1, -1):
            line = idle[number]
            if (late := now >= line.idle_until) or line.has_news(now):
                if not late:
                    self.hangups.ended(line.host, now - line.answered)
                line.abort()
                del idle[number]
            elif line.host == host and line.scheme == scheme:
                del idle[number]
                return line
        if len(self.lines) >= self._lanes and idle:
            idle.pop(0).abort()  # they go to other servers
        return None

    async def _connect(self, scheme: str, host: str) -> _Line:
        line = _Line(self, scheme, host)
        await self._dialer.dial(scheme, host, lambda: line)
        return line


class _Line(asyncio.Protocol):
    """One connection. usable: whether another request may follow the answer. lent: the owner hears when it came."""

    def __init__(self, owner: Http1, scheme: str, host: str) -> None:
        loop = asyncio.get_running_loop()
        self.scheme, self.host = scheme, host
        self.usable = self.lent = self.closed = False
        self.idle_until = self.answered = 0.0
        self._used = False
        self._looks = _LOOKS
        self._owner, self._loop = owner, loop
        self._timeout_s = owner.timeout_s
        self._reader = AnswerReader(owner.heads, owner.max_answer_bytes)
        self._gone: asyncio.Future[None] = loop.create_future()
        self._answered: Callable[[Response | TransportError], None] | None = None
        self._moving: asyncio.Future[None] | None = None  # done when more can be written, or need not be
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False

    async def exchange(
        self, method: str, head: bytes, body: bytes | tuple[bytes | FilePart, ...]
    ) -> Response:
        """Send a request and return its answer; nothing was written where TransportError says sent "no"."""
        if self.closed or self._wire.is_closing():
            raise TransportError(f"{self.host}: it closed the connection at once", sent="no")
        answer: asyncio.Future[Response | TransportError] = self._loop.create_future()

        def answered(reply: Response | TransportError) -> None:
            if not answer.done():  # else whoever waits for it was cancelled
                answer.set_result(reply)

        try:
            if type(body) is bytes and len(body) <= _AT_ONCE_BYTES:
                self.begin(method, head, body, answered)
            else:
                self._begin(method, answered)
                await self._pour(head, body)
            reply = await answer
        except BaseException:
            self.drop()
            raise
        if isinstance(reply, TransportError):
            raise reply
        return reply

    def begin(
        self, method: str, head: bytes, body: bytes, answered: Callable[[Response | TransportError], None]
    ) -> None:
        """Send a small request; `answered` is called once, later, with what came of it."""
        self._begin(method, answered)
        if len(body) <= _JOINED_BYTES:
            self._wire.write(head + body)
        else:
            self._wire.writelines((head, body))
        self._written = True

    def break_off(self, error: TransportError) -> None:
        """End what is under way with this error."""
        self.abort()
        self._tell(error)

    def drop(self) -> None:
        """Hang up; nobody is told of what was under way."""
        self._answered = None
        self.abort()

    def now(self) -> float:
        """Seconds by the loop's clock. (Asking asyncio for the loop costs a system call.)"""
        return self._loop.time()

    def has_news(self, now: float) -> bool:
        """Whether the connection ended, or has bytes that nobody asked for; the loop may not have seen it yet.

        Straight behind an answer only the first few times: asking the system gives the interpreter's lock away, and a
        server that goes on after so many answers does not hang up behind each. If it does later on, that is learned.
        """
        if self.closed or self._wire.is_closing():
            return True
        if now - self.answered < _STRAIGHT_S:
            if not self._looks:
                return False
            self._looks -= 1
        return self._readable()

    def close(self) -> asyncio.Future[None]:
        """Say goodbye; done when the connection is gone."""
        self.usable = False
        self._wire.close()
        return self._gone

    def abort(self) -> asyncio.Future[None]:
        """Hang up at once; done when the connection is gone."""
        self.usable = False
        self._wire.abort()
        return self._gone

    # -- writing ---------------------------------------------------------------------------------------------------

    def _begin(self, method: str, answered: Callable[[Response | TransportError], None]) -> None:
        self._reader.begin(method)
        self.usable = self.lent = False
        self._written = False
        self._unwritten = 0
        self._answered = answered
        now = self._loop.time()
        self._deadline = now + self._timeout_s
        if self._timer is None:
            self._arm(now)

    async def _pour(self, head: bytes, body: bytes | tuple[bytes | FilePart, ...]) -> None:
        """Write a long body as fast as it is taken; an answer, or the end of the connection, ends it early."""
        self._wire.write(head)
        for piece in pieces_of(body, at_most=_AT_ONCE_BYTES):
            self._wire.write(piece)
            self._deadline = self._loop.time() + self._timeout_s
            if self._paused:
                self._moving = self._loop.create_future()
                await self._moving
            else:
                await asyncio.sleep(0)  # an early answer wants to be seen
            if self._answered is None:
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
        if self._answered is None:
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
        self._readable = readable(transport.get_extra_info("socket").fileno())
        self._owner.lines.add(self)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio with what came."""
        if self._answered is None:
            self.abort()  # nobody asked
            return
        at_once = self._reader.at_once(data)
        if at_once is not None and self._is_written():
            response, kept_for_s = at_once
            self._used_well(kept_for_s)
            self._tell(response)
            return
        self._deadline = self._loop.time() + self._timeout_s
        try:
            if self._reader.feed(data):
                self._finish()
        except Refused as refused:
            self._fail(str(refused))

    def eof_received(self) -> None:
        """Called by asyncio when the server says that nothing more will come."""
        self._ended(None)
        self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """Called by asyncio, once, when the connection is gone."""
        self.closed = True
        self._owner.lines.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        self._ended(error)
        self.usable = False
        self._go_on()
        self._gone.set_result(None)

    def _ended(self, error: Exception | None) -> None:
        """Nothing more will come."""
        if self._answered is None:
            if self.usable:
                self._owner.hangups.ended(self.host, self._loop.time() - self.answered)
            return
        if self._used and not self._reader.raw_bytes:
            self._owner.hangups.ended(self.host)
        try:
            if error is None and self._reader.ends_here():
                self._finish()
            else:
                why = "it closed the connection before its answer was whole"
                self._fail(told(error) if error is not None else why)
        except Refused as refused:
            self._fail(str(refused))

    def _finish(self) -> None:
        response = self._reader.response()
        if self._reader.clean and self._is_written():
            self._used_well(self._reader.kept_for_s())
        else:
            self.abort()
        self._tell(response)

    def _is_written(self) -> bool:
        return self._written and not self._wire.get_write_buffer_size()

    def _used_well(self, kept_for_s: int | None) -> None:
        """Another request may follow. kept_for_s: how long the server keeps the connection, where it says so."""
        self.usable = self._used = True
        self.answered = self._loop.time()
        self.idle_until = self.answered + (_IDLE_S if kept_for_s is None else kept_for_s - 1)

    def _fail(self, words: str) -> None:
        status = self._reader.status or None
        broken = f"the answer ({status}) broke off: " if status else ""
        self.abort()
        self._tell(TransportError(f"{broken}{self.host}: {words}", sent="maybe", status=status))

    def _tell(self, reply: Response | TransportError) -> None:
        """Hand on what came of the exchange; the connection may serve the next one before this returns."""
        answered, self._answered = self._answered, None
        if self._moving is not None:
            self._go_on()
        if answered is not None:
            if self.lent:
                self._owner.returned(self)
            answered(reply)
