"""Files named by records: found below one folder, looked at once, read again while they are sent.

A path comes from a record and is trusted least. It is resolved first and must then still be below the root;
the resolved path is opened folder by folder without following links, so that nothing put in between can lead
elsewhere; what was opened is checked by its descriptor.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import BinaryIO

import msgspec

from haulier.errors import ConfigurationError, RecordError, TransportError
from haulier.model.request import FilePart

__all__ = ["FileRoom", "media_type_of", "open_part", "part_again", "stream_part"]

_CHUNK_BYTES = 64 * 1024
_KNOWN_FILES = 4096
_SHOWN_CHARACTERS = 120
# O_NONBLOCK: opening a pipe must not wait for its writer. Absent flags are those of other systems.
_READ = os.O_RDONLY
for _flag in ("O_BINARY", "O_CLOEXEC", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK"):
    _READ |= getattr(os, _flag, 0)
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_NO_LINKS_AT_ALL: int = getattr(os, "O_NOFOLLOW_ANY", 0)

# Written down, as the system's own table differs from machine to machine.
# https://www.iana.org/assignments/media-types/media-types.xhtml
_MEDIA_TYPES = {
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".csv": "text/csv",
    ".gif": "image/gif",
    ".gz": "application/gzip",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".htm": "text/html",
    ".html": "text/html",
    ".ico": "image/vnd.microsoft.icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".txt": "text/plain",
    ".wav": "audio/vnd.wave",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".xml": "application/xml",
    ".zip": "application/zip",
}


class FileRoom:
    """The folder below which records may name files. max_bytes: size of the largest file that is sent.

    Raises ConfigurationError where the root is no folder that can be read.
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        try:
            self._root = root.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise ConfigurationError(
                f"files_root: {root}: {_told(error)}; name a folder that is there"
            ) from None
        if not self._root.is_dir():
            raise ConfigurationError(
                f"files_root: {root} is not a folder; name the folder that holds the files"
            )
        self._given = root.absolute()
        self._max_bytes = max_bytes
        self._hashes: dict[tuple[int, ...], bytes] = {}

    def part(self, path_text: str) -> FilePart:
        """What is seen of the file a record names, relative to the root or absolute below it.

        The file is read through once, unless the same file, unchanged, was seen lately. Its name for the
        server is the last part of `path_text`. Raises RecordError, which says why, where the file may not or
        cannot be read: outside the root, dot-files and what is below dot-folders, anything but a regular
        file, too large a file.
        """
        shown = _shown(path_text)
        path = self._resolved(path_text, shown)
        try:
            descriptor = _open_without_links(path)
        except OSError as error:
            raise RecordError(f"file {shown}: {_told(error)}") from None
        status = os.fstat(descriptor)
        try:
            self._check(status, shown)
        except RecordError:
            os.close(descriptor)
            raise
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            return FilePart(
                path=path,
                name=PurePath(path_text).name,
                size=status.st_size,
                mtime_ns=status.st_mtime_ns,
                sha256=self._hash(file, status, shown),
                media_type=media_type_of(path_text),
            )

    def _resolved(self, path_text: str, shown: str) -> str:
        """The resolved path of an existing file, below the root before and after resolving."""
        inner = self._inner(path_text, shown)
        try:
            path = (self._root / inner).resolve(strict=True)
        except FileNotFoundError:
            raise RecordError(
                f"file {shown}: no such file below files_root; check the record's path"
            ) from None
        except (OSError, RuntimeError) as error:
            raise RecordError(f"file {shown}: {_told(error)}") from None
        if not path.is_relative_to(self._root):
            raise RecordError(f"file {shown}: leads outside files_root; only files below it are sent")
        _refuse_dots(path.relative_to(self._root), shown)
        return str(path)

    def _inner(self, path_text: str, shown: str) -> PurePath:
        """The path relative to the root, as written."""
        if not path_text or "\0" in path_text:
            raise RecordError(f"file {shown}: is no path; give one relative to files_root")
        try:
            path_text.encode()
        except UnicodeEncodeError:
            raise RecordError(
                f"file {shown}: is no Unicode text; give a path relative to files_root"
            ) from None
        path = PurePath(path_text)
        if ".." in path.parts:
            raise RecordError(f"file {shown}: a path may not hold `..`; give it relative to files_root")
        if path.is_absolute():
            base = next((root for root in (self._root, self._given) if path.is_relative_to(root)), None)
            if base is None:
                raise RecordError(f"file {shown}: is outside files_root; only files below it are sent")
            path = path.relative_to(base)
        elif path.anchor:
            raise RecordError(f"file {shown}: is outside files_root; only files below it are sent")
        if not path.parts:
            raise RecordError(f"file {shown}: is a folder; name a file in it")
        _refuse_dots(path, shown)
        return path

    def _check(self, status: os.stat_result, shown: str) -> None:
        if stat.S_ISDIR(status.st_mode):
            raise RecordError(f"file {shown}: is a folder; name a file in it")
        if not stat.S_ISREG(status.st_mode):
            raise RecordError(f"file {shown}: is no regular file; only those are sent")
        if status.st_size > self._max_bytes:
            raise RecordError(
                f"file {shown}: has {status.st_size:,} bytes, more than max_file_bytes: {self._max_bytes:,}"
            )

    def _hash(self, file: BinaryIO, status: os.stat_result, shown: str) -> bytes:
        # The change time is in the key because the modification time can be set back.
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if (known := self._hashes.pop(key, None)) is None:
            known = _read_through(file, status, shown)
            if len(self._hashes) >= _KNOWN_FILES:
                del self._hashes[next(iter(self._hashes))]
        self._hashes[key] = known
        return known


