"""A server that does each fault exactly: one address for each row of the matrix, one list of steps for each attempt."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from types import TracebackType
from typing import Self

from tests.faults.steps import GOOD, Close, Forever, Pause, Reset, Step, Steps


@dataclass
class Arrived:
    """A request whose head arrived. bad: it is the one that a row is about.

    body: the SHA-256 of its body, empty where that was not read.
    """

    head: bytes
    connection: int
    at: float
    bad: bool
    body: bytes = b""

    def header(self, name: str) -> str:
        """The value of a header, named in lower case; empty where it is missing."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines)
        return next((value.strip() for known, _, value in pairs if known.lower() == name), "")


@dataclass
class Script:
    """What one address does with a request that says `X-Side: bad`; all others are answered well.

    steps: by the ids of the records it carries (none where its body is not read) and how often it came before.
    unread: act on the head alone, while the body is still on its way.
    """

    steps: Callable[[tuple[int, ...], int], Steps]
    unread: bool = False
    arrived: list[Arrived] = field(default_factory=list)
    times: dict[str, int] = field(default_factory=dict)


class FaultServer:
    """Use it as a context manager; `script` gives an address to post to."""

    def __init__(self) -> None:
        self._scripts: dict[str, Script] = {}
        self._connections = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(10)

    def script(self, name: str, script: Script) -> str:
        """The URL at which this script answers."""
        self._scripts[f"/{name}"] = script
        return f"http://127.0.0.1:{self._port}/{name}"

    def _serve(self) -> None:
        try:
            self._loop.run_until_complete(self._until_closed())
        finally:
            self._loop.close()

    async def _until_closed(self) -> None:
        self._closing = asyncio.Event()
        server = await asyncio.start_server(self._taken, "127.0.0.1", 0, limit=1 << 20, backlog=512)
        self._port = int(server.sockets[0].getsockname()[1])
        self._ready.set()
        await self._closing.wait()
        server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        connection = self._connections
        taken: socket.socket = writer.get_extra_info("socket")
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The client hangs up on what it does not like, which is what many rows are about.
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while await self._exchange(reader, writer, connection):
                    pass
        finally:
            self._writers.discard(writer)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int
    ) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
        script = self._scripts[head.split(b" ", 2)[1].decode()]
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        bad = b"\r\nx-side: bad" in head.lower()
        arrived = Arrived(head, connection, time.monotonic(), bad=bad)
        before = script.times.get(arrived.header("idempotency-key"), 0)
        script.times[arrived.header("idempotency-key")] = before + 1
        script.arrived.append(arrived)
        if bad and script.unread and (steps := script.steps((), before)) != (GOOD,):
            return await _act(steps, writer)
        body = await reader.readexactly(length)
        arrived.body = sha256(body).digest()
        found = json.loads(body)
        ids = tuple(record["id"] for record in (found if isinstance(found, list) else [found]))
        return await _act(script.steps(ids, before) if bad else (GOOD,), writer)


async def _act(steps: Sequence[Step], writer: asyncio.StreamWriter) -> bool:
    """Do what is written; whether the connection stays open."""
    taken: socket.socket = writer.get_extra_info("socket")
    for at, step in enumerate(steps):
        if isinstance(step, bytes):
            if steps[at + 1 :] == (Close(),) and sys.platform == "linux":
                # The end leaves with the last bytes: a client that could come between them would be right to go on.
                taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            writer.write(step)
            await writer.drain()
        elif isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
        elif isinstance(step, Forever):
            while True:
                writer.write(step.content)
                await writer.drain()
                await asyncio.sleep(step.every_s)
        elif isinstance(step, Reset):
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        else:
            assert isinstance(step, Close)
            return False
    return True
