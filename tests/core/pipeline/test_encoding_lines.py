"""`ndjson`, `text` and `bytes`: line by line, by template, and as it is."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from tests.core.pipeline.made_records import (
    data_of,
    members,
    needs_real_data,
    real_records,
    records,
    refusal_of,
    texts,
    values,
)

from haulier.errors import DestinationError, RecordError
from haulier.model.request import Body, FilePart
from haulier.pipeline.encoding.ndjson import NDJSON, NdjsonSettings
from haulier.pipeline.encoding.raw import BYTES, BytesSettings
from haulier.pipeline.encoding.text import TEXT, TextSettings

PICTURE = FilePart(
    path="/x/y.png", name="y.png", size=3, mtime_ns=1, sha256=sha256(b"abc").digest(), media_type="image/png"
)


# -- ndjson ----------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(records, min_size=1, max_size=4), st.sampled_from([None, 1]))
def test_every_record_is_one_line_however_it_was_written(
    batch: list[dict[str, Any]], indent: int | None
) -> None:
    lines = [json.dumps(one, indent=indent).encode() for one in batch]
    for payload in ([Raw(line) for line in lines], [members(one) for one in batch], list(batch)):
        data = data_of(NDJSON, payload)
        assert data.endswith(b"\n")
        assert [json.loads(line) for line in data.split(b"\n")[:-1]] == batch


def test_untouched_records_keep_every_byte() -> None:
    assert data_of(NDJSON, [Raw(b'{"a": 1.10}'), Raw(b'{"b":1e2}')]) == b'{"a": 1.10}\n{"b":1e2}\n'
    assert data_of(NDJSON, {"meta": 1, "rows": [Raw(b"{}")]}) == b'{"meta":1,"rows":[{}]}\n'
    assert (
        NDJSON.encode(Raw(b"{}"), NdjsonSettings(media_type="application/json")).media_type
        == "application/json"
    )


def test_what_has_no_line_is_refused() -> None:
    assert "NaN" in refusal_of(NDJSON, [{"a": float("nan")}]) or "nan" in refusal_of(
        NDJSON, [{"a": float("nan")}]
    )
    assert "cannot carry a file" in refusal_of(NDJSON, [{"a": PICTURE}])
    with pytest.raises(DestinationError, match="empty list"):
        NDJSON.encode([], NdjsonSettings())


@needs_real_data
@pytest.mark.parametrize("name", ["airports.csv", "movies.jsonl", "earthquakes.jsonl"])
def test_real_records_come_back_line_by_line(name: str) -> None:
    real = real_records(name)
    data = data_of(NDJSON, [members(one) for one in real])
    assert [json.loads(line) for line in data.splitlines()] == real


# -- text ------------------------------------------------------------------------------------------------------------


def test_a_template_is_filled_in_for_each_record() -> None:
    batch = [members({"a": "x", "n": 1.10, "b": True}), members({"a": "{record.n}", "n": 2, "b": False})]
    settings_of: dict[str, Any] = {
        "template": "{record.a}={record.n} {{{record.b}}}",
        "separator": "; ",
        "end": "\n",
    }
    assert data_of(TEXT, batch, **settings_of) == b"x=1.1 {true}; {record.n}=2 {false}\n"
    assert data_of(TEXT, batch[0], template="{record.b}", booleans="digits", begin=">") == b">1"


@settings(deadline=None)
@given(st.lists(st.fixed_dictionaries({"a": texts, "b": values}), min_size=1, max_size=3))
def test_escaped_values_come_back_and_make_nothing_else(batch: list[dict[str, Any]]) -> None:
    rows = [members(one) for one in batch]
    data = data_of(
        TEXT,
        rows,
        template='{{"x": {record.a}, "y": {record.b}}}',
        escape="json",
        separator=",",
        begin="[",
        end="]",
    )
    assert json.loads(data) == [{"x": one["a"], "y": one["b"]} for one in batch]
    data = data_of(TEXT, rows, template="{record.a}", escape="url", separator="&")
    assert [unquote(part) for part in data.decode().split("&")] == [one["a"] for one in batch]


@pytest.mark.parametrize("text", ["<b>&amp;", "]]>", '"', "'", "{now}", "{{", "}"])
def test_xml_values_are_text_and_values_are_no_templates(text: str) -> None:
    data = data_of(
        TEXT, members({"a": text}), template="<x y='{record.a}' z=\"{record.a}\">{record.a}</x>", escape="xml"
    )
    element = ET.fromstring(data)
    assert (element.text, element.get("y"), element.get("z")) == (text, text, text)


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\v", "\u2028", "\x85"])
def test_a_line_break_in_a_value_may_not_begin_another_line(line_break: str) -> None:
    record = members({"a": f"x{line_break}y"})
    assert "holds a line break" in refusal_of(TEXT, record, template="{record.a}", line_breaks="refuse")
    assert data_of(TEXT, record, template="{record.a}", line_breaks="space") == b"x y"
    assert data_of(TEXT, record, template="{record.a}").decode() == f"x{line_break}y"


def test_records_without_a_value_are_named_each_and_may_be_empty() -> None:
    batch = [members({"a": 1}), members({"b": 1}), members({"a": None}), members({"a": [1]})]
    with pytest.raises(RecordError) as refused:
        TEXT.encode(batch, TextSettings(template="-{record.a}"))
    assert [reason for _, reason in refused.value.each] == [
        "template: attribute `a` is missing",
        "template: attribute `a` is null",
        "template: attribute `a` is a list; only text, finite numbers, true and false can be written out",
    ]
    assert data_of(TEXT, batch[:3], template="-{record.a}", absent="empty") == b"-1\n-\n-"


# -- bytes -----------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=50), texts)
def test_one_attribute_is_the_body(data: bytes, text: str) -> None:
    record = members({"image": b64encode(data).decode(), "text": text})
    assert data_of(BYTES, record, attribute="image", encoding="base64") == data
    assert data_of(BYTES, record, attribute="text") == text.encode()
    assert data_of(BYTES, {"image": data, "text": text}) == data


def test_a_file_is_the_body_with_its_own_media_type() -> None:
    assert BYTES.encode({"f": PICTURE}, BytesSettings()) == Body(parts=(PICTURE,), media_type="image/png")
    assert BYTES.encode({"f": PICTURE}, BytesSettings(media_type="image/x")).media_type == "image/x"


@pytest.mark.parametrize(
    ("record", "written", "words"),
    [
        (
            {"a": 1},
            {"attribute": "b"},
            "has no attribute 'b', which `format_settings.attribute` names as the body",
        ),
        ({"a": 1}, {}, "attribute 'a' is no text"),
        ({"a": None}, {}, "attribute 'a' is no text"),
        ({"a": ["x"]}, {}, "attribute 'a' is no text"),
        ({"a": "x", "b": "y"}, {}, "one attribute is the body, but there is 'a', 'b': name it"),
        ({"a": "x"}, {"encoding": "base64"}, "attribute 'a' is no base64 text"),
    ],
)
def test_what_cannot_be_a_body_is_refused(record: Any, written: dict[str, Any], words: str) -> None:
    assert refusal_of(BYTES, members(record), **written).startswith(words)


def test_a_batch_is_no_body() -> None:
    with pytest.raises(DestinationError, match="turn batching off"):
        BYTES.encode([members({"a": "x"})], BytesSettings())
