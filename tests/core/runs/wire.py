"""A small server that shows the very bytes it read, and answers, stalls, breaks off or hangs up as it is told."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeAlias


@dataclass(frozen=True)
class Asked:
    """One whole request. head: its bytes up to the empty line, without it. number: from 0, in order of arrival."""

    number: int
    connection: int
    head: bytes
    body: bytes
    at: float

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode()

    @property
    def target(self) -> str:
        return self.head.split(b" ", 2)[1].decode()

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known.lower() == name), None)


@dataclass(frozen=True)
class Cut:
    """Send these bytes and close; reset: with RST instead of FIN."""

    content: bytes = b""
    reset: bool = False


@dataclass(frozen=True)
class Stall:
    """Say nothing for so long, then close."""

    seconds: float


Answer: TypeAlias = "bytes | Cut | Stall"


def answer(
    status: int = 200, body: bytes = b"{}", *, media_type: str = "application/json", **headers: str
) -> bytes:
    """A whole answer; further headers by name, `_` for a hyphen."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {media_type}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Wire:
    """Use it as a context manager. reply: what each request is answered with; delay_s: before that. at: the port; 0
    for any.

    connections, closed: how many there were, and how many of them are closed on this side.
    """

    reply: Callable[[Asked], Answer] = lambda asked: answer()
    tls: ssl.SSLContext | None = None
    delay_s: float = 0.0
    at: int = 0
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    closed: int = 0

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", self.at), backlog=256)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._closing.set()
        # A blocked accept is not woken by closing its socket.
        socket.create_connection(self._listening.getsockname()).close()
        with self._lock:
            for one in self._open:
                _shut(one)
        for thread in self._threads:
            thread.join(5)
        self._listening.close()

    @property
    def port(self) -> int:
        return int(self._listening.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def bodies(self) -> list[bytes]:
        return [one.body for one in self.asked]

    def wait(self, requests: int) -> None:
        """Return when so many whole requests have come; the time is for a machine under load, and what never comes."""
        until = time.monotonic() + 60
        while len(self.asked) < requests:
            assert time.monotonic() < until, f"{len(self.asked)} of {requests} requests came"
            time.sleep(0.005)

    def _start(self, work: Callable[..., None], *values: object) -> None:
        thread = threading.Thread(target=work, args=values, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            taken, _ = self._listening.accept()
            if self._closing.is_set():
                taken.close()
                return
            self.connections += 1
            self._start(self._serve, taken, self.connections)

    def _serve(self, taken: socket.socket, connection: int) -> None:
        try:
            plain = taken
            taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                taken = self.tls.wrap_socket(plain, server_side=True)
            with self._lock:
                self._open.add(taken)
            while (found := self._read(taken, connection)) is not None:
                if self.delay_s:
                    time.sleep(self.delay_s)
                if not self._say(taken, self.reply(found)):
                    return
        except OSError:
            pass  # the client hung up, or did not like our certificate: what some tests wish for
        finally:
            with self._lock:
                self._open.discard(taken)
            taken.close()
            plain.close()
            with self._lock:
                self.closed += 1

    def _read(self, taken: socket.socket, connection: int) -> Asked | None:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = taken.recv(65536)
            if not piece:
                return None
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            ),
            0,
        )
        pieces, held = [body], len(body)
        while held < length:
            piece = taken.recv(1 << 20)
            if not piece:
                return None
            pieces.append(piece)
            held += len(piece)
        with self._lock:
            found = Asked(len(self.asked), connection, head, b"".join(pieces), time.monotonic())
            self.asked.append(found)
        return found

    def _say(self, taken: socket.socket, said: Answer) -> bool:
        """Answer; whether the connection stays open."""
        if isinstance(said, bytes):
            taken.sendall(said)
            return True
        if isinstance(said, Stall):
            self._closing.wait(said.seconds)
            return False
        taken.sendall(said.content)
        if said.reset:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False


def _shut(one: socket.socket) -> None:
    with suppress(OSError):  # closed already
        one.shutdown(socket.SHUT_RDWR)
