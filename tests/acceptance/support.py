"""What the acceptance tests share: a server that records what arrives, a project folder, the command line.

The server writes down every byte it was sent and answers what it was told to. Each command of the command line is a
process of its own.
"""

from __future__ import annotations

import json
import os
import pty
import select
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email import policy
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.commands import run_command

from haulier.io.credentials import CredentialStore
from haulier.runs.resolving.builtins import load_registry
from haulier.testing.emulator import LoggedRequest
from haulier_imagga.emulator import DEMO_KEY, DEMO_SECRET, ImaggaEmulator

REPOSITORY = Path(__file__).resolve().parents[2]
QUICK = {"requests_per_second": 1000, "max_in_flight": 4}
PATIENCE_S = 60


@dataclass(frozen=True)
class Seen:
    """One request as it arrived: its head line's target byte for byte, headers in order, the whole body."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query, escapes as sent."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's pairs, decoded."""
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def json(self) -> Any:
        """The body as a JSON value; fails where it is none."""
        return json.loads(self.body)

    @property
    def form(self) -> list[tuple[str, str]]:
        """The body's pairs as a form."""
        return parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True)

    def header(self, name: str) -> str | None:
        """The value of a header that stands once; None where it is missing."""
        found = self.every(name)
        assert len(found) < 2, f"{name} stands {len(found)} times"
        return found[0] if found else None

    def every(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for known, value in self.headers if known.lower() == name.lower()]

    def parts(self) -> list[Part]:
        """The parts of a multipart body."""
        return parts_of(self.header("Content-Type") or "", self.body)


@dataclass(frozen=True)
class Part:
    """One part of a multipart body."""

    name: str
    filename: str | None
    media_type: str
    content: bytes


def parts_of(media_type: str, body: bytes) -> list[Part]:
    """The parts of a multipart body, taken apart by the standard library."""
    head = f"Content-Type: {media_type}\r\nMIME-Version: 1.0\r\n\r\n".encode()
    message = BytesParser(policy=policy.HTTP).parsebytes(head + body)
    assert message.is_multipart(), media_type
    found = []
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        name = part.get_param("name", header="content-disposition")
        found.append(Part(str(name), part.get_filename(), part.get_content_type(), content))
    return found


@dataclass(frozen=True)
class Reply:
    """What the server answers."""

    status: int = 200
    body: bytes = b'{"ok": true}'
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    connections = 0

    def get_request(self) -> tuple[socket.socket, Any]:
        self.connections += 1
        return super().get_request()

    def handle_error(self, *_: object) -> None:
        """A client that goes away is part of some tests."""


