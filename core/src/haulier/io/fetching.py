"""Files named by URL: fetched before their record is planned, and kept beside the ledger until it is settled.

A URL comes from a record and is trusted least. It is fetched without anything of ours, from addresses that are public
or allowed, and each redirect is looked at like the first.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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

__all__ = ["AT_ONCE", "Fetcher"]

AT_ONCE = 4
_MOST_HOPS = 5
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_LATER = frozenset((408, 425, 429))
_FIRST_WAIT_S = 0.5


class Fetcher:
    """Fetches files into a folder for their owner alone, which is made. `close` may be called from any thread.

    Raises ConfigurationError where there can be no such folder.
    """

    def __init__(self, rules: Fetch, folder: Path) -> None:
        self._rules = rules
        self.folder = private_folder(folder).resolve()
        self._allowed = Allowed(rules.allow)
        self._context = tls_context()
        self._under_way: tuple[asyncio.AbstractEventLoop, asyncio.Task[list[Fetched]]] | None = None
        self._closed = False

    def fetch(self, wanted: Sequence[Wanted]) -> list[Fetched]:
        """What came of each, in order, at most four at once; those that are parts are on the disk when this returns.

        Raises LedgerError where they cannot be written, CancelledError once it is closed.
        """
        # In a thread of its own: who previews may have an event loop running in this one.
        with ThreadPoolExecutor(1, thread_name_prefix="haulier-fetch") as thread:
            try:
                return thread.submit(asyncio.run, self._all(wanted)).result()
            except (
                BaseException
            ):  # Ctrl-C, too: leaving `thread` would wait for files that nobody wants any more
                self.close()
                raise

    def close(self) -> None:
        """Break off what is under way, and begin nothing more."""
        self._closed = True
        if self._under_way is not None:
            loop, task = self._under_way
            if not loop.is_closed():
                loop.call_soon_threadsafe(task.cancel)

    async def _all(self, wanted: Sequence[Wanted]) -> list[Fetched]:
        task = asyncio.ensure_future(self._fetched(wanted))
        self._under_way = (asyncio.get_running_loop(), task)
        if self._closed:
            task.cancel()
        return await task

    async def _fetched(self, wanted: Sequence[Wanted]) -> list[Fetched]:
        # httpcore takes time to load, which previews need not pay.
        from haulier.io.transports.downloads import Downloads  # noqa: PLC0415

        rules = self._rules
        downloads = Downloads(
            lanes=AT_ONCE,
            timeout_s=rules.timeout_s,
            most_bytes=rules.max_bytes,
            choose=self._allowed.of,
            context=self._context,
        )
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(asked: Wanted) -> Fetched:
            async with turns:
                try:
                    return await self._one(downloads, asked)
                except (RecordError, TransportError) as error:
                    return error

        try:
            return await asyncio.gather(*map(one, wanted))
        finally:
            await downloads.close()

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
