"""`bytes`: one attribute, or one file, is the whole body."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from haulier.errors import DestinationError, RecordError
from haulier.model.media_type import MediaType, is_media_type
from haulier.model.parts import ContentEncoder, Payload
from haulier.model.request import Body, FilePart
from haulier.pipeline.encoding.media import MediaSettings, media_type_field
from haulier.pipeline.encoding.values import opened, utf8

__all__ = ["BYTES", "BytesSettings", "decoded", "encode"]

_BINARY = "application/octet-stream"
_SPACES = b" \t\r\n"


class BytesSettings(MediaSettings):
    """Settings of `bytes`."""

    attribute: str = Field(
        default="",
        description="the attribute that is the body; empty: the only one there is, or the only file",
    )
    encoding: Literal["text", "base64"] = Field(
        default="text", description="how the attribute holds it. `text`: sent as UTF-8; `base64`: decoded"
    )
    media_type: MediaType = media_type_field(_BINARY)


def encode(payload: Payload, settings: BytesSettings) -> Body:
    """The one value as it is: a file, bytes, text as UTF-8, or base64 text decoded.

    Raises RecordError where the value is missing, is no text, or no base64.
    """
    payload = opened(payload, "")
    if not isinstance(payload, Mapping):
        raise DestinationError(
            "content format bytes carries one value of one record, but the payload is "
            f"a {type(payload).__name__}: turn batching off, or choose another content format"
        )
    name = settings.attribute or _only(payload)
    if name not in payload:
        raise RecordError(f"has no attribute {name!r}, which `format_settings.attribute` names as the body")
    value = opened(payload[name], name)
    if isinstance(value, FilePart):
        own = settings.media_type == _BINARY and is_media_type(value.media_type)
        return Body(parts=(value,), media_type=value.media_type if own else settings.media_type)
    return Body(parts=(_data(value, payload[name], name, settings),), media_type=settings.media_type)


def _only(payload: Mapping[str, Any]) -> str:
    files = [name for name, value in payload.items() if isinstance(value, FilePart | bytes)]
    names = files or list(payload)
    if len(names) != 1:
        held = ", ".join(map(repr, names)) or "nothing"
        raise RecordError(
            f"one attribute is the body, but there is {held}: name it in `format_settings.attribute`"
        )
    return names[0]


def _data(value: Any, written: Any, name: str, settings: BytesSettings) -> bytes:
    if isinstance(value, bytes):
        return value
    # A number arrives as its own text, which is not what was meant by text.
    if not isinstance(value, str) or (not isinstance(written, str) and not bytes(written).startswith(b'"')):
        raise RecordError(
            f"attribute {name!r} is no text, so it cannot be the body: choose content format text or json"
        )
    return decoded(value, name) if settings.encoding == "base64" else utf8(value, name)


def decoded(text: str, attribute: str) -> bytes:
    """What base64 text says, white space in it aside; RecordError naming the attribute where it is none."""
    try:
        return binascii.a2b_base64(utf8(text, attribute).translate(None, _SPACES), strict_mode=True)
    except binascii.Error as error:
        raise RecordError(
            f"attribute {attribute!r} is no base64 text ({error}): write it in the standard alphabet, "
            "with padding, without a `data:` prefix"
        ) from error


BYTES = ContentEncoder(
    name="bytes",
    title="Bytes",
    description="One attribute (text, or base64 text) or one file is the whole body.",
    media_type=_BINARY,
    encode=encode,
    settings=BytesSettings,
    files=True,
    needs="members",
    anywhere=True,
)
