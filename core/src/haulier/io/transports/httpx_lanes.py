"""The transport over httpx: "lanes", single connections that share one TLS context. The one file that imports httpx.

httpx's own pool looks through all connections whenever a request starts or ends; a lane has only its own
(https://github.com/encode/httpx/issues/3215).
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from ssl import SSLContext
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx

from haulier.errors import TransportError
from haulier.io.transports.dialing import HINT, Dialer
from haulier.io.transports.protocol import (
    MAX_ANSWER_BYTES,
    MAX_HEADERS,
    check_files,
    head_of,
    parts_of,
    pieces_of,
)
from haulier.io.transports.proxies import proxy_of
from haulier.io.transports.streams import Network
from haulier.io.transports.tls import tls_context
from haulier.io.transports.unpacking import TooLong, unpacked
from haulier.model.request import Added, FilePart, Request, Response

__all__ = ["HttpxLanes"]

# Failures before the first byte of a request was written; everything else may have reached the server.
_BEFORE_SENDING = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,  # it refused to connect
    httpx.UnsupportedProtocol,
)
# A TLS alert after the handshake, such as for a certificate of ours that is missing, comes as a bare ssl.SSLError.
_UNDER_WAY = (httpx.HTTPError, OSError)
_AT_ONCE_BYTES = 256 << 10  # a body up to this size is handed over whole, a longer one piece by piece

_IDLE_S = 5.0
_CLOSING_S = 0.5
_TIMEOUTS = {
    httpx.ConnectTimeout: "no connection in time",
    httpx.ReadTimeout: "no answer in time",
    httpx.WriteTimeout: "it did not take the request in time",
    httpx.PoolTimeout: "no free connection in time",
}


class HttpxLanes:
    """Up to `lanes` requests at once, each on a connection of its own, kept open between requests.

    timeout_s: longest silence in each phase (connecting, writing, reading). max_answer_bytes: a longer body, after
    decompression, is an error. verify: an SSLContext, or None for the system's certificates.
    """

    def __init__(
        self,
        *,
        lanes: int,
        timeout_s: float,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        verify: SSLContext | None = None,
    ) -> None:
        # Made now and not with the first request, which would leave late and have the next one at its heels.
        self._context = tls_context(verify)
        dialer = Dialer(timeout_s=timeout_s, closing_s=_CLOSING_S, verify=self._context)
        self._network = Network(dialer)
        self._lanes = lanes
        self._free: list[_Lane] = []
        self._made: list[_Lane] = []
        self._slots = asyncio.Semaphore(lanes)
        self._timeout = httpx.Timeout(timeout_s).as_dict()
        self._max_answer_bytes = max_answer_bytes
        self._origin, self._url = "", httpx.URL("")
        self._proxy: str | None = None

    async def send(self, request: Request, added: Added) -> Response:
        """One exchange on a free lane."""
        async with self._slots:
            lane = await self._lane_to("{}://{}".format(*parts_of(request.url)))
            try:
                return await self._exchange(lane, request, added)
            finally:
                self._free.append(lane)

    async def close(self) -> None:
        """Close all connections."""
        for lane in self._made:
            await lane.aclose()

    async def _lane_to(self, origin: str) -> _Lane:
        if origin != self._origin:
            self._origin, self._url, self._proxy = origin, httpx.URL(origin), proxy_of(origin)
        lane = self._free.pop() if self._free else None
        if lane is not None and lane.proxy != self._proxy:
            self._made.remove(lane)
            await lane.aclose()
            lane = None
        if lane is None:
            lane = _Lane(self._context, self._network, self._proxy)
            self._made.append(lane)
        return lane

    def _outgoing(self, lane: _Lane, request: Request, added: Added) -> httpx.Request:
        """The request as httpx has it, for this lane."""
        target, headers = head_of(request, added)
        body = request.body
        check_files(body)
        # httpx is told the origin only: the target goes out as we wrote it, of any length, and is not parsed again.
        origin = "{}://{}".format(*parts_of(request.url))
        at_once = body if isinstance(body, bytes) and len(body) <= _AT_ONCE_BYTES else None
        outgoing = httpx.Request(
            request.method,
            self._url if origin == self._origin else origin,
            headers=headers,
            # As a stream: what httpx is given as content it looks at, and at the headers beside it.
            stream=_Streamed(body) if at_once is None else httpx.ByteStream(at_once),
            extensions={"timeout": self._timeout},
        )
        if lane.proxy is None:
            outgoing.extensions["target"] = target.encode("ascii")
        else:  # where the extension would be the target of CONNECT, too
            outgoing.url = _Exact(origin, target)
        return outgoing

    async def _exchange(self, lane: _Lane, request: Request, added: Added) -> Response:
        outgoing = self._outgoing(lane, request, added)
        try:
            response = await lane.handle_async_request(outgoing)
        except _BEFORE_SENDING as error:
            raise TransportError(_said(error, request), sent="no") from error
        except _UNDER_WAY as error:
            raise TransportError(_said(error, request), sent="maybe") from error
        try:
            content = await self._read(response)
        except (*_UNDER_WAY, _Refused) as error:
            status = response.status_code
            raise TransportError(
                f"the answer ({status}) broke off: {_said(error, request)}", sent="maybe", status=status
            ) from error
        finally:
            await response.aclose()
            if lane.has_more():
                await lane.aclose()  # it would be taken for the answer to the next request
        return Response(
            status=response.status_code,
            headers=tuple(
                (name.lower().decode("latin-1"), value.decode("latin-1"))
                for name, value in response.headers.raw
            ),
            body=content,
        )

    async def _read(self, response: httpx.Response) -> bytes:
        if len(response.headers.raw) > MAX_HEADERS:
            raise _Refused(f"the head of its answer has more than {MAX_HEADERS} headers")
        pieces: list[bytes] = []
        length = 0
        async for piece in response.aiter_raw():
            pieces.append(piece)
            length += len(piece)
            if length > self._max_answer_bytes:
                raise self._too_long()
        # Not by httpx: it lets each piece grow a thousandfold before anyone can count.
        codings = response.headers.get_list("content-encoding")
        try:
            return unpacked(b"".join(pieces), codings, self._max_answer_bytes)
        except TooLong:
            raise self._too_long() from None
        except zlib.error as error:
            raise _Refused(f"its answer is no {', '.join(codings)}: {error}") from None

    def _too_long(self) -> _Refused:
        return _Refused(f"the answer is longer than {self._max_answer_bytes:,} bytes")


class _Lane(httpx.AsyncHTTPTransport):
    """httpx's transport with a pool of one connection, over our own network streams. proxy: its URL, or None."""

    def __init__(self, context: SSLContext, network: Network, proxy: str | None) -> None:
        super().__init__(verify=context)
        self.proxy = proxy
        settings: dict[str, Any] = {
            "ssl_context": context,
            "max_connections": 1,
            "max_keepalive_connections": 1,
            "keepalive_expiry": _IDLE_S,
            "network_backend": network,
        }
        if proxy is None:
            self._pool = httpcore.AsyncConnectionPool(**settings)
        else:
            named = httpx.Proxy(proxy)
            self._pool = httpcore.AsyncHTTPProxy(
                httpcore.URL(str(named.url)),
                proxy_auth=named.raw_auth,
                proxy_ssl_context=context if named.url.scheme == "https" else None,
                **settings,
            )

    def has_more(self) -> bool:
        """Whether bytes came behind the last answer, without anybody having asked.

        httpcore keeps them in the h11 state of the connection and reads the next answer from there. Nothing public
        shows it (https://h11.readthedocs.io/en/latest/api.html#h11.Connection.trailing_data).
        """
        for connection in self._pool.connections:
            state = getattr(getattr(connection, "_connection", None), "_h11_state", None)
            if state is not None and state.trailing_data[0]:
                return True
        return False


class _Exact(httpx.URL):
    """A URL whose path and query go out as they are written."""

    def __init__(self, origin: str, target: str) -> None:
        super().__init__(origin)
        self._target = target.encode("ascii")

    @property
    def raw_path(self) -> bytes:
        """What httpx hands to httpcore as the request target."""
        return self._target


class _Refused(Exception):
    """An answer that is not taken."""


class _Streamed(httpx.AsyncByteStream):
    """A long body, or one with files: read while it is sent, and timed piece by piece."""

    def __init__(self, body: bytes | tuple[bytes | FilePart, ...]) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in pieces_of(self._body, at_most=_AT_ONCE_BYTES):
            yield bytes(piece)


def _said(error: Exception, request: Request) -> str:
    """An httpx error in words that name the server; httpx leaves many messages empty."""
    host = urlsplit(request.url).netloc
    for kind, words in _TIMEOUTS.items():
        if isinstance(error, kind):
            return f"{host}: {words} {HINT}"
    return f"{host}: {str(error) or type(error).__name__}"
