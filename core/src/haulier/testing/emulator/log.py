"""What arrived at an emulator, and how it was answered."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Literal

from starlette.datastructures import Headers

Outcome = Literal["open", "answered", "dropped", "partial", "left"]
HIDDEN = "(hidden)"


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request as it arrived, and what became of it.

    `number` counts from 1. `target` and `headers` are exactly what stood on the wire. `body` is None when it
    was larger than the log keeps; `body_size` and `body_sha256` always speak of the whole. `parts` counts the
    parts of a multipart body, None for any other. `at` is seconds since 1970 by the emulator's clock,
    `took_s` real seconds. `outcome` is "open" until the request was answered, "dropped" or "partial" after a
    fault, "left" when the client went away first; `status` is None where no status was sent.
    """

    number: int
    at: float
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    user: str | None
    body: bytes | None
    body_size: int
    body_sha256: str
    parts: int | None
    outcome: Outcome = "open"
    status: int | None = None
    took_s: float | None = None

    @property
    def path(self) -> str:
        """The target without its query, escapes as sent."""
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        """The first header of that name in any case, None when there is none."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def shown(self) -> dict[str, object]:
        """The request as JSON values; no credential, and of the body only what is text."""
        return {
            "number": self.number,
            "at": self.at,
            "method": self.method,
            "target": self.target,
            "headers": [[name, _shown_header(name, value)] for name, value in self.headers],
            "user": self.user,
            "body_text": _text_or_none(self.body),
            "body_size": self.body_size,
            "body_sha256": self.body_sha256,
            "parts": self.parts,
            "outcome": self.outcome,
            "status": self.status,
            "took_s": self.took_s,
        }


class RequestLog:
    """The last `max_entries` requests, with bodies of at most `max_body_bytes`. Readable from any thread."""

    def __init__(self, *, max_entries: int = 10_000, max_body_bytes: int = 64 * 1024) -> None:
        self.max_entries = max_entries
        self.max_body_bytes = max_body_bytes
        self._lock = Lock()
        self._entries: dict[int, LoggedRequest] = {}
        self._count = 0

    @property
    def count(self) -> int:
        """How many requests arrived since the start or the last clear, forgotten ones included."""
        return self._count

    def entries(self) -> list[LoggedRequest]:
        """The requests still kept, oldest first."""
        with self._lock:
            return list(self._entries.values())

    def clear(self) -> None:
        """Forget every request and count from 1 again."""
        with self._lock:
            self._entries.clear()
            self._count = 0

    def arrived(
        self,
        *,
        at: float,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        user: str | None,
    ) -> LoggedRequest:
        """Keep a request whose answer is open."""
        media_type = Headers(
            raw=[(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in headers]
        ).get("content-type", "")
        with self._lock:
            self._count += 1
            entry = LoggedRequest(
                number=self._count,
                at=at,
                method=method,
                target=target,
                headers=tuple(headers),
                user=user,
                body=body if len(body) <= self.max_body_bytes else None,
                body_size=len(body),
                body_sha256=hashlib.sha256(body).hexdigest(),
                parts=count_parts(media_type, body),
            )
            self._entries[entry.number] = entry
            if len(self._entries) > self.max_entries:
                del self._entries[next(iter(self._entries))]
        return entry

    def closed(self, entry: LoggedRequest, *, outcome: Outcome, status: int | None, took_s: float) -> None:
        """Say what became of a request; one that was forgotten meanwhile stays forgotten."""
        with self._lock:
            # Compared by identity: after clear() the same number may belong to a newer request.
            if self._entries.get(entry.number) is entry:
                self._entries[entry.number] = replace(entry, outcome=outcome, status=status, took_s=took_s)


def count_parts(media_type: str, body: bytes) -> int | None:
    """How many parts a multipart body has, None when `media_type` is not multipart with a boundary."""
    if not media_type.lower().startswith("multipart/"):
        return None
    found = re.search(r'boundary=(?:"([^"]+)"|([^;,\s]+))', media_type, re.IGNORECASE)
    if found is None:
        return None
    delimiter = re.escape(b"--" + (found[1] or found[2]).encode("latin-1"))
    return len(re.findall(rb"(?:\A|\r\n)" + delimiter + rb"[ \t]*(?=\r\n)", body))


def _shown_header(name: str, value: str) -> str:
    if name.lower() not in ("authorization", "proxy-authorization", "cookie", "x-api-key"):
        return value
    scheme, space, _ = value.partition(" ")
    return f"{scheme} {HIDDEN}" if space else HIDDEN


def _text_or_none(body: bytes | None) -> str | None:
    try:
        return None if body is None else body.decode()
    except UnicodeDecodeError:
        return None
