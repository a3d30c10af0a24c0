"""Files named by URL: fetched before their record is planned, and kept beside the ledger until it is settled.

A URL comes from a record and is trusted least. It is fetched without anything of ours, from addresses that are public
or allowed, and each redirect is looked at like the first.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult

from haulier.errors import ConfigurationError, LedgerError, RecordError, TransportError
from haulier.io.fetched import Fetched, Wanted, checked_url, name_of, shown_url
from haulier.io.files import media_type_of
from haulier.io.project import private_folder, write_private
from haulier.io.public_addresses import Allowed
from haulier.io.transports.tls import tls_context
from haulier.model.fetch import Fetch
from haulier.model.request import FilePart

if TYPE_CHECKING:
    from haulier.io.transports.downloads import Download, Downloads

__all__ = ["Fetcher"]

_AT_ONCE = 4
_MOST_HOPS = 5
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_LATER = frozenset((408, 425, 429))
_FIRST_WAIT_S = 0.5


class Fetcher:
    """Fetches files into a folder for their owner alone, which is made; in a thread of its own, which the first file
    begins and `close` ends. Methods may be called from any thread.

    Raises ConfigurationError where there can be no such folder.
    """

    def __init__(self, rules: Fetch, folder: Path) -> None:
        self._rules = rules
        self.folder = private_folder(folder).resolve()
        self._allowed = Allowed(rules.allow)
        self._context = tls_context()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = asyncio.Event()
        self._under_way: set[asyncio.Task[list[Fetched]]] = set()
        self._closed = False

    def begin(self, wanted: Sequence[Wanted]) -> Future[list[Fetched]]:
        """What will have come of each, in order; at most four files are fetched at once, in the order of the calls.

        Those that are parts are on the disk then. Its result raises LedgerError where they cannot be written, and
        CancelledError once this is closed.
        """
        with self._lock:
            if self._closed:
                raise CancelledError
            if self._loop is None:
                begun: Future[asyncio.AbstractEventLoop] = Future()
                threading.Thread(target=self._run, args=(begun,), name="haulier-fetch", daemon=True).start()
                self._loop = begun.result()
            return asyncio.run_coroutine_threadsafe(self._fetched(wanted), self._loop)

    def close(self) -> None:
        """Break off what is under way, and begin nothing more."""
        with self._lock:
            closed, self._closed = self._closed, True
            if self._loop is not None and not closed:
                self._loop.call_soon_threadsafe(self._over.set)

    def _run(self, begun: Future[asyncio.AbstractEventLoop]) -> None:
        asyncio.run(self._serve(begun))

    async def _serve(self, begun: Future[asyncio.AbstractEventLoop]) -> None:
        """Keep the connections until it is over; what is under way then is cancelled."""
        # httpcore takes time to load, which previews need not pay.
        from haulier.io.transports.downloads import Downloads  # noqa: PLC0415

        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._downloads = Downloads(
            lanes=_AT_ONCE,
            timeout_s=self._rules.timeout_s,
            most_bytes=self._rules.max_bytes,
            choose=self._allowed.of,
            context=self._context,
        )
        begun.set_result(asyncio.get_running_loop())
        try:
            await self._over.wait()
        finally:
            # Before their connections: a download that went on would open new ones, which nobody closes.
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)
            await self._downloads.close()

    async def _fetched(self, wanted: Sequence[Wanted]) -> list[Fetched]:
        if (task := asyncio.current_task()) is not None:
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

        async def one(asked: Wanted) -> Fetched:
            async with self._turns:
                try:
                    return await self._one(self._downloads, asked)
                except (RecordError, TransportError) as error:
                    return error

        return await asyncio.gather(*map(one, wanted))

    async def _one(self, downloads: Downloads, asked: Wanted) -> FilePart:
        """A file, tried as often as the rules say."""
        url, why = checked_url(asked.url), ""
        for attempt in range(self._rules.attempts):
            if attempt:
                await asyncio.sleep(_FIRST_WAIT_S * 2 ** (attempt - 1))
            try:
                async with asyncio.timeout(self._rules.timeout_s):
                    found = await _followed(downloads, url)
                return self._kept(found, url, asked.name)
            except TimeoutError:
                why = f"it was not there whole after {self._rules.timeout_s:g} s (`fetch.timeout_s`)"
            except TransportError as error:
                why = str(error)
            except RecordError as error:
                raise RecordError(f"{shown_url(url)}: {error}") from None
        raise TransportError(f"{shown_url(url)}: {why}, {self._rules.attempts} times", sent="maybe")

    def _kept(self, found: Download, url: SplitResult, name: str) -> FilePart:
        try:
            path = self.folder / name
            write_private(path, found.content)
            status = path.stat()
        except (ConfigurationError, OSError) as error:
            raise LedgerError(f"cannot keep a fetched file: {error}") from None
        return FilePart(
            path=str(path),
            name=name_of(url),
            size=len(found.content),
            mtime_ns=status.st_mtime_ns,
            sha256=hashlib.sha256(found.content).digest(),
            media_type=found.media_type or media_type_of(name_of(url)),
        )


async def _followed(downloads: Downloads, url: SplitResult) -> Download:
    """What stands at the end of all redirects."""
    for hop in range(_MOST_HOPS + 1):
        try:
            found = await downloads.get(url)
        except RecordError as error:
            raise RecordError(f"it leads on to {shown_url(url)}: {error}" if hop else str(error)) from None
        if found.status == 200:
            return found
        if found.status in _REDIRECTS and found.location:
            before, url = url, checked_url(found.location, url.geturl())
            if before.scheme == "https" and url.scheme == "http":
                raise RecordError(f"it leads from https to {shown_url(url)}, where anybody may read along")
            continue
        if found.status in _LATER or found.status >= 500:
            raise TransportError(f"its server answered {found.status}", sent="maybe", status=found.status)
        raise RecordError(f"its server answered {found.status}; give a URL that answers 200 with the file")
    raise RecordError(f"it leads on more than {_MOST_HOPS} times; give the URL where the file stands")
