"""From the bytes of a connection to answers, over httptools' parser: strict, bounded, and blind to sockets and time."""

from __future__ import annotations

import re
import zlib

import httptools
import msgspec

from haulier.io.transports.protocol import MAX_HEAD_BYTES, MAX_HEADERS
from haulier.io.transports.unpacking import TooLong, unpacked
from haulier.model.request import Header, Response

__all__ = ["AnswerReader", "Heads", "Refused"]

_OVERHEAD_BYTES = 1 << 20  # what may come beside the bytes of a body: the borders of its chunks
_TELLING = frozenset(("content-encoding", "content-length", "keep-alive", "transfer-encoding"))
_KEPT_FOR = re.compile(r"timeout\s*=\s*(\d{1,4})")
_HEAD_END = b"\r\n\r\n"
_KNOWN_HEADS = 16
_KNOWN_HEAD_BYTES = 4096


class Refused(Exception):
    """What came is no answer, or not one that is taken; raised through the parser, too."""


class Head(msgspec.Struct, frozen=True):
    """A head that was read before, of an answer that was whole in one piece and left its connection open.

    length: of the body. kept_for_s: how long the server keeps the connection, where it says so.
    """

    status: int
    headers: tuple[Header, ...]
    length: int
    kept_for_s: int | None


class Heads:
    """What the connections to a server learn of its heads. Most answers of a second begin with the very same bytes."""

    def __init__(self) -> None:
        self.known: dict[bytes, Head] = {}
        self.names: dict[bytes, str] = {}  # of headers, as they came and in lower case

    def learn(self, head: bytes, means: Head) -> None:
        """Keep a head that the parser found good; the same bytes mean the same."""
        if len(head) > _KNOWN_HEAD_BYTES:
            return
        if len(self.known) >= _KNOWN_HEADS:
            self.known.clear()
        self.known[head] = means


