"""`multipart`: multipart/form-data, the way files are uploaded. Files are named, never read here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, TypeAlias

from msgspec import Raw
from pydantic import Field

from haulier.errors import RecordError
from haulier.model.media_type import MediaType, is_media_type
from haulier.model.parts import ContentEncoder, Payload, Settings
from haulier.model.request import Body, FilePart
from haulier.pipeline.encoding.fields import FieldSettings, Leaf, fields_of
from haulier.pipeline.encoding.json import json_text
from haulier.pipeline.encoding.raw import decoded
from haulier.pipeline.encoding.values import utf8

__all__ = ["MULTIPART", "Base64File", "MultipartSettings", "encode"]

_BINARY = "application/octet-stream"

# One part: its head, and what follows it.
_Part: TypeAlias = "tuple[bytes, bytes | FilePart]"


class Base64File(Settings):
    """What the service is told of a file that stands in a record as base64 text."""

    filename: str = Field(default="", description="the file name sent; the attribute's name where empty")
    media_type: MediaType = Field(default=_BINARY, description="the media type sent, such as `image/png`")


class MultipartSettings(FieldSettings):
    """Settings of `multipart`."""

    base64: Mapping[str, Base64File] = Field(
        default_factory=dict,
        description=(
            "attributes that hold a file as base64 text, each sent as a file part: "
            "`base64: {image: {filename: beach.png, media_type: image/png}}`, or `{image: {}}`"
        ),
    )
    json_part: str = Field(
        default="",
        description=(
            "name of one part that carries all attributes but files as one JSON object; "
            "empty: a part for each attribute"
        ),
    )


def encode(payload: Payload, settings: MultipartSettings) -> Body:
    """One part per field, in order: text, or a file (FilePart, bytes, base64 text named in the settings).

    The boundary follows from everything inside, so the same payload gives the same bytes. Raises RecordError
    where base64 text or a media type is broken, or a value is nested and the settings say nothing of that.
    """
    parts: list[_Part] = []
    if settings.json_part and isinstance(payload, Mapping):
        files = {name: value for name, value in payload.items() if _is_file(name, value, settings)}
        parts.append(_json_part(payload, files, settings.json_part))
        payload = files
    parts += [_part(name, leaf, settings) for name, leaf in fields_of(payload, settings, "multipart")]
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


def _is_file(name: str, value: Any, settings: MultipartSettings) -> bool:
    several = isinstance(value, list | tuple) and bool(value)
    return name in settings.base64 or all(
        isinstance(one, FilePart | bytes) for one in (value if several else (value,))
    )


def _json_part(payload: Mapping[str, Any], files: Mapping[str, Any], name: str) -> _Part:
    """One part with all that is no file."""
    if name in files:
        raise RecordError(f"attribute {name!r} is a file and `json_part` has the same name: choose another")
    rest = {key: value for key, value in payload.items() if key not in files}
    return _part(name, Raw(json_text(rest, name)), MultipartSettings())


def _part(name: str, leaf: Leaf, settings: MultipartSettings) -> _Part:
    head = b'Content-Disposition: form-data; name="' + _quoted(name, name) + b'"'
    if isinstance(leaf, str):
        if (file := settings.base64.get(name)) is None:
            return head, utf8(leaf, name)
        return _file_head(head, name, file.filename or name, file.media_type), decoded(leaf, name)
    if isinstance(leaf, Raw):
        # https://spec.openapis.org/oas/v3.0.3#special-considerations-for-multipart-content
        return head + b"\r\nContent-Type: application/json", bytes(leaf)
    if isinstance(leaf, FilePart):
        return _file_head(head, name, leaf.name, leaf.media_type), leaf
    return _file_head(head, name, name, _BINARY), leaf


def _file_head(head: bytes, name: str, filename: str, media_type: str) -> bytes:
    if not is_media_type(media_type):
        raise RecordError(f"attribute {name!r}: the media type {media_type!r} of its file is none: mend it")
    return head + b'; filename="' + _quoted(filename, name) + b'"\r\nContent-Type: ' + media_type.encode()


def _quoted(text: str, attribute: str) -> bytes:
    # https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
    # Unlike a browser's form, line ends are not made CRLF first: what a record says is sent as it says it.
    return utf8(text, attribute).replace(b"\n", b"%0A").replace(b"\r", b"%0D").replace(b'"', b"%22")


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
    needs="members",
    charset="utf-8",
    anywhere=True,
)
