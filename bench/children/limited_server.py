"""A server with limits, for pacing: refuses with 429 beyond a rate, or answers the later the more are in flight.

limited_server.py KIND        prints its port; on SIGTERM what it saw, as JSON, and ends

window   50 in any second; says nothing of it
headers  50 in each second; each answer tells what is left
degrade  32 in flight are answered in 50 ms; beyond, the time grows with the square of their number
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import deque

PER_SECOND = 50
BEARS, LATENCY_S = 32, 0.05
_BODY = b"{}"


class Limits:
    """Decides, and remembers what it saw. Times in seconds of the loop's clock."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.in_flight = self.accepted = 0
        self.first = self.last = 0.0
        self.refused: list[float] = []
        self._admitted: deque[float] = deque()
        self._second = -1
        self._used = 0

    def admits(self, now: float) -> bool:
        """Whether a request that arrives now is within the limit."""
        self.first = self.first or now
        if self.kind == "headers":
            if int(now) != self._second:
                self._second, self._used = int(now), 0
            within = self._used < PER_SECOND
            self._used += within
        else:
            while self._admitted and self._admitted[0] <= now - 1:
                self._admitted.popleft()
            within = self.kind == "degrade" or len(self._admitted) < PER_SECOND
        if not within:
            self.refused.append(now)
            return False
        self._admitted.append(now)
        self.accepted += 1
        self.last = now
        return True

    def told(self, now: float) -> bytes:
        """Headers that tell of the limit."""
        if self.kind != "headers":
            return b""
        left = PER_SECOND - self._used
        return b"RateLimit-Limit: %d\r\nRateLimit-Remaining: %d\r\nRateLimit-Reset: 1\r\n" % (
            PER_SECOND,
            left,
        )

    def takes_s(self) -> float:
        """How long the answer to a request that has arrived takes."""
        over = max(1.0, self.in_flight / BEARS)
        return LATENCY_S * over * over if self.kind == "degrade" else 0.005

    def seen(self) -> dict[str, float]:
        """For the bench."""
        late = sum(at > self.first + 1 for at in self.refused)
        return {
            "accepted": self.accepted,
            "refused": len(self.refused),
            "refused_late": late,
            "seconds": self.last - self.first,
        }


class Connection(asyncio.Protocol):
    """One request after the other."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer what has arrived whole."""
        self._held += data
        head, found, rest = self._held.partition(b"\r\n\r\n")
        if not found:
            return
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0
        )
        if len(rest) < length:
            return
        self._held = rest[length:]
        limits, now = self._limits, self._loop.time()
        status = b"200 OK" if limits.admits(now) else b"429 Too Many Requests"
        limits.in_flight += 1
        self._loop.call_later(limits.takes_s(), self._answer, status, limits.told(now))

    def _answer(self, status: bytes, told: bytes) -> None:
        self._limits.in_flight -= 1
        self._transport.write(b"HTTP/1.1 %s\r\n%sContent-Length: 2\r\n\r\n%s" % (status, told, _BODY))


async def main(limits: Limits) -> None:
    """Serve until SIGTERM."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(limits), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()


if __name__ == "__main__":
    here = Limits(sys.argv[1])
    asyncio.run(main(here))
    print(json.dumps(here.seen()), flush=True)
