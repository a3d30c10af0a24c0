"""`multipart` gives back, through parsers that are not ours, every field and file it was given."""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode, encodebytes
from email import message_from_bytes
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from pydantic import ValidationError
from python_multipart.multipart import MultipartParser

from haulier.errors import RecordError
from haulier.model.request import Body, FilePart
from haulier.pipeline.encoding import digest_of, length_of
from haulier.pipeline.encoding.multipart import MULTIPART, MultipartSettings, _boundary

texts = st.text(st.characters(exclude_categories=["Cs"]))
# name, file name, media type, content
Part = tuple[str, str | None, str | None, bytes]
DISPOSITION = re.compile(rb'form-data; name="([^"\r\n]*)"(?:; filename="([^"\r\n]*)")?')


def file_part(path: Path, **more: Any) -> FilePart:
    data = path.read_bytes()
    return FilePart(
        path=str(path),
        **{"name": path.name, "size": len(data), "mtime_ns": 1, "sha256": sha256(data).digest(), **more},
    )


def on_the_wire(body: Body) -> bytes:
    return b"".join(Path(p.path).read_bytes() if isinstance(p, FilePart) else p for p in body.parts)


def parsed(body: Body) -> list[Part]:
    """The parts as python-multipart reads them."""
    headers: list[dict[bytes, bytes]] = []
    names: list[bytes] = []
    contents: list[bytearray] = []

    def on_part_begin() -> None:
        headers.append({})
        contents.append(bytearray())

    def on_header_begin() -> None:
        names.append(b"")

    def on_header_field(data: bytes, start: int, end: int) -> None:
        names[-1] += data[start:end]

    def on_header_value(data: bytes, start: int, end: int) -> None:
        headers[-1][names[-1]] = headers[-1].get(names[-1], b"") + data[start:end]

    def on_part_data(data: bytes, start: int, end: int) -> None:
        contents[-1] += data[start:end]

    ended: list[bool] = []
    parser = MultipartParser(
        body.media_type.removeprefix("multipart/form-data; boundary="),
        {
            "on_part_begin": on_part_begin,
            "on_header_begin": on_header_begin,
            "on_header_field": on_header_field,
            "on_header_value": on_header_value,
            "on_part_data": on_part_data,
            "on_end": lambda: ended.append(True),
        },
    )
    parser.write(on_the_wire(body))
    parser.finalize()
    assert ended == [True]
    return [_part(head, bytes(content)) for head, content in zip(headers, contents, strict=True)]


def _part(head: dict[bytes, bytes], content: bytes) -> Part:
    found = DISPOSITION.fullmatch(head.pop(b"Content-Disposition"))
    assert found
    media_type = head.pop(b"Content-Type", None)
    assert head == {}
    name, filename = found.groups()
    return (
        name.decode(),
        None if filename is None else filename.decode(),
        None if media_type is None else media_type.decode(),
        content,
    )


def escaped(name: str) -> str:
    """https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data"""
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def encode(payload: Any, **settings: Any) -> Body:
    return MULTIPART.encode(payload, MultipartSettings(**settings))


def refusal(payload: Any, **settings: Any) -> str:
    with pytest.raises(RecordError) as refused:
        encode(payload, **settings)
    return str(refused.value)


@settings(deadline=None)
@given(st.dictionaries(texts, texts | st.binary(), min_size=1))
def test_any_text_and_bytes_come_back_in_order(payload: dict[str, str | bytes]) -> None:
    assert parsed(encode(payload)) == [
        (escaped(name), None, None, value.encode())
        if isinstance(value, str)
        else (escaped(name), escaped(name), "application/octet-stream", value)
        for name, value in payload.items()
    ]


@settings(deadline=None)
@given(texts, texts, st.binary(max_size=40))
def test_no_name_or_file_name_adds_a_header_or_a_part(name: str, filename: str, extra: bytes) -> None:
    """Quotes, line ends and half-made parts in names stay inside them."""
    trap = f'{filename}"\r\nX-Evil: 1\r\n\r\n--haulier-'
    settings = {"base64": {name: {"filename": trap, "media_type": "image/png"}}}
    body = encode({name: b64encode(extra).decode()}, **settings)
    assert parsed(body) == [(escaped(name), escaped(trap), "image/png", extra)]


