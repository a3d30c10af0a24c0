"""Heads of requests as HTTP/1.1 has them. What many of them have in common is checked and written once."""

from __future__ import annotations

from haulier.io.transports.protocol import NOTHING_ADDED, WITH_LENGTH, head_bytes, head_of, parts_of
from haulier.model.request import Added, Header, Request

__all__ = ["HeadWriter"]


class HeadWriter:
    """Writes heads, one after the other. Most differ from the one before in the key alone, their last own header, and
    in their length.
    """

    def __init__(self) -> None:
        # Of the last head that was written whole: what the next one is compared with ...
        self._url = self._method = self._name = ""
        self._headers: tuple[Header, ...] | None = None  # but the last one
        self._added: Added = NOTHING_ADDED
        # ... and what stands before and behind the value of the last header.
        self._before = self._behind = ""
        self._server = ("", "")

    def write(self, request: Request, added: Added) -> tuple[bytes, str, str]:
        """The head as it goes out, and scheme and host of the server.

        TransportError where a header would begin a line of its own, or is not ASCII.
        """
        headers = request.headers
        if (
            headers
            and headers[:-1] == self._headers
            and request.url == self._url
            and request.method == self._method
            and (added is self._added or added == self._added)
        ):
            name, value = headers[-1]
            # Letters and digits begin no line of their own; what else may be said is for `head_bytes` to know.
            if name == self._name and value.isalnum() and value.isascii():
                head = f"{self._before}{value}{self._behind}{request.length}\r\n\r\n"
                return head.encode("ascii"), *self._server
        target, all_headers = head_of(request, added)
        head_whole = head_bytes(request.method, target, all_headers)
        scheme, host, _ = parts_of(request.url)
        self._headers = None
        if request.url == self._url:  # else the next one has a URL of its own, too
            self._learn(request, added, head_whole, all_headers)
        self._url, self._server = request.url, (scheme, host)
        return head_whole, scheme, host

    def _learn(self, request: Request, added: Added, head: bytes, headers: list[Header]) -> None:
        """Keep what the next head may have in common with this one, where its last own header is in it as it was."""
        own, place = request.headers, len(headers) - len(added.headers) - 2  # the length is the last of all
        if request.method not in WITH_LENGTH or not own or place < 1 or headers[place] is not own[-1]:
            return
        lines = head.decode("ascii").split("\r\n")
        self._method, self._added = request.method, added
        self._headers, self._name = own[:-1], own[-1][0]
        self._before = "".join(f"{line}\r\n" for line in lines[: place + 1]) + f"{self._name}: "
        self._behind = (
            "".join(f"\r\n{line}" for line in lines[place + 2 : len(headers)]) + "\r\nContent-Length: "
        )
