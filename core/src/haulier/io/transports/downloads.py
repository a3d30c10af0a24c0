"""Downloads: one file of a stranger's server, by a GET that carries nothing of ours.

Apart from the transports on purpose: no credential, no cookie, no proxy (it would look the name up itself), and every
connection goes to an address that was looked at first. Redirects are told, not followed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from ssl import SSLContext
from urllib.parse import SplitResult

import httpcore
import msgspec

from haulier.errors import RecordError, TransportError
from haulier.io.transports.dialing import Dialer
from haulier.io.transports.protocol import MAX_HEADERS
from haulier.io.transports.streams import Network
from haulier.io.transports.unpacking import TooLong, unpacked

__all__ = ["Download", "Downloads"]

_CLOSING_S = 0.5
_IDLE_S = 5.0  # servers hang up on connections that are kept for longer
_PORTS = {"http": 80, "https": 443}
_HEADERS = [("User-Agent", "haulier"), ("Accept", "*/*"), ("Accept-Encoding", "identity")]
_PACKED = ("gzip", "x-gzip", "deflate", "identity", "")
# Under way; what fails before is a TransportError already.
_BROKEN = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError)


class Download(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One answer. location: where it leads; content: unpacked, empty of all but a 200."""

    status: int
    location: str
    media_type: str
    content: bytes


class Downloads:
    """Up to `lanes` downloads at once, for one event loop. timeout_s: longest silence.

    most_bytes: of a file, as it comes and unpacked. choose: which addresses may be connected to, see Dialer.
    """

    def __init__(
        self,
        *,
        lanes: int,
        timeout_s: float,
        most_bytes: int,
        choose: Callable[[str, int, Sequence[str]], Sequence[str]],
        context: SSLContext,
    ) -> None:
        dialer = Dialer(timeout_s=timeout_s, closing_s=_CLOSING_S, verify=context, choose=choose)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=lanes,
            keepalive_expiry=_IDLE_S,
            network_backend=Network(dialer),
        )
        self._timeouts = dict.fromkeys(("connect", "read", "write", "pool"), timeout_s)
        self._most_bytes = most_bytes

    async def get(self, url: SplitResult) -> Download:
        """The answer of a URL in wire form, with a host, without user and fragment.

        Raises TransportError where there is none, or none whole; RecordError where it is not to be taken, ever: it is
        too long, or not what it says it is, or `choose` refuses its address.
        """
        host, port = url.hostname or "", url.port or _PORTS[url.scheme]
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        try:
            async with self._pool.stream(
                "GET",
                httpcore.URL(scheme=url.scheme, host=host, port=port, target=target),
                headers=[("Host", url.netloc), *_HEADERS],
                extensions={"timeout": self._timeouts},
            ) as response:
                return await self._read(response)
        except _BROKEN as error:
            raise TransportError(f"{host}: {str(error) or type(error).__name__}", sent="maybe") from None

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.aclose()

    async def _read(self, response: httpcore.Response) -> Download:
        headers = [(name.lower(), value.decode("latin-1")) for name, value in response.headers]
        if len(headers) > MAX_HEADERS:
            raise RecordError(f"the head of its answer has more than {MAX_HEADERS} headers")
        first = dict(reversed(headers))
        content = b""
        if response.status == 200:
            codings = [value for name, value in headers if name == b"content-encoding"]
            content = self._unpacked(await self._content(response, first), codings)
        return Download(
            status=response.status,
            location=first.get(b"location", ""),
            media_type=first.get(b"content-type", "").partition(";")[0].strip().lower(),
            content=content,
        )

    async def _content(self, response: httpcore.Response, headers: dict[bytes, str]) -> bytes:
        told = headers.get(b"content-length", "")
        if told.isdecimal() and int(told) > self._most_bytes:
            raise self._too_long()
        pieces: list[bytes] = []
        length = 0
        async for piece in response.aiter_stream():
            pieces.append(piece)
            length += len(piece)
            if length > self._most_bytes:
                raise self._too_long()
        return b"".join(pieces)

    def _unpacked(self, content: bytes, codings: Sequence[str]) -> bytes:
        words = [word.strip().lower() for coding in codings for word in coding.split(",")]
        if unknown := next((word for word in words if word not in _PACKED), None):
            raise RecordError(f"it came packed as {unknown[:20]!r}, which was not asked for")
        try:
            return unpacked(content, codings, self._most_bytes)
        except TooLong:
            raise self._too_long() from None
        except zlib.error as error:
            raise RecordError(f"it is no {', '.join(words)}: {error}") from None

    def _too_long(self) -> RecordError:
        return RecordError(f"it has more than `fetch.max_bytes`: {self._most_bytes:,} bytes")
