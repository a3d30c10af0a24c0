"""`multipart`: multipart/form-data, the way files are uploaded. Files are named, never read here."""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TypeAlias

from msgspec import Raw
from pydantic import Field

from haulier.errors import RecordError
from haulier.model.parts import ContentEncoder, Payload, Settings
from haulier.model.request import Body, FilePart
from haulier.pipeline.encoding.fields import FieldSettings, Leaf, fields_of, utf8

__all__ = ["MULTIPART", "Base64File", "MultipartSettings", "encode"]

_BINARY = "application/octet-stream"
_MEDIA_TYPE_PATTERN = r"[a-zA-Z0-9_.+-]+/[a-zA-Z0-9_.+-]+(; ?[a-zA-Z0-9_.+-]+=[a-zA-Z0-9_.+-]+)*"
_is_media_type = re.compile(_MEDIA_TYPE_PATTERN).fullmatch
_SPACES = b" \t\r\n"

# One part: its head, and what follows it.
_Part: TypeAlias = "tuple[bytes, bytes | FilePart]"


class Base64File(Settings):
    """What the service is told of a file that stands in a record as base64 text."""

    filename: str = Field(default="", description="the file name sent; the attribute's name where empty")
    media_type: str = Field(
        default=_BINARY,
        pattern=f"^{_MEDIA_TYPE_PATTERN}$",
        description="the media type sent, such as `image/png`",
    )


class MultipartSettings(FieldSettings):
    """Settings of `multipart`."""

    base64: Mapping[str, Base64File] = Field(
        default_factory=dict,
        description=(
            "attributes that hold a file as base64 text, each sent as a file part: "
            "`base64: {image: {filename: beach.png, media_type: image/png}}`, or `{image: {}}`"
        ),
    )


def encode(payload: Payload, settings: MultipartSettings) -> Body:
    """One part per field, in order: text, or a file (FilePart, bytes, base64 text named in the settings).

    The boundary follows from everything inside, so the same payload gives the same bytes. Raises RecordError
    where base64 text or a media type is broken, or a value is nested and the settings say nothing of that.
    """
    parts = [_part(name, leaf, settings) for name, leaf in fields_of(payload, settings, "multipart")]
    boundary = _boundary(parts)
    line = b"--" + boundary
    pieces: list[bytes | FilePart] = []
    text = bytearray()
    for head, content in parts:
        text += line + b"\r\n" + head + b"\r\n\r\n"
        if isinstance(content, FilePart):
            pieces += (bytes(text), content)
            text.clear()
        else:
            text += content
        text += b"\r\n"
    pieces.append(bytes(text + line + b"--\r\n"))
    return Body(parts=tuple(pieces), media_type=f"multipart/form-data; boundary={boundary.decode()}")


def _part(name: str, leaf: Leaf, settings: MultipartSettings) -> _Part:
    head = b'Content-Disposition: form-data; name="' + _quoted(name, name) + b'"'
    if isinstance(leaf, str):
        if (file := settings.base64.get(name)) is None:
            return head, utf8(leaf, name)
        return _file_head(head, name, file.filename or name, file.media_type), _decoded(leaf, name)
    if isinstance(leaf, Raw):
        # https://spec.openapis.org/oas/v3.0.3#special-considerations-for-multipart-content
        return head + b"\r\nContent-Type: application/json", bytes(leaf)
    if isinstance(leaf, FilePart):
        return _file_head(head, name, leaf.name, leaf.media_type), leaf
    return _file_head(head, name, name, _BINARY), leaf


def _file_head(head: bytes, name: str, filename: str, media_type: str) -> bytes:
    if not _is_media_type(media_type):
        raise RecordError(f"attribute {name!r}: the media type {media_type!r} of its file is none: mend it")
    return head + b'; filename="' + _quoted(filename, name) + b'"\r\nContent-Type: ' + media_type.encode()


def _quoted(text: str, attribute: str) -> bytes:
    # https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
    # Unlike a browser's form, line ends are not made CRLF first: what a record says is sent as it says it.
    return utf8(text, attribute).replace(b"\n", b"%0A").replace(b"\r", b"%0D").replace(b'"', b"%22")


def _decoded(text: str, attribute: str) -> bytes:
    try:
        return binascii.a2b_base64(utf8(text, attribute).translate(None, _SPACES), strict_mode=True)
    except binascii.Error as error:
        raise RecordError(
            f"attribute {attribute!r} is no base64 text ({error}): write it in the standard alphabet, "
            "with padding, without a `data:` prefix"
        ) from error


def _boundary(parts: Sequence[_Part]) -> bytes:
    """A line that no part of the body holds, made from all of them: heads, contents, and the hashes of files.

    A file is not searched: to hold a line made from its own hash, it would have to break SHA-256.
    """
    whole = sha256()
    for head, content in parts:
        data = content.sha256 if isinstance(content, FilePart) else content
        whole.update(b"%d %d " % (len(head), len(data)) + head)
        whole.update(data)
    while True:
        boundary = b"haulier-" + whole.hexdigest()[:40].encode()
        if not any(boundary in piece for part in parts for piece in part if isinstance(piece, bytes)):
            return boundary
        whole.update(b"again")


MULTIPART = ContentEncoder(
    name="multipart",
    title="Multipart form",
    description="Fields and files of one record, each a part of its own. Files of any size are streamed.",
    media_type="multipart/form-data",
    encode=encode,
    settings=MultipartSettings,
    files=True,
)
