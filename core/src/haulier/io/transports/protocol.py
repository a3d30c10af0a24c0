"""What a transport is, and how a planned request becomes what goes out."""

from __future__ import annotations

from typing import Protocol
from urllib.parse import urlsplit

from haulier.model.parts import Added
from haulier.model.request import Header, Request, Response

__all__ = ["NOTHING_ADDED", "Transport", "head_of", "with_query"]

NOTHING_ADDED = Added()


class Transport(Protocol):
    """Sends one request at a time per call, many calls at once."""

    async def send(self, request: Request, added: Added) -> Response:
        """Return the whole answer, body decompressed; raises TransportError with `sent` where there is none."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


def with_query(url: str, added: Added) -> str:
    """The URL with what the credential adds to the query, both already escaped."""
    if not added.query:
        return url
    pairs = "&".join(f"{name}={value}" for name, value in added.query)
    return f"{url}{'&' if '?' in url else '?'}{pairs}"


def head_of(request: Request, added: Added) -> tuple[str, list[Header]]:
    """The request target and all headers in order: Host, the request's own, the credential's, Content-Length."""
    parts = urlsplit(with_query(request.url, added))
    target = parts.path or "/"
    if parts.query:
        target = f"{target}?{parts.query}"
    headers = [("Host", parts.netloc), *request.headers]
    if added.headers:
        replaced = {name.lower() for name, _ in added.headers}
        headers = [pair for pair in headers if pair[0].lower() not in replaced]
        headers += added.headers
    if request.length or request.method in ("POST", "PUT", "PATCH"):
        headers.append(("Content-Length", str(request.length)))
    return target, headers
