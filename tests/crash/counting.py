"""A local server that counts: every whole request with its key, the hash of its body and the ids it carried.

On every request it opens the ledger read-only and looks for the intent, as a suspicious auditor would.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self


@dataclass
class Seen:
    """One whole request as the server read it. later: ids of records that it asked for once more."""

    key: str
    digest: bytes
    ids: list[int]
    target: str
    at: float
    status: int
    later: frozenset[int] = frozenset()


class _Server(ThreadingHTTPServer):
    """accepted: ports that connections came from; open: how many connections are."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.accepted: set[int] = set()
        self.open = 0
        self._counting = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._counting:
            self.accepted.add(client_address[1])
            self.open += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._counting:
            self.open -= 1

    def handle_error(self, *_: object) -> None:
        """Clients are killed here: a connection that breaks off is what is wished for."""


@dataclass
class CountingServer:
    """faults: chance of answering 503 to a request; cuts: of no answer. delay_s: before each answer.

    bad: ids of records that no batch may hold: it is refused as too large. later: chance of a record to be asked for
    once more; each answer tells of each record then, under `results`. victim: the process that sends. half_at: the
    so-many-th body is read by half, and the victim killed then; answered_at: it is killed when the so-many-th answer is
    written. broken_off: bodies that were not whole.
    """

    ledger: Path
    seed: str
    faults: float = 0.0
    cuts: float = 0.0
    delay_s: float = 0.02
    bad: frozenset[int] = frozenset()
    later: float = 0.0
    victim: int = 0
    half_at: int = 0
    answered_at: int = 0
    seen: list[Seen] = field(default_factory=list)
    without_intent: list[str] = field(default_factory=list)
    broken_off: int = 0
    _begun: int = 0

    def __enter__(self) -> Self:
        owner, chance, lock = self, random.Random(self.seed), threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                with lock:
                    owner._begun += 1
                    number = owner._begun
                if number == owner.half_at:
                    self.rfile.read(length // 2)
                    owner._kill()
                    owner.broken_off += 1
                    self.close_connection = True
                    return
                body = self.rfile.read(length)
                if len(body) < length:
                    owner.broken_off += 1
                    return
                seen = owner._read(self.headers["Idempotency-Key"], body, self.path, chance, lock)
                time.sleep(owner.delay_s)
                if not seen.status:
                    self.close_connection = True
                    return
                results = [{"status": 429 if number in seen.later else 200} for number in seen.ids]
                answer = json.dumps({"results": results} if owner.later else {"ok": True}).encode()
                self.send_response(seen.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                if number == owner.answered_at:
                    owner._kill()

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server(Handler)
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _read(self, key: str, body: bytes, target: str, chance: random.Random, lock: threading.Lock) -> Seen:
        """Write a whole request down, with the status to answer with, 0 for none."""
        values = json.loads(body)
        ids = [value["id"] for value in (values if isinstance(values, list) else [values])]
        digest = sha256(body).digest()
        intent = self.intent(key, digest)
        with lock:
            dice = chance.random()
            refused = 413 if self.bad.intersection(ids) else 200
            status = 503 if dice < self.faults else 0 if dice < self.faults + self.cuts else refused
            later = frozenset(number for number in ids if self.later and chance.random() < self.later)
            seen = Seen(key, digest, ids, target, time.monotonic(), status, later)
            self.seen.append(seen)
            if not intent:
                self.without_intent.append(key)
        return seen

    def _kill(self) -> None:
        """Kill the victim, and wait until it is gone."""
        until = time.monotonic() + 10
        while not self.victim and time.monotonic() < until:
            time.sleep(0.001)
        os.kill(self.victim, signal.SIGKILL)

    def count_anew(self, *, half_at: int, answered_at: int) -> None:
        """Count requests from here on."""
        self._begun, self.half_at, self.answered_at = 0, half_at, answered_at

    def quiet(self) -> None:
        """Wait until what clients that are gone had sent is read, and written down."""
        with socket.create_connection(
            self._server.server_address[:2]
        ) as last:  # accepted after all of theirs
            port = last.getsockname()[1]
        until = time.monotonic() + 20
        while (port not in self._server.accepted or self._server.open) and time.monotonic() < until:
            time.sleep(0.001)
        assert not self._server.open
        self._server.accepted.clear()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def intent(self, key: str, digest: bytes) -> bool:
        """Whether the ledger says, durably and now, that this very body under this key may be on its way."""
        db = sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True, timeout=10)
        try:
            found = db.execute(
                "select count(*) from request where key = ? and sha256 = ? and state = 1", (key, digest)
            )
            return bool(found.fetchone()[0])
        finally:
            db.close()
