"""Records read in three ways: each refuses the same lines, and what it keeps means the same JSON value."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from haulier.model.block import Block
from haulier.pipeline.attributes import Way, decode, drop

WAYS: tuple[Way, ...] = ("untouched", "shallow", "full")
encode = msgspec.json.Encoder().encode

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",)), max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
records = st.dictionaries(st.text(st.characters(exclude_categories=("Cs",)), max_size=8), values, max_size=6)


def block_of(*lines: bytes, plain: bool = False) -> Block:
    return Block(first=0, lines=list(lines), first_line=1, plain=plain)


def read(way: Way, *lines: bytes, plain: bool = False) -> tuple[list[Any], dict[int, str]]:
    """The records as plain values, None for faulty ones, and the faults."""
    items, faults = decode(block_of(*lines, plain=plain), way)
    return [None if item is None else json.loads(encode(item)) for item in items], faults


@given(record=records, ascii_only=st.booleans(), indent=st.sampled_from(["", " ", "\t"]))
def test_every_way_keeps_the_value(record: dict[str, Any], ascii_only: bool, indent: str) -> None:
    text = json.dumps(record, ensure_ascii=ascii_only, separators=("," + indent, ":" + indent))
    line = text.encode()
    for way in WAYS:
        for plain in (True, False):
            assert read(way, line, plain=plain) == ([record], {})


@given(st.binary(max_size=40))
@example(b'{"a":"\\ud800"}')
@example(b'{"a":"\\ud83d\\ude00"}')
@example(b'{"a":"\\ud800xxxxxxxxxx"}')
@example(b'{"a":"\\ud800\\n1234567"}')
@example(b'{"a":"\\udc00"}')
@example(b'{"\\udc00":1}')
@example(b'{"\\ud800":1,"b":"cccccccc"}')
@example(b'{"a":NaN}')
@example(b'{"a":-Infinity}')
@example(b'{"a":01}')
@example(b'{"a":1.}')
@example(b'{"a":"\x01"}')
@example(b'{"a":1}{"b":2}')
@example(b'{"a":1},')
@example(b'{"a":1e999}')
@example(b'{"a":"\xff"}')
@example(b'{"a":"\xed\xa0\x80"}')
@example(b'{"a":1,}')
@example(b'[{"a":1}]')
@example(b"{}")
@example(b"\xef\xbb\xbf{}")
@example(b'{"a":[' + b"[" * 5000 + b"]" * 5000 + b"]}")
def test_every_way_refuses_the_same_lines(line: bytes) -> None:
    found = {way: decode(block_of(line), way)[1] for way in WAYS}
    assert found["untouched"].keys() == found["shallow"].keys() == found["full"].keys()


@given(
    st.lists(
        st.sampled_from([b"{", b"}", b'"', b"a", b":", b"1", b",", b"\\ud83d", b"\\udc00", b"\\n", b" "])
    )
)
def test_what_passes_is_what_json_calls_an_object(pieces: list[bytes]) -> None:
    """Python's own reader is asked what is right, with its leniency towards NaN and lone surrogates taken away."""
    line = b"".join(pieces)
    try:
        value = json.loads(line.decode(), parse_constant=_refuse)
        right = isinstance(value, dict) and _sayable(value)
    except ValueError:
        right = False
    for way in WAYS:
        assert (decode(block_of(line), way)[1] == {}) is right


def _refuse(_: str) -> None:
    raise ValueError("no JSON")


def _sayable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