class RecordingServer:
    """Answers `reply` (or what `answer` says) to everything, and keeps what it was sent, in order of arrival."""

    def __init__(self, answer: Callable[[Seen], Reply] | None = None) -> None:
        self.seen: list[Seen] = []
        self.answer: Callable[[Seen], Reply] = answer or (lambda _: Reply())

    def __enter__(self) -> Self:
        self._http = _Threads(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        """Its origin."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def connections(self) -> int:
        """How many TCP connections were made to it, with a request or without."""
        return self._http.connections

    @property
    def only(self) -> Seen:
        """The one request that arrived."""
        assert len(self.seen) == 1, [(one.method, one.target) for one in self.seen]
        return self.seen[0]

    def clear(self) -> None:
        """Forget what arrived, so that the next step of a test stands alone."""
        self.seen.clear()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def _take(self) -> None:
                seen = Seen(self.command, self.path, tuple(self.headers.items()), self._body())
                with lock:
                    owner.seen.append(seen)
                reply = owner.answer(seen)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
                self.wfile.flush()

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _take  # noqa: N815 - names of the base class

            def _body(self) -> bytes:
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    pieces = []
                    while size := int(self.rfile.readline(), 16):
                        pieces.append(self.rfile.read(size))
                        self.rfile.readline()
                    self.rfile.readline()
                    return b"".join(pieces)
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))

            def log_message(self, *_: object) -> None:
                pass

        return Handler


class OddServer:
    """A TCP server that misbehaves: `hold` says what becomes of each connection, in a thread of its own."""

    def __init__(self, hold: Callable[[socket.socket], None]) -> None:
        self._hold = hold
        self._held: list[socket.socket] = []
        self.connections = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._listener.close()
        for connection in self._held:
            connection.close()

    @property
    def url(self) -> str:
        """Its origin."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed: the test is over
                return
            self.connections += 1
            self._held.append(connection)
            threading.Thread(target=self._hold, args=(connection,), daemon=True).start()


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    arguments: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Everything it printed, with runs of white space as one blank: tables and paragraphs break lines."""
        return " ".join(f"{self.out}\n{self.err}".split())

    @property
    def json(self) -> Any:
        """What it printed as JSON."""
        return json.loads(self.out)

    def expect(self, code: int) -> Ended:
        """This, where it ended with `code` and without a traceback; else the test fails with all it said."""
        told = f"$ haulier {' '.join(self.arguments)}\n{self.out}\n{self.err}"
        assert "Traceback" not in self.err, told
        assert self.code == code, f"ended with {self.code}, not {code}\n{told}"
        return self


class Project:
    """A project folder that a person works in. `haulier` starts the command line there, as they would."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "destinations").mkdir(parents=True)
        (root / "haulier.yaml").write_text("version: 1\n")
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HAULIER_", "IMAGGA_", "COVERAGE_"))
        } | {"NO_COLOR": "1", "COLUMNS": "120"}

    def haulier(self, *arguments: object, code: int = 0, stdin: str = "", **environment: str) -> Ended:
        """Run `haulier` with these arguments; the test fails unless it exits with `code`."""
        return self.try_haulier(*arguments, stdin=stdin, **environment).expect(code)

    def try_haulier(self, *arguments: object, stdin: str = "", **environment: str) -> Ended:
        """Run `haulier` with these arguments, however it ends."""
        texts = tuple(str(argument) for argument in arguments)
        ended = run_command(
            texts,
            cwd=self.root,
            env=self.environment | environment,
            stdin=stdin.encode(),
            timeout_s=PATIENCE_S,
        )
        return Ended(texts, ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def together(self, *commands: tuple[object, ...], code: int = 0) -> list[Ended]:
        """Run commands that have nothing to do with each other at once: starting a process takes longest."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return [
                ended.expect(code) for ended in pool.map(lambda given: self.try_haulier(*given), commands)
            ]

    def write(self, path: str, content: str | bytes) -> Path:
        """Write a file below the project's folder."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def destination(self, name: str, settings: Mapping[str, Any]) -> Path:
        """Write a destination file (JSON is YAML); a `name` among the settings is the file's to say."""
        written = {key: value for key, value in settings.items() if key != "name"}
        return self.write(f"destinations/{name}.yaml", json.dumps(written, indent=1))

    def records(self, records: Iterable[Mapping[str, Any]], path: str = "records.jsonl") -> Path:
        """Write a JSONL file."""
        return self.write(path, "".join(json.dumps(record) + "\n" for record in records))

    def lines(self, path: str) -> list[dict[str, Any]]:
        """The objects of a JSONL file, such as an output."""
        return [json.loads(line) for line in (self.root / path).read_text().splitlines()]

    def add_credential(self, origin: str, *, name: str = "imagga-test", secret: str = DEMO_SECRET) -> str:
        """Store the emulator's demo credential, bound to `origin`; its name."""
        return self.store("imagga", {"api_key": DEMO_KEY, "api_secret": secret}, origin, name=name)

    def store(self, kind: str, values: Mapping[str, str], origin: str, *, name: str) -> str:
        """Store a credential as `haulier credential add` does, without a process for it; its name."""
        store = CredentialStore(self.root / ".haulier" / "credentials.json")
        store.add(name, load_registry().credential_type(kind), values, [origin], replace=True)
        return name

    def at_terminal(self, *arguments: object, talk: Sequence[tuple[str, str]], code: int = 0) -> str:
        """Run `haulier` on a terminal and answer what it asks; everything the terminal showed.

        talk: (what is waited for, what is typed then), in order.
        """
        texts = tuple(str(argument) for argument in arguments)
        ours, theirs = pty.openpty()
        shown = b""
        # A session of its own: a hidden question then asks this terminal, not the one the tests were started from.
        with subprocess.Popen(
            [sys.executable, "-m", "haulier", *texts],
            cwd=self.root,
            env=self.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        ) as running:
            os.close(theirs)
            try:
                for question, answer in talk:
                    shown += _shown_until(ours, question.encode())
                    os.write(ours, answer.encode() + b"\n")
                shown += _shown_until(ours, None)
                ended = running.wait(PATIENCE_S)
            finally:
                running.kill()
                os.close(ours)
        text = shown.decode(errors="replace")
        Ended(texts, ended, text, text).expect(code)
        return text


def _shown_until(terminal: int, expected: bytes | None) -> bytes:
    """What a terminal shows until `expected` stands there, or to the end."""
    shown = b""
    while expected is None or expected not in shown:
        ready, _, _ = select.select([terminal], [], [], PATIENCE_S)
        assert ready, f"waited for {expected!r} in vain after {shown!r}"
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the other side is closed: how a terminal says that it is over
            piece = b""
        if not piece:
            assert expected is None, f"ended before {expected!r} was shown: {shown!r}"
            return shown
        shown += piece
    return shown


@dataclass
class Imagga:
    """The emulator with the settings by which a destination in code reaches it."""

    emulator: ImaggaEmulator
    url: str

    @property
    def credential(self) -> dict[str, Any]:
        """The demo credential as values, for calls from Python."""
        return {"type": "imagga", "api_key": DEMO_KEY, "api_secret": DEMO_SECRET, "origins": [self.url]}

    @property
    def requests(self) -> list[LoggedRequest]:
        """What arrived, in order."""
        return self.emulator.requests

    @property
    def only(self) -> LoggedRequest:
        """The one request that arrived."""
        assert len(self.requests) == 1, [(one.method, one.target) for one in self.requests]
        return self.requests[0]

    def to(self, endpoint: str, **settings: Any) -> dict[str, Any]:
        """A destination by template, at full speed."""
        return {
            "name": "acceptance",
            "connector": "imagga",
            "endpoint": endpoint,
            "base_url": self.url,
            "limits": QUICK,
            **settings,
        }

    def by_hand(
        self, method: str, url: str, request: dict[str, Any] | None = None, **settings: Any
    ) -> dict[str, Any]:
        """A destination by hand: `url` is written as for the real service, `base_url` leads it here."""
        return {
            "name": "acceptance",
            "connector": "imagga",
            "request": {"method": method, "url": url, **(request or {})},
            "base_url": self.url,
            "limits": QUICK,
            **settings,
        }


def png(width: int, height: int, shade: int = 0) -> bytes:
    """A whole PNG picture of one shade of grey, a few bytes long."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"".join(b"\x00" + bytes([shade]) * width for _ in range(height)))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def in_order(values: Sequence[Any], key: str) -> list[Any]:
    """Values sorted by a key of theirs: requests under way together arrive in any order."""
    return sorted(values, key=lambda value: value[key])


def wait_until(holds: Callable[[], bool]) -> None:
    """Return once something holds; fails when it does not come to hold."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.01)
