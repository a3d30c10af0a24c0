"""URLs in canonical form: rendered once, by us, and checked in this one place.

Nothing here trusts an HTTP client to leave a URL alone. Tried: with `uploadId=".."`, httpx sends
`DELETE /v2/uploads/{uploadId}` as `DELETE /v2`, even after correct percent-encoding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TypeAlias

import msgspec

from haulier.errors import DestinationError
from haulier.model.expression import Expression, Reference, parse
from haulier.model.origin import canonical_origin, shown_url

__all__ = [
    "PathPiece",
    "PathValue",
    "QueryItem",
    "WrittenUrl",
    "check_rendered",
    "check_segment",
    "origin_of",
    "plain_url",
    "quote",
    "split_base",
    "split_written",
    "template_path",
]

_UNRESERVED = r"A-Za-z0-9._~\-"
_SUB_DELIMS = r"!$&'()*+,;="
_UNSAFE = re.compile(rf"[^{_UNRESERVED}]")
_ENCODED = re.compile(rf"[{_UNRESERVED}%]*")
_UNSAFE_BYTE = re.compile(rf"[^{_UNRESERVED}]".encode())
# https://www.rfc-editor.org/rfc/rfc3986#section-3.3 and 3.4: what stands in a path, and in a query, as it is.
_KEPT_IN_PATH = re.compile(rf"%[0-9A-Fa-f]{{2}}|[^{_UNRESERVED}{_SUB_DELIMS}:@/]")
_KEPT_IN_QUERY = re.compile(rf"%[0-9A-Fa-f]{{2}}|[^{_UNRESERVED}{_SUB_DELIMS}:@/?]")
_TARGET = re.compile(rf"[{_UNRESERVED}{_SUB_DELIMS}:@/?%]*")
_CODES = {chr(byte): f"%{byte:02X}" for byte in range(128)}
_BYTE_CODES = {bytes([byte]): b"%%%02X" % byte for byte in range(256)}

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_UNWRITABLE = re.compile(r"[\x00-\x20\x7f-\x9f\\\ud800-\udfff]")
# A server that decodes before it walks a path sees a dot segment between encoded slashes too (nginx does).
_DOTS = re.compile(r"(?:^|/|\\|%2f|%5c)((?:\.|%2e){1,2})(?:$|/|\\|%2f|%5c)", re.IGNORECASE)
_HEAD = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_NAME_IN_PATH = re.compile(r"\{([^{}]*)\}")


class PathValue(msgspec.Struct, frozen=True, gc=False):
    """What fills one path segment, or a part of one. name: as messages call it: `uploadId`, `{record.id}`."""

    name: str
    expression: Expression


class QueryItem(msgspec.Struct, frozen=True, gc=False):
    """One query parameter.

    expression None: the name alone, without `=`. required False: left out where an attribute is missing or
    null. written: name and text stand in URL form already, as a person wrote them; references are encoded.
    words: a boolean of a record stands as `true` or `false`, also where the service reads its own as digits.
    """

    name: str
    expression: Expression | None
    required: bool = True
    written: bool = False
    words: bool = False


# Text already in canonical form, or a value.
PathPiece: TypeAlias = str | PathValue


class WrittenUrl(msgspec.Struct, frozen=True, gc=False):
    """A URL that a person wrote, taken apart. path: begins with `/`."""

    origin: str
    path: tuple[PathPiece, ...]
    query: tuple[QueryItem, ...] = ()


def split_written(text: str, *, place: str = "request.url") -> WrittenUrl:
    """Take a written URL apart, with expressions in path and query only.

    DestinationError names place and value where scheme, host or port are not written out, it is not http(s),
    or it holds a user name, a fragment, a space, a control character, a backslash or a dot segment.
    """
    origin, rest = _split_head(parse(text, place=place), text, place)
    path, query = _split_at_mark(rest, "?")
    pieces = tuple(
        PathValue(str(part), Expression((part,), place)) if isinstance(part, Reference) else _keep_path(part)
        for part in path
    )
    _check_written_path(pieces, text, place)
    items = tuple(_query_item(pair, place) for pair in _split_all(query, "&") if pair)
    return WrittenUrl(origin, pieces or ("/",), items)


def split_base(text: str, *, place: str = "base_url") -> tuple[str, str]:
    """Origin and base path of a written base URL; the path is empty or begins, and never ends, with `/`."""
    url = split_written(text, place=place)
    path = "".join(piece for piece in url.path if isinstance(piece, str))
    if url.query or len(url.path) > 1 or not isinstance(url.path[0], str):
        raise DestinationError(
            f"{place}: {shown_url(text)} is where every call begins; write it without query and expressions"
        )
    return url.origin, path.rstrip("/")


def origin_of(url: str) -> str:
    """`scheme://host[:port]` of a URL, in canonical form; DestinationError where it has none."""
    head = _HEAD.match(url)
    return canonical_origin(head[0] if head else url, place="URL")


def template_path(path: str, values: Mapping[str, Expression], *, place: str) -> tuple[PathPiece, ...]:
    """The pieces of a template's path such as `/v2/uploads/{uploadId}`.

    DestinationError names a value that was not given.
    """
    pieces: list[PathPiece] = []
    at = 0
    for found in _NAME_IN_PATH.finditer(path):
        name = found[1]
        if name not in values:
            raise DestinationError(
                f"{place}: path parameter {name} of {path} is missing; write params.{name}"
            )
        pieces += [_keep_path(path[at : found.start()]), PathValue(name, values[name])]
        at = found.end()
    pieces.append(_keep_path(path[at:]))
    kept = tuple(piece for piece in pieces if piece != "")
    _check_written_path(kept, path, place)
    return kept


# -- percent-encoding ------------------------------------------------------------------------------


def quote(text: str) -> str:
    """Text as one path segment, or as name or value in a query: all but unreserved characters encoded.

    A space becomes `%20`, a `/` `%2F`. ValueError where the text holds half a surrogate pair.
    """
    # Most often only slashes and colons need it: replacing them is three times as quick as looking for all.
    likely = text.replace("%", "%25").replace("/", "%2F").replace(":", "%3A")
    if _ENCODED.fullmatch(likely):
        return likely
    if text.isascii():
        return _UNSAFE.sub(lambda found: _CODES[found[0]], text)
    return _UNSAFE_BYTE.sub(lambda found: _BYTE_CODES[found[0]], text.encode()).decode()


def _keep(text: str, kept: re.Pattern[str]) -> str:
    """Written text with what may stand, and valid `%XX`, kept; everything else encoded."""
    return kept.sub(lambda found: found[0].upper() if len(found[0]) == 3 else quote(found[0]), text)


def _keep_path(text: str) -> str:
    return _keep(text, _KEPT_IN_PATH)


# -- checks ----------------------------------------------------------------------------------------


def check_segment(text: str) -> str:
    """Why a text must not fill a path segment, or "" where it may.

    Refused are the empty text, `.` and `..` (also as `%2e`, also between slashes), backslashes and control
    characters.
    """
    if text.isalnum():
        return ""
    if not text:
        return "is empty"
    if found := _DOTS.search(text):
        return f"is `{text}`" if found[1] == text else f"holds the dot segment `{found[1]}`"
    if "\\" in text:
        return "holds a backslash"
    if found := _CONTROL.search(text):
        return f"holds the control character U+{ord(found[0]):04X}"
    return ""


def check_rendered(url: str, origin: str, base_path: str) -> str:
    """Why a rendered URL must not go out, or "" where it may.

    Scheme, host, port and base path must be those configured, the rest canonical and without a dot segment.
    """
    base = origin + base_path
    rest = url[len(base) :]
    if not url.startswith(base) or (rest and rest[0] not in "/?"):
        return f"leaves {base}"
    if _TARGET.fullmatch(rest) is None:
        return "holds a character that no URL may hold"
    path = rest.partition("?")[0]
    if ("." in path or "%2" in path) and (found := _DOTS.search(path)):
        return f"holds the dot segment `{found[1]}`"
    return ""


def _check_written_path(pieces: tuple[PathPiece, ...], text: str, place: str) -> None:
    # A value stands in as a letter: what values may be is checked when they are known.
    written = "".join(piece if isinstance(piece, str) else "v" for piece in pieces)
    for segment in filter(None, written.split("/")):
        if reason := check_segment(segment):
            raise DestinationError(
                f"{place}: a path segment of {shown_url(text)} {reason}; write the path out"
            )


# -- taking apart ----------------------------------------------------------------------------------

_Parts: TypeAlias = tuple[str | Reference, ...]


def _split_head(expression: Expression, text: str, place: str) -> tuple[str, _Parts]:
    """The canonical origin, and what comes after it."""
    for part in expression.parts:
        if isinstance(part, str) and (found := _UNWRITABLE.search(part)):
            shown = repr(found[0]) if found[0].isprintable() else f"U+{ord(found[0]):04X}"
            raise DestinationError(
                f"{place}: {shown_url(text)} holds {shown}; write it percent-encoded or leave it out"
            )
        if isinstance(part, str) and "#" in part:
            raise DestinationError(
                f"{place}: {shown_url(text)} has a fragment, which is never sent; "
                "leave it out, or write %23 for a #"
            )
    first = expression.parts[0] if expression.parts else ""
    if not isinstance(first, str) or (head := _HEAD.match(first)) is None:
        raise DestinationError(
            f"{place}: {shown_url(text)} is no http(s) URL; write https://HOST/PATH, "
            "with expressions in path and query only"
        )
    rest = first[head.end() :]
    if not rest and len(expression.parts) > 1:
        raise DestinationError(
            f"{place}: scheme, host and port of {shown_url(text)} must be written out; "
            "expressions stand in path and query only"
        )
    return canonical_origin(head[0], place=place), ((rest,) if rest else ()) + expression.parts[1:]


def _split_at_mark(parts: _Parts, mark: str) -> tuple[_Parts, _Parts]:
    """What stands before and after the first mark in written text."""
    for index, part in enumerate(parts):
        if isinstance(part, str) and mark in part:
            before, _, after = part.partition(mark)
            left, right = (before,) if before else (), (after,) if after else ()
            return parts[:index] + left, right + parts[index + 1 :]
    return parts, ()


def _split_all(parts: _Parts, mark: str) -> Iterator[_Parts]:
    while parts:
        before, parts = _split_at_mark(parts, mark)
        yield before


def _query_item(pair: _Parts, place: str) -> QueryItem:
    name, value = _split_at_mark(pair, "=")
    if any(isinstance(part, Reference) for part in name):
        shown = str(Expression(name, place))
        raise DestinationError(f"{place}: the name of query parameter {shown} must be written out")
    written = _keep("".join(str(part) for part in name), _KEPT_IN_QUERY)
    if not value and "=" not in "".join(part for part in pair if isinstance(part, str)):
        return QueryItem(written, None, written=True)
    kept = Expression(value, place).with_literals(lambda text: _keep(text, _KEPT_IN_QUERY))
    return QueryItem(written, kept, written=True)


@lru_cache(maxsize=64)
def plain_url(text: str, *, place: str = "url") -> str:
    """A written http(s) URL in canonical form; DestinationError where it is none, or holds an `{expression}`."""
    written = split_written(text, place=place)
    if not all(isinstance(piece, str) for piece in written.path) or any(
        item.expression is not None and not all(isinstance(part, str) for part in item.expression.parts)
        for item in written.query
    ):
        raise DestinationError(f"{place}: no record fills this address; write it without expressions")
    pairs = [
        item.name if item.expression is None else f"{item.name}={''.join(map(str, item.expression.parts))}"
        for item in written.query
    ]
    return written.origin + "".join(map(str, written.path)) + (f"?{'&'.join(pairs)}" if pairs else "")
