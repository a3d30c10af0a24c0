"""`json-lines`: a batch as one JSON text a line."""

from __future__ import annotations

import msgspec

from haulier.authoring import Body, ConfigurationError, ContentEncoder, NoSettings, Payload

__all__ = ["JSON_LINES"]


def _encode(payload: Payload, _settings: NoSettings) -> Body:
    """The same bytes for the same payload, always. A record may arrive as `msgspec.Raw`: its text as read."""
    if not isinstance(payload, list):
        raise ConfigurationError("json-lines carries a list of records; write batching: {grouping: array}")
    text = b"".join(msgspec.json.encode(record) + b"\n" for record in payload)
    return Body(parts=(text,), media_type="application/x-ndjson")


JSON_LINES = ContentEncoder(
    name="json-lines",
    title="JSON lines",
    description="One JSON text a line, one line a record.",
    media_type="application/x-ndjson",
    encode=_encode,
    carries_batches=True,
    needs="opaque",
)
