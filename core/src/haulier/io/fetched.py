"""What files named by URL come to, in values: the URL in wire form, and the part. What fetches them is `fetching`."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TypeAlias
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

import msgspec

from haulier.errors import RecordError, TransportError
from haulier.io.files import media_type_of
from haulier.model.request import FilePart

__all__ = ["Fetched", "Wanted", "checked_url", "name_of", "shown_url", "unfetched_part", "why_unread"]

_MOST_SHOWN = 120
_MOST_NAME = 200
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # of one letter: a drive
# What may stand in a request target, `%` included: what is written in wire form stays as it is.
_TARGET = "!$%&'()*+,/:;=?@[]~"

# A part, or why there is none: RecordError for good, TransportError perhaps later.
Fetched: TypeAlias = FilePart | RecordError | TransportError


class Wanted(msgspec.Struct, frozen=True):
    """A file to be fetched, and the name, in the fetcher's folder, of the file that keeps it."""

    url: str
    name: str


def unfetched_part(url: str) -> FilePart:
    """What stands for a file that a preview does not fetch: its path is empty. RecordError where none could be."""
    name = name_of(checked_url(url))
    return FilePart(path="", name=name, size=0, mtime_ns=0, sha256=bytes(32), media_type=media_type_of(name))


def checked_url(text: str, base: str = "") -> SplitResult:
    """A URL of a record, or of a redirect of `base`, in wire form, without its fragment.

    Raises RecordError where it is not fetched.
    """
    if any(character <= " " or character in "\x7f\\" for character in text):
        raise RecordError(f"URL {_cut(text)}: holds a space, a backslash or a control character: encode it")
    try:
        url = urlsplit(urljoin(base, text))
        port = url.port
        host = (url.hostname or "").encode("idna").decode()
        path, query = (quote(part, safe=_TARGET) for part in (url.path, url.query))
    except (UnicodeError, ValueError):
        raise RecordError(f"URL {_cut(text)}: is none that can be fetched; check its host and port") from None
    if url.scheme not in ("http", "https") or not host:
        raise RecordError(f"URL {_cut(text)}: only http(s) URLs with a host are fetched")
    if url.username is not None or url.password is not None:
        raise RecordError(f"URL at {host}: holds a user name or password, which are not sent; leave them out")
    shown = f"[{host}]" if ":" in host else host
    return SplitResult(url.scheme, f"{shown}:{port}" if port is not None else shown, path, query, "")


def why_unread(text: str) -> str:
    """Why what a record says, no http(s) URL, is neither fetched nor, without a `files_root`, read."""
    if not text.strip():
        return f"{_cut(text)} is empty, no URL of a file"
    if _SCHEME.match(text):
        return f"{_cut(text)} is no http(s) URL; no other ones are fetched"
    return f"{_cut(text)} is no http(s) URL; to have it read as the path of a file, write `files_root`"


def name_of(url: SplitResult) -> str:
    """The last part of a path, as a file's name for the service."""
    name = unquote(PurePosixPath(url.path).name, errors="replace")
    return "".join(character for character in name if character.isprintable())[:_MOST_NAME] or "file"


def shown_url(url: SplitResult) -> str:
    """A URL for a message: its query may hold a secret."""
    text = f"{url.scheme}://{url.netloc}{url.path}"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _cut(text: str) -> str:
    return ascii(text.partition("?")[0].rpartition("@")[2][:_MOST_SHOWN])
