"""`ndjson`: a JSON text a line, https://github.com/ndjson/ndjson-spec; untouched records stay as they were read."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from haulier.errors import DestinationError, RecordError
from haulier.model.media_type import TextMediaType
from haulier.model.parts import ContentEncoder, Payload
from haulier.model.request import Body
from haulier.model.written_number import number_text
from haulier.pipeline.encoding.json import json_text, refuse_unsayable
from haulier.pipeline.encoding.media import MediaSettings, media_type_field

__all__ = ["NDJSON", "NdjsonSettings", "encode"]

_MEDIA_TYPE = "application/x-ndjson"
_elements = msgspec.json.Decoder(list[Raw]).decode
_encode_lines = msgspec.json.Encoder(enc_hook=number_text).encode_lines


class NdjsonSettings(MediaSettings):
    """Settings of `ndjson`."""

    media_type: TextMediaType = media_type_field(_MEDIA_TYPE)


def encode(payload: Payload, settings: NdjsonSettings) -> Body:
    """A line for each element of a list, or the one line of anything else; each ends in a line feed.

    Raises RecordError where a value has no JSON text, DestinationError where there is no line at all.
    """
    if type(payload) is Raw and bytes(payload).startswith(b"["):
        payload = _elements(payload)
    lines = list(payload) if isinstance(payload, list | tuple) else [payload]
    if not lines:
        raise DestinationError(
            "content format ndjson writes a line for each record, but the payload is an empty list"
        )
    if set(map(type, lines)) != {Raw}:
        refuse_unsayable(lines)
    try:
        text = _encode_lines(lines)
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordError(f"a record cannot be written as JSON: {error}") from error
    # Inside of JSON a line break can only stand between values, never in a text: such records are set on one line.
    if text.count(b"\n") != len(lines):
        text = b"".join(msgspec.json.format(json_text(line, ""), indent=-1) + b"\n" for line in lines)
    return Body(parts=(text,), media_type=settings.media_type)


NDJSON = ContentEncoder(
    name="ndjson",
    title="JSON lines",
    description=(
        "One JSON text a line: of a batch a line for each record. Nested values, big integers and the text of "
        "untouched records stay."
    ),
    media_type=_MEDIA_TYPE,
    encode=encode,
    settings=NdjsonSettings,
    carries_batches=True,
    needs="opaque",
    charset="utf-8",
    anywhere=True,
)
