"""`form` gives back, through a parser that is not ours, the very pairs it was given."""

from __future__ import annotations

import json
import os
import string
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from pydantic import ValidationError

from haulier.errors import RecordError
from haulier.model.request import FilePart
from haulier.pipeline.encoding.form import FORM, FormSettings

texts = st.text(st.characters(exclude_categories=["Cs"]))
KEPT = frozenset("*-._+%&=" + string.ascii_letters + string.digits)


def encoded(payload: Any, **settings: Any) -> str:
    body = FORM.encode(payload, FormSettings(**settings))
    assert body.media_type == "application/x-www-form-urlencoded"
    (data,) = body.parts
    assert isinstance(data, bytes)
    return data.decode("ascii")


def parsed(payload: Any, **settings: Any) -> list[tuple[str, str]]:
    return parse_qsl(encoded(payload, **settings), keep_blank_values=True, errors="strict", separator="&")


def refusal(payload: Any, **settings: Any) -> str:
    with pytest.raises(RecordError) as refused:
        FORM.encode(payload, FormSettings(**settings))
    return str(refused.value)


@settings(deadline=None)
@given(st.dictionaries(texts, texts))
def test_any_text_comes_back_in_order_from_the_standard_parser(record: dict[str, str]) -> None:
    assert parsed(record) == list(record.items())
    assert set(encoded(record)) <= KEPT


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=255))
def test_each_ascii_character_is_kept_or_escaped_as_the_standard_says(code: int) -> None:
    """https://url.spec.whatwg.org/#application-x-www-form-urlencoded-percent-encode-set"""
    kept = chr(code) in "*-._" + string.ascii_letters + string.digits
    escaped = "".join(f"%{byte:02X}" for byte in chr(code).encode())
    assert encoded({"a": chr(code)}) == "a=" + ("+" if code == 0x20 else chr(code) if kept else escaped)


def test_scalars_have_the_text_json_gives_them() -> None:
    payload = {"i": 10**30, "f": 0.1, "e": 1e22, "t": True, "n": None, "s": "a b+c%~*", "é": "ø"}
    assert encoded(payload) == (
        "i=1000000000000000000000000000000&f=0.1&e=1e22&t=true&s=a+b%2Bc%25%7E*&%C3%A9=%C3%B8"
    )


def test_booleans_are_digits_and_nulls_empty_where_asked() -> None:
    payload = {"a": True, "b": False, "c": None, "d": Raw(b"true"), "e": Raw(b"null"), "f": 1}
    assert encoded(payload) == "a=true&b=false&d=true&f=1"
    assert encoded(payload, booleans="digits", null="empty") == "a=1&b=0&c=&d=1&e=&f=1"


@pytest.mark.parametrize("number", ["1.10", "-0", "1E5", "1e999", "12345678901234567890123", "0.1000"])
def test_a_raw_number_keeps_its_text(number: str) -> None:
    payload = {"n": Raw(number.encode())}
    assert parsed(payload) == [("n", number)]
    assert parsed({"n": [Raw(number.encode())]}, nested="bracket") == [("n[0]", number)]


@settings(deadline=None)
@given(st.dictionaries(texts, texts | st.integers() | st.booleans() | st.none()))
def test_raw_values_and_raw_records_read_as_plain_ones(record: dict[str, Any]) -> None:
    line = json.dumps(record).encode()
    assert encoded(msgspec.json.decode(line, type=dict[str, Raw])) == encoded(Raw(line)) == encoded(record)


@pytest.mark.parametrize(
    ("value", "kind"), [([1], "a list"), ({"a": 1}, "an object"), (Raw(b"[1]"), "a list")]
)
def test_nested_values_are_refused_with_every_way_out(value: Any, kind: str) -> None:
    assert refusal({"sku": 1, "tags": value}) == (
        f"attribute 'tags' is {kind}, for which form has no form of its own: set `nested: json`, `bracket` "
        "or `repeat` in `format_settings`, leave it out with `exclude`, or choose content format json"
    )


NESTED = {"a": {"b": [1, {"c": None}, "x"], "d": {}}, "tags": ["red", "green"], "last": 1}


