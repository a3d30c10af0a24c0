"""`json` decodes to the value that was given, places records untouched, and changes nothing in silence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from haulier.errors import RecordError
from haulier.model.request import Body, FilePart
from haulier.pipeline.encoding.json import JSON, JsonSettings

FILE = FilePart(path="/secret/folder/x.png", name="x.png", size=1, mtime_ns=1, sha256=bytes(32))

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = (st.none() | st.booleans() | st.integers() | st.integers(10**30, 10**60) | texts) | st.floats(
    allow_nan=False, allow_infinity=False
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
records = st.dictionaries(texts, values, max_size=4)


def encoded(payload: Any) -> bytes:
    body = JSON.encode(payload, JsonSettings())
    assert body.media_type == "application/json"
    (data,) = body.parts
    assert isinstance(data, bytes)
    return data


def refusal(payload: Any) -> str:
    with pytest.raises(RecordError) as refused:
        JSON.encode(payload, JsonSettings())
    return str(refused.value)


@settings(deadline=None)
@given(records)
def test_any_record_decodes_to_itself(record: dict[str, Any]) -> None:
    assert json.loads(encoded(record)) == record


@settings(deadline=None)
@given(st.lists(records, max_size=4))
def test_records_placed_as_raw_keep_every_byte(batch: list[dict[str, Any]]) -> None:
    lines = [json.dumps(record, indent=1).encode() for record in batch]
    assert encoded([Raw(line) for line in lines]) == b"[" + b",".join(lines) + b"]"


def test_raw_and_plain_values_mix() -> None:
    line = b'{ "price": 1.10, "id": 12345678901234567890123 }'
    payload = {"records": [Raw(line), Raw(line)], "source": "catalog", "count": 2, "ratio": 0.5}
    assert encoded(payload) == (
        b'{"records":[' + line + b"," + line + b'],"source":"catalog","count":2,"ratio":0.5}'
    )
    assert encoded([{"id": Raw(b"1.10")}, {"id": Raw(b"1e999")}]) == b'[{"id":1.10},{"id":1e999}]'


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        ({"price": float("nan")}, "attribute 'price' is nan"),
        ({"a": {"b": [1.5, float("inf")]}}, "the value at ['a']['b'][1] is inf"),
        ([{"a": 1.0}, {"a": float("-inf")}], "the value at [1]['a'] is -inf"),
        ({"records": [Raw(b"{}")], "props": {"x": float("nan")}}, "the value at ['props']['x'] is nan"),
        ([Raw(b"{}"), float("nan")], "the value at [1] is nan"),
        (float("nan"), "the payload is nan"),
    ],
)
def test_nan_and_infinities_are_refused_where_they_stand(payload: Any, place: str) -> None:
    """Left to itself, msgspec writes null."""
    assert refusal(payload) == place + ", which JSON cannot say: send null, or leave it out"


@pytest.mark.parametrize(
    ("payload", "start"),
    [
        ({"image": FILE}, "attribute 'image' is the file x.png"),
        ({"images": [FILE]}, "the value at ['images'][0] is the file x.png"),
        ({"image": b"\x89PNG"}, "attribute 'image' is bytes"),
    ],
)
def test_files_are_refused_and_their_paths_stay_here(payload: Any, start: str) -> None:
    assert refusal(payload) == start + ": json cannot carry a file; use multipart or a base64 parameter"


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({7: "x"}, "the payload has the name 7, of type int: names are text, such as '7'"),
        ({"a": {1.5: []}}, "attribute 'a' has the name 1.5, of type float: names are text, such as '1.5'"),
        (
            [{"a": 1}, {None: 1}],
            "the value at [1] has the name None, of type NoneType: names are text, such as 'None'",
        ),
        ({"when": {1, 2}}, "attribute 'when' is a set, which is no JSON value: give text or a number"),
        (
            {"a": ["fine", "\ud800"]},
            "the value at ['a'][1] cannot be written as JSON: 'utf-8' codec can't encode character '\\ud800' "
            "in position 0: surrogates not allowed",
        ),
        (
            {"a": {"\udfff": 1}},
            "attribute 'a' cannot be written as JSON: 'utf-8' codec can't encode character '\\udfff' in "
            "position 0: surrogates not allowed",
        ),
    ],
)
def test_what_has_no_json_text_is_refused_where_it_stands(payload: Any, message: str) -> None:
    assert refusal(payload) == message


def test_an_integer_python_will_not_write_is_refused_by_name() -> None:
    assert encoded({"n": 10**4000}) == b'{"n":1' + b"0" * 4000 + b"}"
    assert refusal({"n": 10**5000}).startswith("attribute 'n' cannot be written as JSON: Exceeds the limit")


def test_nesting_beyond_the_stack_is_a_record_error() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    assert refusal({"a": deep}) == (
        "a value is nested too deeply for JSON: flatten it, or send that part as JSON text"
    )


def test_a_body_without_records_is_still_json() -> None:
    assert JSON.encode({}, JsonSettings()) == Body(parts=(b"{}",), media_type="application/json")
    assert JSON.encode([], JsonSettings()) == Body(parts=(b"[]",), media_type="application/json")


@pytest.mark.skipif("HAULIER_TEST_DATA" not in os.environ, reason="HAULIER_TEST_DATA is not set")
@pytest.mark.parametrize("name", ["movies.jsonl", "earthquakes.jsonl"])
def test_real_records_arrive_value_by_value_on_every_way(name: str) -> None:
    lines = (Path(os.environ["HAULIER_TEST_DATA"]) / name).read_bytes().splitlines()
    expected = [json.loads(line) for line in lines]
    shallow = msgspec.json.Decoder(dict[str, Raw])
    assert json.loads(encoded([Raw(line) for line in lines])) == expected
    assert json.loads(encoded([shallow.decode(line) for line in lines])) == expected
    assert json.loads(encoded([msgspec.json.decode(line) for line in lines])) == expected
