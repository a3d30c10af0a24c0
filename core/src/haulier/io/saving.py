"""Answers that are files: each is on the disk before its request counts as answered.

So a record that was delivered always has its file; after a crash in between, the request is sent again and the same
file written anew. The name follows from run, position, key and media type alone, so that whoever knows the request
knows the file. A name from a record is one file name and no path.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from urllib.parse import quote

import msgspec

from haulier.errors import DestinationError, RunStopped
from haulier.io.transports.protocol import Transport
from haulier.model.files import is_file, media_type_of
from haulier.model.json_value import as_text, decoded, members
from haulier.model.parts import Added
from haulier.model.request import Request, Response

__all__ = ["SavedBodies", "Saving", "run_folder"]

_ENDINGS = {
    "image/avif": "avif",
    "image/gif": "gif",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "application/pdf": "pdf",
    "application/zip": "zip",
    "audio/mpeg": "mp3",
    "video/mp4": "mp4",
}
_SPELT = {"jpeg": "jpg"}  # endings that mean another one of these
_LONGEST_KEY = 80


def run_folder(folder: str, run_id: str) -> str:
    """The folder of one run below the one that was written."""
    return f"{folder.rstrip('/')}/{run_id[:12]}"


class SavedBodies:
    """Where the answers of one run go. folder: as written, below root; key: attribute that names a record.

    Raises DestinationError where the folder is outside the root.
    """

    def __init__(self, root: Path, folder: str, run_id: str, key: str | None) -> None:
        self.folder = run_folder(folder, run_id)
        self._root = root.resolve()
        self._key = key
        if not self._is_below(self.folder):
            raise DestinationError(
                f"save_body: {folder} is outside {self._root}; name a folder below the project's"
            )

    def path_of(self, request: Request, response: Response) -> str:
        """The file an answer goes to, below the root; empty where it is no success or no file."""
        if not is_file(response):
            return ""
        first, ending = min(request.positions), _ENDINGS.get(media_type_of(response), "bin")
        return f"{self.folder}/{first:06d}{self._named(request, ending)}.{ending}"

    def save(self, request: Request, response: Response) -> None:
        """Write an answer that is a file, whole or not at all; on the disk when this returns.

        Raises RunStopped where it cannot be written.
        """
        path = self.path_of(request, response)
        if not path:
            return
        place = self._root / path
        if not self._is_below(path):
            raise RunStopped(
                f"cannot save an answer as {path}: a link leads out of {self._root}; remove it and run again"
            )
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            new = place.with_name(f".{place.name}.new")
            with new.open("wb") as file:
                file.write(response.body)
                file.flush()
                os.fsync(file.fileno())
            new.replace(place)
        except OSError as error:
            raise RunStopped(
                f"cannot save an answer as {path}: {error.strerror}; run again once that is mended"
            ) from None

    def _is_below(self, path: str) -> bool:
        """Whether what is written there stays below the root, links followed."""
        return (self._root / path).resolve().is_relative_to(self._root)

    def _named(self, request: Request, ending: str) -> str:
        """The record's key as a part of a file name: what is no letter, digit, dash or dot is escaped.

        An ending of the key that says what the file's own one says is left out.
        """
        if self._key is None or not request.records:
            return ""
        value = members(request.records[0]).get(self._key)
        value = decoded(value) if value is not None else None
        if not isinstance(value, str | int | msgspec.Raw):
            return ""
        text = as_text(value)
        stem, _, last = text.rpartition(".")
        if stem and _SPELT.get(last.lower(), last.lower()) == ending:
            text = stem
        return f"-{quote(text, safe='').replace('%', '_')[:_LONGEST_KEY]}"


class Saving:
    """A transport that returns an answer once what is a file of it is on the disk."""

    def __init__(self, transport: Transport, bodies: SavedBodies) -> None:
        self._transport = transport
        self._bodies = bodies

    async def send(self, request: Request, added: Added) -> Response:
        """The whole answer; raises RunStopped where it cannot be saved."""
        response = await self._transport.send(request, added)
        if self._bodies.path_of(request, response):
            await asyncio.to_thread(self._bodies.save, request, response)
        return response

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()