def test_nested_json_is_one_field_that_decodes_to_the_value() -> None:
    pairs = dict(parsed(NESTED, nested="json"))
    assert json.loads(pairs["a"]) == NESTED["a"]
    assert json.loads(pairs["tags"]) == NESTED["tags"]
    assert pairs["last"] == "1"
    assert parsed({"a": Raw(b'{"price": 1.10}')}, nested="json") == [("a", '{"price":1.10}')]


def test_nested_bracket_is_one_field_per_value() -> None:
    expected = [("a[b][0]", "1"), ("a[b][2]", "x"), ("tags[0]", "red"), ("tags[1]", "green"), ("last", "1")]
    assert parsed(NESTED, nested="bracket") == expected
    assert parsed(Raw(json.dumps(NESTED).encode()), nested="bracket") == expected
    assert ("a[b][1][c]", "") in parsed(NESTED, nested="bracket", null="empty")


def test_nested_repeat_gives_every_element_the_same_name() -> None:
    expected = [("tags", "red"), ("tags", "1.10"), ("tags", "true")]
    assert parsed({"tags": ["red", Raw(b"1.10"), True, None]}, nested="repeat") == expected


@pytest.mark.parametrize("value", [{"a": 1}, [[1]], [{"a": 1}], [Raw(b"[1]")], [Raw(b' {"a":1}')]])
def test_nested_repeat_refuses_what_is_nested_twice(value: Any) -> None:
    assert refusal({"tags": value}, nested="repeat").endswith(
        "with more than plain values, which `nested: repeat` cannot carry: set `nested: json` or `bracket` "
        "in `format_settings`"
    )


def test_nesting_of_any_depth_needs_no_stack() -> None:
    deep: Any = "x"
    for _ in range(3_000):
        deep = [deep]
    assert encoded({"a": deep}, nested="bracket") == "a" + "%5B0%5D" * 3_000 + "=x"


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"a": float("nan")}, "attribute 'a' is nan, which JSON cannot say: send null, or leave it out"),
        ({"a": {1}}, "attribute 'a' is a set, which is no JSON value: give text or a number"),
        ({"a": "x\ud800"}, "attribute 'a' holds half a surrogate pair at character 1: mend the text"),
        ({"\ud800": "x"}, "attribute '\\ud800' holds half a surrogate pair at character 0: mend the text"),
        (
            {"image": b"\x89PNG"},
            "attribute 'image' is bytes: form cannot carry a file; use multipart or a base64 parameter",
        ),
        (
            {"image": FilePart(path="/p/x.png", name="x.png", size=1, mtime_ns=1, sha256=bytes(32))},
            "attribute 'image' is the file x.png: form cannot carry a file; use multipart or a base64 "
            "parameter",
        ),
    ],
)
def test_what_cannot_be_said_names_its_attribute(payload: Any, message: str) -> None:
    assert refusal(payload) == message


def test_broken_raw_values_are_record_errors() -> None:
    for text in (b"", b"tru", b'"\xff"', b'{"a":}', b"\xff"):
        assert refusal({"a": Raw(text)}, nested="json").startswith("attribute 'a' cannot be read as JSON: ")


def test_settings_are_checked_word_by_word() -> None:
    wrong = {"booleans": "yes", "null": "skip", "nested": "php", "nests": "json"}
    with pytest.raises(ValidationError) as caught:
        FORM.settings.model_validate(wrong)
    assert {fault["loc"] for fault in caught.value.errors()} == {(name,) for name in wrong}


def test_megabytes_of_base64_come_back() -> None:
    image = b64encode(bytes(range(256)) * 4_000).decode()
    assert encoded({"image_base64": image}) == "image_base64=" + image.replace("+", "%2B").replace(
        "/", "%2F"
    ).replace("=", "%3D")


@pytest.mark.skipif("HAULIER_TEST_DATA" not in os.environ, reason="HAULIER_TEST_DATA is not set")
def test_real_records_come_back_with_their_number_texts() -> None:
    for line in (Path(os.environ["HAULIER_TEST_DATA"]) / "movies.jsonl").read_bytes().splitlines():
        texts_of: dict[str, Any] = json.loads(line, parse_float=str, parse_int=str)
        expected = [(name, value) for name, value in texts_of.items() if value is not None]
        assert parsed(msgspec.json.decode(line, type=dict[str, Raw])) == expected
