"""The doors that outputs are handed: files below one folder, one transport, and nothing else."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from haulier.errors import ConfigurationError, TransportError
from haulier.io.credentials.bound import Bound, check_binding
from haulier.io.reserved import refused
from haulier.io.transports.choose import open_transport
from haulier.io.transports.protocol import NOTHING_ADDED, Transport
from haulier.model.headers import header_value
from haulier.model.parts import Added
from haulier.model.request import Header, Request, Response
from haulier.model.url import origin_of, plain_url

__all__ = ["FolderDoors", "RunDoors"]

_SILENCE_S = 30.0  # longest silence of a server
_LONGEST_S = 120.0  # longest exchange in all: an answer that drips holds nobody up for good


class FolderDoors:
    """Opens files below `root`, whatever a path says; sends nothing.

    kept: files and folders that nothing is appended to besides those of a project, each with what it is.
    """

    def __init__(self, root: Path, *, kept: Mapping[Path, str] | None = None) -> None:
        self._root = root.resolve()
        self._kept = kept

    def open_read(self, path: str) -> BinaryIO:
        """Open a file for reading."""
        return self._below(path).open("rb")

    def open_append(self, path: str) -> BinaryIO:
        """Open a file for appending and reading, creating it and its folders.

        Raises ConfigurationError for a path that is no place for it.
        """
        place = self._below(path)
        if reason := refused(self._root, path, self._kept):
            raise ConfigurationError(reason)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            return place.open("a+b", buffering=0)
        except OSError as error:
            raise ConfigurationError(f"cannot write {path}: {error.strerror}; choose another path") from None

    def refusal(self, path: str) -> str:
        """Why `open_append` would refuse a path, or an empty text; opens and makes nothing."""
        try:
            place = self._below(path)
        except ConfigurationError as error:
            return str(error)
        told = f"{path} is a folder; write the path of a file" if place.is_dir() else ""
        return refused(self._root, path, self._kept) or told

    def make_durable(self, file: BinaryIO) -> None:
        """Wait until the disk has it."""
        os.fsync(file.fileno())

    def send(self, method: str, url: str, *, headers: Sequence[Header] = (), body: bytes = b"") -> Response:
        """Refused: these doors open files only."""
        raise ConfigurationError(f"{method} {url}: nothing can be sent from here; there are files only")

    def _below(self, path: str) -> Path:
        place = (self._root / path).resolve()
        if not place.is_relative_to(self._root):
            raise ConfigurationError(f"{path} is outside {self._root}; write a path below it")
        return place


class RunDoors(FolderDoors):
    """What an output of a run is handed. Made in the run's loop; `send` is called from the output's own thread.

    credential: what may be applied to requests, and to what origins; authorize: what it adds to one. The output never
    sees its values.
    """

    def __init__(
        self,
        root: Path,
        *,
        kept: Mapping[Path, str] | None = None,
        credential: Bound | None = None,
        authorize: Callable[[Request], Added] = lambda _: NOTHING_ADDED,
    ) -> None:
        super().__init__(root, kept=kept)
        self._loop = asyncio.get_running_loop()
        self._credential = credential
        self._authorize = authorize
        self._transport: Transport | None = None
        self._under_way: asyncio.Task[Response] | None = None
        self._closed = False

    def send(self, method: str, url: str, *, headers: Sequence[Header] = (), body: bytes = b"") -> Response:
        """One exchange; CredentialError where the credential is not bound to the origin of `url`."""
        request = _request(method, url, headers, body)
        if self._credential is not None:
            check_binding(self._credential, request.url)
        if self._transport is None:
            self._transport = open_transport(
                "auto", in_flight=1, timeout_s=_SILENCE_S, origin=origin_of(request.url)
            )
        exchange = self._exchange(request, self._transport)
        try:
            return asyncio.run_coroutine_threadsafe(exchange, self._loop).result()
        except CancelledError:
            raise TransportError("the run ended meanwhile", sent="maybe") from None
        except RuntimeError:
            if not self._loop.is_closed():
                raise
            exchange.close()
            raise TransportError("the run has ended", sent="no") from None

    async def close(self) -> None:
        """Break off what is under way; nothing more is sent."""
        self._closed = True
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.wait([self._under_way])
        if self._transport is not None:
            await self._transport.close()

    async def _exchange(self, request: Request, transport: Transport) -> Response:
        if self._closed:
            raise TransportError("the run has ended", sent="no")
        self._under_way = asyncio.current_task()
        try:
            async with asyncio.timeout(_LONGEST_S):
                return await transport.send(request, self._authorize(request))
        except TimeoutError:
            raise TransportError(f"no whole answer within {_LONGEST_S:g} s", sent="maybe") from None
        finally:
            self._under_way = None


def _request(method: str, url: str, headers: Sequence[Header], body: bytes) -> Request:
    for name, value in headers:
        if not isinstance(header_value(value), str):
            raise ConfigurationError(f"the header {name} cannot be sent: its value is no plain ASCII text")
    return Request(
        number=0,
        positions=range(0),
        method=method,
        url=plain_url(url),
        headers=(("User-Agent", "haulier"), *headers),
        body=body,
        length=len(body),
        sha256=sha256(body).digest(),
    )
