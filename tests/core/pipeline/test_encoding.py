"""Every content encoder of the core, and what is said of the bodies they make."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import pytest

from haulier.errors import DestinationError
from haulier.model.parts import ContentEncoder
from haulier.model.request import Body, FilePart
from haulier.pipeline.encoding import Packed, digest_of, gzipped, length_of, packed
from haulier.pipeline.encoding.formats import encoders

ENCODERS = {encoder.name: encoder for encoder in encoders()}
BEACH = FilePart(
    path="/pictures/beach.jpg", name="beach.jpg", size=5, mtime_ns=1, sha256=sha256(b"beach").digest()
)


def test_encoders_come_sorted_by_name_and_say_what_they_can_carry() -> None:
    assert [(e.name, e.media_type, e.needs, e.carries_batches, e.files) for e in encoders()] == [
        ("bytes", "application/octet-stream", "members", False, True),
        ("csv", "text/csv; charset=utf-8", "members", True, False),
        ("form", "application/x-www-form-urlencoded", "members", False, False),
        ("json", "application/json", "opaque", True, False),
        ("multipart", "multipart/form-data", "members", False, True),
        ("ndjson", "application/x-ndjson", "opaque", True, False),
        ("none", "", "values", False, False),
        ("text", "text/plain; charset=utf-8", "members", True, False),
        ("xml", "application/xml", "members", True, False),
    ]


@pytest.mark.parametrize("encoder", encoders(), ids=lambda encoder: encoder.name)
def test_every_setting_and_every_encoder_is_described(encoder: ContentEncoder) -> None:
    """The reference pages are generated from these words."""
    assert encoder.title
    assert encoder.description.endswith(".")
    assert all(field.description for field in encoder.settings.model_fields.values())


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("json", {"title": "Ævar", "n": 1.5, "list": [1, {"a": None}]}),
        ("form", {"title": "Ævar", "n": 1.5, "ok": True}),
        ("multipart", {"title": "Ævar", "n": 1.5, "image": BEACH}),
        ("none", {}),
    ],
)
def test_the_same_payload_gives_the_same_body_always(name: str, payload: Mapping[str, Any]) -> None:
    encoder = ENCODERS[name]
    assert encoder.encode(payload, encoder.settings()) == encoder.encode(dict(payload), encoder.settings())


@pytest.mark.parametrize("payload", [None, {}, []])
def test_none_has_neither_body_nor_media_type(payload: Any) -> None:
    assert ENCODERS["none"].encode(payload, ENCODERS["none"].settings()) == Body(parts=(), media_type="")


def test_none_refuses_a_payload_it_would_lose() -> None:
    with pytest.raises(DestinationError) as refused:
        ENCODERS["none"].encode({"sku": 1, "title": "x"}, ENCODERS["none"].settings())
    assert str(refused.value) == (
        "content format none sends no body, but the payload holds 'sku', 'title': "
        "choose content format json, form or multipart, or keep the attributes out with `exclude`"
    )


@pytest.mark.parametrize("name", ["form", "multipart"])
def test_formats_of_one_record_refuse_a_batch(name: str) -> None:
    with pytest.raises(DestinationError, match=f"content format {name} carries .* turn batching off"):
        ENCODERS[name].encode([{"a": 1}], ENCODERS[name].settings())


def test_length_and_digest_of_a_body_without_files_are_those_of_its_bytes() -> None:
    body = Body(parts=(b"a=1",), media_type="application/x-www-form-urlencoded")
    assert (length_of(body), digest_of(body)) == (3, sha256(b"a=1").digest())
    assert (length_of(Body()), digest_of(Body())) == (0, sha256(b"").digest())


def test_length_and_digest_of_a_body_with_files_need_no_file() -> None:
    """The file of this part does not exist: its size and hash stand for it."""
    body = Body(parts=(b"head", BEACH, b"tail"), media_type="multipart/form-data; boundary=x")
    assert length_of(body) == 4 + 5 + 4
    assert digest_of(body) == sha256(b"head" + BEACH.sha256 + b"tail").digest()


@pytest.mark.parametrize("parts", [(b"ab",), (b"a", b"b"), (b"",), ()])
def test_whatever_parts_a_body_without_files_has_all_of_it_is_compressed(parts: tuple[bytes, ...]) -> None:
    """The header Content-Encoding stands at every request; what it says must be so."""
    body = packed(Body(parts=parts, media_type="text/x"), gzipped)
    assert isinstance(body.content, bytes)
    assert (gzip.decompress(body.content), body.length, body.sha256, body.media_type) == (
        b"".join(parts),
        len(body.content),
        sha256(body.content).digest(),
        "text/x",
    )


def test_a_body_with_files_goes_out_as_it_is() -> None:
    body = Body(parts=(b"head", BEACH), media_type="multipart/form-data; boundary=x")
    assert (
        packed(body, gzipped) == packed(body, None) == Packed(body.parts, 9, digest_of(body), body.media_type)
    )
