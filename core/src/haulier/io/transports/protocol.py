"""What a transport is, and how a planned request becomes what goes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Protocol, runtime_checkable

from haulier.errors import RecordError, TransportError
from haulier.io.files import open_part, stream_part
from haulier.model.request import Added, FilePart, Header, Request, Response

__all__ = [
    "MAX_ANSWER_BYTES",
    "MAX_HEADERS",
    "MAX_HEAD_BYTES",
    "NOTHING_ADDED",
    "WITH_LENGTH",
    "Exchange",
    "Prompt",
    "Transport",
    "check_files",
    "head_bytes",
    "head_of",
    "parts_of",
    "pieces_of",
    "with_query",
]

NOTHING_ADDED = Added()
# What an answer may be: more is no answer. The body counts after decompression.
MAX_ANSWER_BYTES = 16 << 20
MAX_HEAD_BYTES = 100 << 10
MAX_HEADERS = 256
WITH_LENGTH = frozenset(("POST", "PUT", "PATCH"))


class Transport(Protocol):
    """Sends one request at a time per call, many calls at once."""

    async def send(self, request: Request, added: Added) -> Response:
        """Return the whole answer, body decompressed; raises TransportError with `sent` where there is none."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class Exchange(Protocol):
    """An exchange under way that nobody awaits."""

    def break_off(self, error: TransportError) -> None:
        """End it; it is answered with this error."""
        ...

    def drop(self) -> None:
        """End it without an answer."""
        ...


@runtime_checkable
class Prompt(Transport, Protocol):
    """A transport that can also begin an exchange without a task that waits for it, which costs half as much."""

    def begin(
        self, request: Request, added: Added, answered: Callable[[Response | TransportError], None]
    ) -> Exchange | None:
        """Begin at once, on a connection that stands; None where that cannot be: then `send` it.

        `answered` is called once, from the event loop and never before this returned; it must not raise, and may begin
        the next exchange. Raises TransportError as `send` does, with sent "no".
        """
        ...


def with_query(url: str, added: Added) -> str:
    """The URL with what the credential adds to the query, both already escaped."""
    if not added.query:
        return url
    pairs = "&".join(f"{name}={value}" for name, value in added.query)
    return f"{url}{'&' if '?' in url else '?'}{pairs}"


@lru_cache(maxsize=64)
def parts_of(url: str) -> tuple[str, str, str]:
    """Scheme, host with port, and request target of a canonical URL, each as it is written there."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if "?" in host:
        host, _, query = rest.partition("?")
        return scheme, host, f"/?{query}"
    return scheme, host, slash + path or "/"


def head_of(request: Request, added: Added) -> tuple[str, list[Header]]:
    """The request target and all headers in order: Host, the request's own, the credential's, Content-Length."""
    _, host, target = parts_of(with_query(request.url, added))
    headers = [("Host", host), *request.headers]
    if added.headers:
        replaced = {name.lower() for name, _ in added.headers}
        headers = [pair for pair in headers if pair[0].lower() not in replaced]
        headers += added.headers
    if request.length or request.method in WITH_LENGTH:
        headers.append(("Content-Length", str(request.length)))
    return target, headers


def head_bytes(method: str, target: str, headers: list[Header]) -> bytes:
    """The head of an HTTP/1.1 request as it goes out; TransportError where a value would begin a line of its own."""
    lines = [f"{method} {target} HTTP/1.1", *[f"{name}: {value}" for name, value in headers]]
    text = "\r\n".join(lines)
    if text.count("\n") != len(headers) or text.count("\r") != len(headers) or "\0" in text:
        raise TransportError("a header holds a line break or a zero byte; nothing was sent", sent="no")
    try:
        return f"{text}\r\n\r\n".encode("ascii")
    except UnicodeEncodeError:
        raise TransportError("a header holds more than plain ASCII; nothing was sent", sent="no") from None


def check_files(body: bytes | tuple[bytes | FilePart, ...]) -> None:
    """Notice a file that is gone or changed before the first byte leaves: TransportError with sent "no"."""
    for part in () if isinstance(body, bytes) else body:
        if isinstance(part, FilePart):
            try:
                open_part(part).close()
            except RecordError as error:
                raise TransportError(str(error), sent="no") from None


def pieces_of(
    body: bytes | tuple[bytes | FilePart, ...], *, at_most: int
) -> Iterator[bytes | memoryview[int]]:
    """A body in pieces of at most so many bytes; files are read while they are sent.

    Raises TransportError before the last byte of a file that changed leaves.
    """
    for part in (body,) if isinstance(body, bytes) else body:
        if isinstance(part, FilePart):
            yield from stream_part(part)
        elif len(part) <= at_most:
            yield part
        else:
            view = memoryview(part)
            for start in range(0, len(view), at_most):
                yield view[start : start + at_most]