def test_scalars_are_text_fields_as_in_a_form() -> None:
    payload = {"i": 10**30, "f": Raw(b"1.10"), "t": True, "n": None, "s": "a\r\nb\nc"}
    assert parsed(encode(payload, booleans="digits", null="empty")) == [
        ("i", None, None, b"1" + b"0" * 30),
        ("f", None, None, b"1.10"),
        ("t", None, None, b"1"),
        ("n", None, None, b""),
        ("s", None, None, b"a\r\nb\nc"),
    ]


def test_the_bytes_of_a_body_are_these(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"PNG")
    part = file_part(tmp_path / "x.png", media_type="image/png")
    body = encode({"title": "A", "image": part, "more": "B"})
    boundary = body.media_type.removeprefix("multipart/form-data; boundary=")
    assert re.fullmatch("haulier-[0-9a-f]{40}", boundary)
    assert body.parts == (
        f'--{boundary}\r\nContent-Disposition: form-data; name="title"\r\n\r\nA\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\n'
        "Content-Type: image/png\r\n\r\n".encode(),
        part,
        f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="more"\r\n\r\nB\r\n'
        f"--{boundary}--\r\n".encode(),
    )
    assert length_of(body) == len(on_the_wire(body))


def test_several_files_stand_in_order_also_under_one_name(tmp_path: Path) -> None:
    for name in ("a.bin", "b.bin", "c.bin"):
        (tmp_path / name).write_bytes(name.encode() * 3)
    a, b, c = (file_part(tmp_path / name) for name in ("a.bin", "b.bin", "c.bin"))
    body = encode({"images": [a, b], "mask": c})
    assert [part for part in body.parts if isinstance(part, FilePart)] == [a, b, c]
    assert parsed(body) == [
        ("images", "a.bin", "application/octet-stream", b"a.bin" * 3),
        ("images", "b.bin", "application/octet-stream", b"b.bin" * 3),
        ("mask", "c.bin", "application/octet-stream", b"c.bin" * 3),
    ]


def test_the_boundary_depends_on_names_values_and_file_hashes_only(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"one")
    part = file_part(tmp_path / "x")
    moved = file_part(tmp_path / "x", mtime_ns=9)
    changed = file_part(tmp_path / "x", sha256=sha256(b"two").digest())
    kinds = [
        encode({"image": part, "a": "1"}),
        encode({"image": changed, "a": "1"}),
        encode({"image": part, "a": "2"}),
    ]
    assert encode({"image": moved, "a": "1"}).media_type == kinds[0].media_type
    assert len({body.media_type for body in kinds}) == 3
    assert len({digest_of(body) for body in kinds}) == 3


def test_a_boundary_that_stands_in_a_part_is_not_taken() -> None:
    """Nobody can write such a text, so the parts are handed over with their first choice added afterwards."""
    first = _boundary([(b"head", b"text")])

    class Trap(bytes):
        """Hashes as `text`, and holds the boundary made from it."""

        def __contains__(self, wanted: Any) -> bool:
            return wanted == first

    second = _boundary([(b"head", Trap(b"text"))])
    assert second != first
    assert second == _boundary([(b"head", Trap(b"text"))])


def test_base64_text_becomes_a_file_part() -> None:
    data = bytes(range(256)) * 3
    settings = {"base64": {"image": {"filename": "beach.png", "media_type": "image/png"}, "mask": {}}}
    payload = {"image": encodebytes(data).decode(), "mask": b64encode(b"m").decode(), "title": "A"}
    assert parsed(encode(payload, **settings)) == [
        ("image", "beach.png", "image/png", data),
        ("mask", "mask", "application/octet-stream", b"m"),
        ("title", None, None, b"A"),
    ]