def media_type_of(name: str) -> str:
    """The media type that the ending of a file's name stands for."""
    return _MEDIA_TYPES.get(PurePath(name).suffix.lower(), "application/octet-stream")


def open_part(part: FilePart) -> BinaryIO:
    """The file of a part, opened for streaming, unbuffered, after the checks made when it was planned.

    For use before the first byte of a request is written: raises RecordError where the file is gone, cannot
    be read or has another size or time of change than it had; nothing was sent then, and no retry will help.
    """
    try:
        descriptor = _open_without_links(part.path)
    except OSError as error:
        raise RecordError(
            f"file {part.name}: {_told(error)}; it was there when the run looked at it"
        ) from None
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and (status.st_size, status.st_mtime_ns) == (part.size, part.mtime_ns):
        return os.fdopen(descriptor, "rb", buffering=0)
    os.close(descriptor)
    raise RecordError(f"file {part.name}: {_CHANGED}")


def part_again(part: FilePart) -> FilePart | None:
    """The part by what its file is now; None where it is gone, or its bytes are others.

    Only a file of the same size and with another time of change is read through.
    """
    try:
        descriptor = _open_without_links(part.path)
    except OSError:
        return None
    status = os.fstat(descriptor)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        if not stat.S_ISREG(status.st_mode) or status.st_size != part.size:
            return None
        if status.st_mtime_ns == part.mtime_ns:
            return part
        try:
            sha256 = _read_through(file, status, part.name)
        except RecordError:
            return None
    return msgspec.structs.replace(part, mtime_ns=status.st_mtime_ns) if sha256 == part.sha256 else None


def stream_part(part: FilePart, chunk_bytes: int = _CHUNK_BYTES) -> Iterator[bytes]:
    """The bytes of a part's file, hashed again on the way; the last chunk waits until the hash is right.

    So a server never has the whole of a body that is not the one planned. Raises TransportError with
    sent="maybe" where the file is gone, changed or cannot be read on: a stream is asked for when the request
    is under way. Whoever wants to know before that calls `open_part` first, as a retry should.
    """
    try:
        file = open_part(part)
    except RecordError as error:
        raise TransportError(str(error), sent="maybe") from None
    digest = hashlib.sha256()
    held, size = b"", 0
    with file:
        while chunk := _read(file, chunk_bytes, part):
            digest.update(chunk)
            size += len(chunk)
            if size > part.size:
                break
            if held:
                yield held
            held = chunk
    if size != part.size or digest.digest() != part.sha256:
        raise TransportError(f"file {part.name}: {_CHANGED}", sent="maybe")
    if held:
        yield held


_CHANGED = "changed since the run looked at it; let it rest, and run again"


def _read(file: BinaryIO, size: int, part: FilePart) -> bytes:
    try:
        return file.read(size)
    except OSError as error:
        raise TransportError(f"file {part.name}: {_told(error)}", sent="maybe") from None


def _read_through(file: BinaryIO, status: os.stat_result, shown: str) -> bytes:
    """The SHA-256 of a file that stays as it is while it is read."""
    digest = hashlib.sha256()
    size = 0
    try:
        while size <= status.st_size and (chunk := file.read(_CHUNK_BYTES)):
            digest.update(chunk)
            size += len(chunk)
        after = os.fstat(file.fileno())
    except OSError as error:
        raise RecordError(f"file {shown}: {_told(error)}") from None
    if size != status.st_size or (after.st_size, after.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
        raise RecordError(f"file {shown}: changed while it was read; let it rest, and run again")
    return digest.digest()


def _open_without_links(path: str) -> int:
    """A descriptor of an absolute, resolved path of which no part has become a link since."""
    if _NO_LINKS_AT_ALL:  # macOS
        return os.open(path, _READ | _NO_LINKS_AT_ALL)
    if os.open not in os.supports_dir_fd:  # Windows
        return os.open(path, _READ)
    anchor, *folders, name = PurePath(path).parts
    folder = os.open(anchor, _FOLDER)
    try:
        for inner in folders:
            above, folder = folder, os.open(inner, _FOLDER, dir_fd=folder)
            os.close(above)
        return os.open(name, _READ, dir_fd=folder)
    finally:
        os.close(folder)


def _refuse_dots(path: PurePath, shown: str) -> None:
    hidden = next((part for part in path.parts if part.startswith(".")), None)
    if hidden is not None:
        raise RecordError(
            f"file {shown}: {_shown(hidden)} is hidden; dot-files and dot-folders are never sent"
        )


def _told(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def _shown(path_text: str) -> str:
    """A path from a record for a message: control characters escaped, long ones cut."""
    cut = path_text if len(path_text) <= _SHOWN_CHARACTERS else path_text[:_SHOWN_CHARACTERS] + "..."
    return ascii(cut) if not cut.isprintable() else repr(cut)
