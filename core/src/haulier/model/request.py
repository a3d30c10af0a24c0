"""Request and response: our own types, never an HTTP client's."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from haulier.model.json_value import BLANKS, members

__all__ = ["Added", "Body", "FilePart", "Header", "Positions", "Request", "Response", "Within", "joined"]

Header: TypeAlias = tuple[str, str]
# The positions of the records a request carries: consecutive ones as a range, others as array('q'), ascending.
if TYPE_CHECKING:
    Positions: TypeAlias = range | array[int]
else:
    Positions = range | array  # an array takes no type argument before Python 3.12


# Where in a body of JSON records stand as they were read: it is the text of the only one, a list of them all in their
# order, or an object whose last member is that list. Empty: nowhere, or nobody looked.
Within: TypeAlias = Literal["", "all", "list", "last"]

# No JSON text holds this byte: https://www.rfc-editor.org/rfc/rfc8259#section-7 (control characters are escaped)
_BETWEEN_TEXTS = b"\0"
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


class FilePart(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A file that will be streamed into a body: what was seen of it in one reading pass.

    path: absolute and resolved; name: what the server is told; size in bytes; mtime_ns as the system gave it.
    The transport reads it again while sending and aborts before the last byte if size or hash changed.
    """

    path: str
    name: str
    size: int
    mtime_ns: int
    sha256: bytes
    media_type: str = "application/octet-stream"

    @property
    def seen(self) -> bool:
        """Whether it was looked at: a preview may leave a URL unfetched, whose part has no path, size and hash."""
        return bool(self.path)


class Body(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What an encoder makes of a payload.

    parts: the body in order, bytes and files; a body without files has one part or none.
    media_type: value of the Content-Type header; empty where there is no body. within: see Within; an encoder leaves it
    empty, as the planner finds it out.
    """

    parts: tuple[bytes | FilePart, ...] = ()
    media_type: str = ""
    within: Within = ""


class Request(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One HTTP request as planned: everything but the credential, which is applied at each attempt.

    number: place in the plan of its run, from 0 (a preview's sample number).
    url: canonical and absolute; its path and query go out as the request target byte for byte.
    headers: what Haulier sets, in order, but Host and Content-Length, which follow from url and length.
    body: bytes, or parts where a file is streamed. length: bytes of the whole body. sha256: of the whole body.
    key: idempotency key, hex; empty where the template says so.
    texts: of the records it carries, `joined`: hundreds of small values that live as long as a request cost more than
        all else about it. Hardly any request is asked for its `records`. Empty where its body has them, see `within`.
    parent: of a part of another request, that one's number.
    """

    number: int
    positions: Positions
    method: str
    url: str
    headers: tuple[Header, ...]
    body: bytes | tuple[bytes | FilePart, ...]
    length: int
    sha256: bytes
    key: str = ""
    texts: bytes = b""
    within: Within = ""
    parent: int | None = None

    @property
    def records(self) -> list[bytes]:
        """The JSON texts of the records it carries, as read, in the order of the positions; made anew at each look.

        Outputs and dead letters quote them, without blanks around them.
        """
        if self.within:
            return _found(self.body, self.within)
        if not self.texts:
            return []
        return [text.strip(BLANKS) for text in self.texts.split(_BETWEEN_TEXTS)]

    @property
    def held(self) -> int:
        """Bytes of body and texts that are in memory; files are streamed."""
        if isinstance(self.body, bytes):
            return len(self.body) + len(self.texts)
        return sum(len(part) for part in self.body if isinstance(part, bytes)) + len(self.texts)


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """What a credential adds to a request: headers and query pairs, both already in wire form."""

    headers: tuple[Header, ...] = ()
    query: tuple[tuple[str, str], ...] = ()


class Response(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One answer, whole. headers: names in lower case, in order, repeated ones kept. body: decompressed."""

    status: int
    headers: tuple[Header, ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first value of a header, or None; `name` in lower case."""
        for known, value in self.headers:
            if known == name:
                return value
        return None


def _found(body: bytes | tuple[bytes | FilePart, ...], within: Within) -> list[bytes]:
    assert isinstance(body, bytes)  # of JSON, which carries no file
    try:
        return _parted(body, within)
    except (
        RecursionError
    ):  # whoever asks may be called deeper than the planner was, which had no more to go down
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - logging comes along, in every start

        with ThreadPoolExecutor(1) as fresh:
            return fresh.submit(_parted, body, within).result()


def _parted(body: bytes, within: Within) -> list[bytes]:
    if within == "all":
        return [body]
    elements = body if within == "list" else next(reversed(members(body).values()))
    return [bytes(text) for text in _elements(elements)]


def joined(records: Sequence[bytes]) -> bytes:
    """JSON texts as one value, which `Request.records` parts again."""
    return records[0] if len(records) == 1 else _BETWEEN_TEXTS.join(records)
