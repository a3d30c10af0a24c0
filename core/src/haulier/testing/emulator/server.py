"""A real uvicorn server on a loopback address, in a thread of its own."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from haulier.testing.emulator.errors import EmulatorError
from haulier.testing.emulator.protocol import WireProtocol

LOOPBACK = "127.0.0.1"
MAX_HEAD_BYTES = 256 * 1024
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0


class Server:
    """A running server; made by `serve`."""

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        self.host, self.port = listener.getsockname()[:2]
        self._listener = listener
        self._uvicorn = _Uvicorn(_config(app))
        self._thread = threading.Thread(target=self._run, name=f"emulator:{self.port}", daemon=True)
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        """Scheme, host and port, with no slash at the end."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether the server's thread is alive."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Serve from a thread; returns once requests are answered."""
        self._thread.start()
        if not self._uvicorn.ready.wait(START_TIMEOUT_S) or self._failure is not None:
            raise RuntimeError(f"the server on {self.url} did not start") from self._failure

    def stop(self) -> None:
        """Close every connection, a stalled one too, and wait for the thread to end."""
        self._uvicorn.wake()
        self._thread.join(STOP_TIMEOUT_S)
        self._listener.close()
        if self._thread.is_alive():
            raise RuntimeError(f"the server on {self.url} did not stop within {STOP_TIMEOUT_S:g} seconds")

    def _run(self) -> None:
        try:
            self._uvicorn.run(sockets=[self._listener])
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits in start()
            self._failure = error
        finally:
            self._uvicorn.ready.set()


class _Uvicorn(uvicorn.Server):
    """uvicorn's server, woken up to stop where the original looks ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken: asyncio.Event | None = None

    async def main_loop(self) -> None:
        self._loop, self._woken = asyncio.get_running_loop(), asyncio.Event()
        # on_tick(0) sets the Date header, once a second.
        while not await self.on_tick(0):
            self.ready.set()
            try:
                await asyncio.wait_for(self._woken.wait(), 1.0)
            except TimeoutError:
                continue

    def wake(self) -> None:
        self.should_exit = True
        if self._loop is not None and self._woken is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)


@contextmanager
def serve(app: ASGIApp, *, host: str = LOOPBACK, port: int = 0) -> Iterator[Server]:
    """Serve `app` until the block ends; port 0 takes a free one.

    `host` must be a loopback address (another one, such as 127.0.0.2, makes another origin), else
    EmulatorError; so is a port that is taken.
    """
    server = Server(app, _listen(host, port))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def run_forever(
    app: ASGIApp, *, on_ready: Callable[[Server], None], host: str = LOOPBACK, port: int = 0
) -> None:
    """Serve `app` until SIGINT or SIGTERM, then return. Call it from the main thread.

    `on_ready` is called once, when requests are answered.
    """
    stopping = threading.Event()
    before = {number: signal.signal(number, lambda *_: stopping.set()) for number in STOP_SIGNALS}
    try:
        with serve(app, host=host, port=port) as server:
            on_ready(server)
            while not stopping.wait(1.0):
                if not server.is_running:
                    raise RuntimeError(f"the server on {server.url} ended by itself")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise EmulatorError(f"an emulator binds a loopback address only, such as {LOOPBACK}, not {host!r}")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        # The text of the standard library's error repeats the address.
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        raise EmulatorError(
            f"cannot listen on {host} port {port}: {why}; take another port, or 0 for one that is free"
        ) from error


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=WireProtocol,
        ws="none",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=2,
    )