@pytest.mark.parametrize("text", ["AAA", "A===", "AA=A", "é", "data:image/png;base64,AAAA", "AAAA!", "_-AA"])
def test_broken_base64_names_its_attribute_and_not_its_text(text: str) -> None:
    message = refusal({"image": text}, base64={"image": {}})
    assert re.fullmatch(
        r"attribute 'image' is no base64 text \(.*\): write it in the standard alphabet, with padding, "
        r"without a `data:` prefix",
        message,
    )
    assert text not in message.removesuffix("without a `data:` prefix")


def test_nested_values_are_refused_or_sent_by_choice() -> None:
    payload = {"a": {"b": [1, Raw(b"1.10")]}}
    assert refusal(payload).startswith(
        "attribute 'a' is an object, for which multipart has no form of its own"
    )
    ((name, filename, media_type, content),) = parsed(encode(payload, nested="json"))
    assert (name, filename, media_type, json.loads(content)) == (
        "a",
        None,
        "application/json",
        {"b": [1, 1.1]},
    )
    assert [(part[0], part[3]) for part in parsed(encode(payload, nested="bracket"))] == [
        ("a[b][0]", b"1"),
        ("a[b][1]", b"1.10"),
    ]


def test_one_json_part_may_carry_all_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"\x89PNG")
    payload = {
        "sku": Raw(b'"B\\u00f8r"'),
        "price": Raw(b"1.10"),
        "tags": Raw(b'["a"]'),
        "none": Raw(b"null"),
        "image": file_part(tmp_path / "x.png", media_type="image/png"),
        "thumb": b64encode(b"small").decode(),
    }
    parts = parsed(encode(payload, json_part="record", base64={"thumb": {"filename": "t.png"}}))
    assert [(name, filename, media) for name, filename, media, _ in parts] == [
        ("record", None, "application/json"),
        ("image", "x.png", "image/png"),
        ("thumb", "t.png", "application/octet-stream"),
    ]
    assert json.loads(parts[0][3]) == {"sku": "B\u00f8r", "price": 1.10, "tags": ["a"], "none": None}
    assert b"1.10" in parts[0][3]
    assert [content for _, _, _, content in parts[1:]] == [b"\x89PNG", b"small"]
    assert "the same name" in refusal(payload, json_part="image")


@pytest.mark.parametrize("media_type", ["image/png\r\nX-Evil: 1", "png", "", "image/pñg", "a/b; c"])
def test_a_media_type_that_is_none_is_refused(media_type: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    message = refusal({"image": file_part(tmp_path / "x", media_type=media_type)})
    assert message == f"attribute 'image': the media type {media_type!r} of its file is none: mend it"
    with pytest.raises(ValidationError):
        MultipartSettings.model_validate({"base64": {"image": {"media_type": media_type}}})


def test_half_a_surrogate_pair_names_its_attribute(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    expected = "attribute 'image' holds half a surrogate pair at character 0: mend the text"
    assert refusal({"image": "\ud800"}) == expected
    assert refusal({"image": file_part(tmp_path / "x", name="\ud800")}) == expected


def test_no_fields_are_an_empty_form() -> None:
    body = encode({})
    assert on_the_wire(body) == b"--" + body.media_type.partition("=")[2].encode() + b"--\r\n"


@pytest.mark.skipif("HAULIER_TEST_DATA" not in os.environ, reason="HAULIER_TEST_DATA is not set")
def test_real_pictures_arrive_whole_for_two_parsers() -> None:
    pictures = sorted((Path(os.environ["HAULIER_TEST_DATA"]) / "photos").iterdir())
    body = encode(
        {"album": "Bjørn's", "images": [file_part(path, media_type="image/x-any") for path in pictures]}
    )
    expected: list[Part] = [("album", None, None, "Bjørn's".encode())]
    expected += [("images", path.name, "image/x-any", path.read_bytes()) for path in pictures]
    assert parsed(body) == expected
    assert length_of(body) == len(on_the_wire(body))
    message = message_from_bytes(f"Content-Type: {body.media_type}\r\n\r\n".encode() + on_the_wire(body))
    assert [part.get_payload(decode=True) for part in message.walk()][1:] == [part[3] for part in expected]