REASONS = {
    b'{"a":NaN}': "is not JSON: NaN and infinities are no JSON; write null or leave the attribute out",
    b'{"a":-Infinity}': "is not JSON: NaN and infinities are no JSON; write null or leave the attribute out",
    b'{"a":': "is not JSON: it ends in the middle of a value (or holds half a surrogate pair)",
    b"[1]": "is a list, not a JSON object",
    b'"{}"': "is a text, not a JSON object",
    b"17": "is a number, not a JSON object",
    b"null": "is null, not a JSON object",
    b"true": "is true, not a JSON object",
    b'{"a":"\xff"}': "is not UTF-8 (byte 7); write the input as UTF-8",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("line", REASONS)
def test_a_refused_line_says_why(line: bytes, way: Way) -> None:
    assert read(way, line) == ([None], {0: REASONS[line]})


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("plain", [True, False])
def test_malformed_lines_in_the_middle_stop_only_themselves(way: Way, plain: bool) -> None:
    lines = [b'{"n":0}', b'{"n":', b'{"n":2}', b"{NaN}", b'{"n":4}']
    items, faults = read(way, *lines, plain=plain)
    assert items == [{"n": 0}, None, {"n": 2}, None, {"n": 4}]
    assert sorted(faults) == [1, 3]


def test_two_broken_lines_that_would_join_are_refused_each() -> None:
    for way in WAYS:
        items, faults = read(way, b'{"a":[1', b"2]}", plain=True)
        assert (items, sorted(faults)) == ([None, None], [0, 1])


def test_faults_of_the_reader_stay_and_the_line_is_not_read() -> None:
    block = Block(first=0, lines=[b'{"a":1}', b'{"a":2}'], plain=True, faults={1: "has 3 columns, not 2"})
    for way in WAYS:
        items, faults = decode(block, way)
        assert (json.loads(encode(items[0])), items[1], faults) == (
            {"a": 1},
            None,
            {1: "has 3 columns, not 2"},
        )


@pytest.mark.parametrize("way", WAYS)
def test_integers_of_any_size_are_kept(way: Way) -> None:
    big = 12345678901234567890123
    assert read(way, b'{"a":%d,"b":-%d}' % (big, big)) == ([{"a": big, "b": -big}], {})


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", [b"1e999", b"-1e999", b"1E400"])
def test_a_number_no_double_holds_keeps_its_text(way: Way, text: bytes) -> None:
    items, faults = decode(block_of(b'{"a":' + text + b"}", plain=True), way)
    assert (encode(items[0]), faults) == (b'{"a":' + text + b"}", {})


def test_a_number_of_five_thousand_digits_is_refused_only_where_it_must_be_read() -> None:
    line = b'{"a":' + b"9" * 5000 + b"}"
    assert decode(block_of(line), "untouched")[1] == {}
    assert decode(block_of(line), "shallow")[1] == {}
    assert decode(block_of(line), "full")[1] == {0: "holds an integer of more than 4,000 digits"}


@pytest.mark.parametrize("way", WAYS)
def test_the_last_of_two_equal_names_counts(way: Way) -> None:
    assert read(way, b'{"a":1,"\\u0061":2}') == ([{"a": 2}], {})


def test_numbers_keep_their_text_on_the_untouched_and_the_shallow_way() -> None:
    line = b'{"a":1.10,"b":1E5,"c":-0.0,"d":0.1e-400}'
    for way in ("untouched", "shallow"):
        items, _ = decode(block_of(line), way)
        assert encode(items[0]) == line
    (item,), _ = decode(block_of(line), "full")
    assert item == {"a": 1.1, "b": 1e5, "c": -0.0, "d": 0.0}
    assert math.copysign(1, item["c"]) == -1


@given(st.lists(records, min_size=1, max_size=5), st.integers(0, 4), st.sampled_from([b"", b" ", b"\t \r"]))
def test_a_neighbour_that_is_malformed_changes_no_byte_of_the_others(
    many: list[dict[str, Any]], at: int, blank: bytes
) -> None:
    """A rebuilt request is made from other blocks than before, and its bytes must be the same."""
    lines = [json.dumps(record).encode() + blank for record in many]
    for way in WAYS:
        alone, _ = decode(block_of(*lines, plain=True), way)
        beside, _ = decode(block_of(*lines, b'{"a":', plain=True), way)
        assert [encode(item) for item in alone] == [encode(item) for item in beside[:-1]]


def test_drop_leaves_out_all_names_and_minds_no_missing_one() -> None:
    items, _ = decode(block_of(b'{"a":1,"b":2,"c":3}', b'{"c":4}', b"["), "shallow")
    drop(items, frozenset({"a"}))
    assert encode(items) == b'[{"b":2,"c":3},{"c":4},null]'
    drop(items, frozenset({"b", "c", "x"}))
    assert encode(items) == b"[{},{},null]"
