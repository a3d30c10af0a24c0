"""`form`: application/x-www-form-urlencoded, as browsers write it."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Raw

from haulier.errors import RecordError
from haulier.model.parts import ContentEncoder, Payload
from haulier.model.request import Body, FilePart
from haulier.pipeline.encoding.fields import FieldSettings, Leaf, fields_of
from haulier.pipeline.encoding.values import utf8

__all__ = ["FORM", "FormSettings", "encode"]

_MEDIA_TYPE = "application/x-www-form-urlencoded"
# https://url.spec.whatwg.org/#application-x-www-form-urlencoded-percent-encode-set
_KEPT = b"*-._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class FormSettings(FieldSettings):
    """Settings of `form`."""


def encode(payload: Payload, settings: FormSettings) -> Body:
    """Pairs name=value in the payload's order.

    Raises RecordError where a value is a file, or nested and the settings say nothing of that.
    """
    pairs = [_name(name) + _value(leaf, name) for name, leaf in fields_of(payload, settings, "form")]
    return Body(parts=(b"&".join(pairs),), media_type=_MEDIA_TYPE)


@lru_cache(maxsize=1024)
def _name(name: str) -> bytes:
    return _escaped(utf8(name, name)) + b"="


def _value(leaf: Leaf, name: str) -> bytes:
    if isinstance(leaf, str):
        return _escaped(utf8(leaf, name))
    if isinstance(leaf, Raw):
        return _escaped(bytes(leaf))
    what = f"the file {leaf.name}" if isinstance(leaf, FilePart) else "bytes"

    raise RecordError(
        f"attribute {name!r} is {what}: form cannot carry a file; use multipart or a base64 parameter"
    )


def _escaped(data: bytes) -> bytes:
    """All but the kept bytes as %XX, a space as `+`; by whole replacements, for base64 runs to megabytes."""
    unsafe = set(data.translate(None, _KEPT))
    if not unsafe:
        return data
    # The percent sign first and the space last, so that nothing is escaped twice.
    if 0x25 in unsafe:
        data = data.replace(b"%", b"%25")
    for code in unsafe - {0x20, 0x25}:
        data = data.replace(bytes((code,)), b"%%%02X" % code)
    return data.replace(b" ", b"+")


FORM = ContentEncoder(
    name="form",
    title="URL-encoded form",
    description="Pairs name=value of one record, as a browser sends them. Nested values by choice only.",
    media_type=_MEDIA_TYPE,
    encode=encode,
    settings=FormSettings,
    needs="members",
    anywhere=True,
)
