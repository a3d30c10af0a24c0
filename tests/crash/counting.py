"""A local server that counts: every request with its key, the hash of its body and the ids it carried.

On every request it opens the ledger read-only and looks for the intent, as a suspicious auditor would.
"""

from __future__ import annotations

import json
import random
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self


@dataclass
class Seen:
    """One whole request as the server read it."""

    key: str
    digest: bytes
    ids: list[int]
    target: str
    at: float


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Clients are killed here: a connection that breaks off is what is wished for."""


@dataclass
class CountingServer:
    """faults: chance of answering 503 to a request. delay_s: before each answer."""

    ledger: Path
    seed: int
    faults: float = 0.0
    delay_s: float = 0.02
    seen: list[Seen] = field(default_factory=list)
    without_intent: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        owner, chance, lock = self, random.Random(self.seed), threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                key = self.headers["Idempotency-Key"]
                values = json.loads(body)
                ids = [value["id"] for value in (values if isinstance(values, list) else [values])]
                digest = sha256(body).digest()
                intent = owner.intent(key, digest)
                with lock:
                    owner.seen.append(Seen(key, digest, ids, self.path, time.monotonic()))
                    if not intent:
                        owner.without_intent.append(key)
                    fault = chance.random() < owner.faults
                time.sleep(owner.delay_s)
                answer = b'{"ok":true}'
                self.send_response(503 if fault else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

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

    def unsettled(self) -> set[str]:
        """Keys whose request has no outcome in the ledger now: on their way, or refused and to be tried again."""
        if not self.ledger.exists():
            return set()
        db = sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True, timeout=10)
        try:
            return {row[0] for row in db.execute("select key from request where state in (0, 1)")}
        except sqlite3.OperationalError:
            return set()  # killed before the tables were made
        finally:
            db.close()