class AnswerReader:
    """The answers of one connection, one after the other: `begin`, then `feed` until it says that it is whole.

    status: of the answer, from when its head is whole; 0 before. raw_bytes: what the parser has read of it. clean:
    whether nothing but the answer came and the connection may serve another one.
    """

    def __init__(self, heads: Heads, max_bytes: int) -> None:
        self._heads, self._max_bytes = heads, max_bytes
        self._parser = httptools.HttpResponseParser(self)
        self._method = ""
        self._forget()

    def begin(self, method: str) -> None:
        """The next answer is to a request of this method."""
        self._method = method
        if self.raw_bytes:
            self._forget()

    def _forget(self) -> None:
        self._headers: list[Header] = []
        self._telling: dict[str, str] = {}
        self._pieces: list[bytes] = []
        self.status = self.raw_bytes = self._head_bytes = self._body_bytes = 0
        self.clean = self._whole = self._until_end = self._interim = False

    def at_once(self, data: bytes) -> tuple[Response, int | None] | None:
        """The answer, where this is all of it and begins with a head that was read before, and how long the server
        keeps the connection, where it says so; nothing else came then. None: `feed` it.
        """
        end = data.find(_HEAD_END) + len(_HEAD_END)
        known = self._heads.known.get(data[:end])
        if known is None or len(data) != end + known.length or self.raw_bytes or self._method == "HEAD":
            return None
        if known.length > self._max_bytes:
            return None
        return Response(status=known.status, headers=known.headers, body=data[end:]), known.kept_for_s

    def feed(self, data: bytes) -> bool:
        """Read what came; whether the answer is whole. Raises Refused."""
        first = not self.raw_bytes
        if first and data[:7] != b"HTTP/1."[: len(data)]:
            raise Refused("it does not speak HTTP/1.1")
        self.raw_bytes += len(data)
        self._parse(data)
        if self._whole:
            self.clean = self.clean and not self._strays(data)
            if first and self.clean:
                self._learn(data)
        elif not self.status and self.raw_bytes > MAX_HEAD_BYTES:
            raise Refused(_LONG_HEAD)
        elif self.raw_bytes > 8 * self._body_bytes + _OVERHEAD_BYTES + MAX_HEAD_BYTES:
            raise Refused("the borders of its chunks are out of all proportion")
        return self._whole

    def ends_here(self) -> bool:
        """The connection ended in good order: whether that makes the answer whole."""
        return self._until_end

    def response(self) -> Response:
        """The whole answer, body decompressed. Raises Refused where that fails or takes too much."""
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        if len(body) > self._max_bytes:
            raise Refused(self._too_long())
        if codings := self._telling.get("content-encoding"):
            try:
                body = unpacked(body, [codings], self._max_bytes)
            except TooLong:
                raise Refused(self._too_long()) from None
            except zlib.error as error:
                raise Refused(f"its answer is no {codings}: {error}") from None
        return Response(status=self.status, headers=tuple(self._headers), body=body)

    def kept_for_s(self) -> int | None:
        """How long the server keeps the connection, where it says so."""
        found = _KEPT_FOR.search(self._telling.get("keep-alive", ""))
        return int(found[1]) if found else None

    # -- the parser's callbacks --------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Before the first byte of an answer."""
        if self._whole:
            raise Refused("more than one answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """For each header, and for those after the last chunk."""
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > MAX_HEAD_BYTES:
            raise Refused(_LONG_HEAD)
        if len(self._headers) >= MAX_HEADERS:
            raise Refused(f"the head of its answer has more than {MAX_HEADERS} headers")
        if self.status:
            return
        known = self._heads.names.get(name)
        if known is None:
            known = name.lower().decode("ascii")
            if len(self._heads.names) < MAX_HEADERS:
                self._heads.names[name] = known
        text = value.decode("latin-1").rstrip(" \t")
        self._headers.append((known, text))
        if known in _TELLING:
            before = self._telling.get(known)
            self._telling[known] = text if before is None else f"{before}, {text}"

    def on_headers_complete(self) -> None:
        """After each head, those of interim answers included."""
        status = self._parser.get_status_code()
        self._interim = status < 200
        if status == 101:
            raise Refused("it changes to a protocol that nobody asked for")
        if self._interim:
            return
        self.status = status
        if self._method == "HEAD":
            self._whole = True
        elif "transfer-encoding" in self._telling:
            if self._telling["transfer-encoding"].lower() != "chunked":
                raise Refused("its answer has a Transfer-Encoding other than chunked")
        elif "content-length" not in self._telling and status not in {204, 304}:
            self._until_end = True

    def on_body(self, piece: bytes) -> None:
        """With each piece of a body."""
        self._body_bytes += len(piece)
        if self._body_bytes > self._max_bytes:
            raise Refused(self._too_long())
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """After each answer, interim ones included."""
        if self._interim:
            self._headers.clear()
            self._telling.clear()
        else:
            self._whole = True
            self.clean = self._parser.should_keep_alive()

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.clean = False
            if self._whole:
                return  # something came behind the answer
            if isinstance(error.__context__, Refused):
                raise error.__context__ from None
            raise Refused(
                f"its answer is no good HTTP/1.1: {error} (`transport: httpx` is less strict)"
            ) from None

    def _learn(self, data: bytes) -> None:
        length = self._telling.get("content-length", "")
        end = data.find(_HEAD_END) + len(_HEAD_END)
        packed = "content-encoding" in self._telling
        if length.isdecimal() and len(data) == end + int(length) and self._method != "HEAD" and not packed:
            head = Head(self.status, tuple(self._headers), int(length), self.kept_for_s())
            self._heads.learn(data[:end], head)

    def _strays(self, data: bytes) -> bool:
        """Whether line ends follow the answer, which the parser passes over in silence."""
        if data[-1:] not in {b"\r", b"\n"}:
            return False
        if self._pieces and "content-length" in self._telling:
            return not data.endswith(self._pieces[-1])
        return len(data) - len(data.rstrip(b"\r\n")) > len(_HEAD_END)

    def _too_long(self) -> str:
        return f"the answer is longer than {self._max_bytes:,} bytes"


_LONG_HEAD = f"the head of its answer is longer than {MAX_HEAD_BYTES:,} bytes"
