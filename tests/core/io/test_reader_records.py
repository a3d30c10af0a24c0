"""Records from Python: one set of rules for values; what JSON cannot hold is a fault of that record alone."""

from __future__ import annotations

import json
from collections import OrderedDict, UserDict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from itertools import accumulate, count, islice
from time import sleep
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.errors import ConfigurationError, InputError
from haulier.io.readers import open_records
from haulier.model.block import Block


class Colour(Enum):
    RED = "red"


class Size(IntEnum):
    LARGE = 3


class Ratio(float):
    """A float of somebody else's, as numpy's are."""


def one(record: Any) -> tuple[bytes, str | None]:
    (block,) = open_records([record]).blocks()
    (line,) = block.lines
    fault = (block.faults or {}).get(0)
    assert block.plain is (fault is None and line.startswith(b"{"))
    return line, fault


def test_mappings_become_one_plain_block_without_line_numbers() -> None:
    assert list(open_records([{"a": 1, "b": None}, {"c": ["x\n", 1.5, True]}]).blocks()) == [
        Block(first=0, lines=[b'{"a":1,"b":null}', b'{"c":["x\\n",1.5,true]}'], plain=True)
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12345678901234567890123, b"12345678901234567890123"),
        (-(10**40), b"-1" + b"0" * 40),
        (0.1, b"0.1"),
        (Decimal("1.10"), b'"1.10"'),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), b'"2026-01-02T03:04:05Z"'),
        (datetime(2026, 1, 2, tzinfo=UTC).replace(tzinfo=None), b'"2026-01-02T00:00:00"'),
        (date(2026, 1, 2), b'"2026-01-02"'),
        (time(3, 4), b'"03:04:00"'),
        (timedelta(days=1, seconds=2), b'"P1DT2S"'),
        (UUID(int=1), b'"00000000-0000-0000-0000-000000000001"'),
        (b"\x00\xff", b'"AP8="'),
        ((1, [2]), b"[1,[2]]"),
        (OrderedDict(b=1, a=2), b'{"b":1,"a":2}'),
        (UserDict({"a": UserDict({"b": 1})}), b'{"a":{"b":1}}'),
        (MappingProxyType({"a": 1}), b'{"a":1}'),
        (Colour.RED, b'"red"'),
        (Size.LARGE, b"3"),
        (Ratio(0.25), b"0.25"),
    ],
)
def test_values_are_written_by_the_documented_rules(value: Any, text: bytes) -> None:
    assert one({"v": value}) == (b'{"v":' + text + b"}", None)
    # beside a value of a rarer kind, which sends the whole batch the careful way
    assert one({"v": value, "w": Ratio(1.0)}) == (b'{"v":' + text + b',"w":1.0}', None)


def cyclic() -> dict[str, Any]:
    record: dict[str, Any] = {}
    record["self"] = record
    return record


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ({"v": float("nan")}, "attribute 'v' is nan, which JSON does not have; leave it out or send null"),
        ({"v": -float("inf")}, "attribute 'v' is -inf, which JSON does not have; leave it out or send null"),
        (
            {"a": [{"b": float("inf")}]},
            "attribute 'a[0].b' is inf, which JSON does not have; leave it out or send null",
        ),
        ({"v": Decimal("NaN")}, "attribute 'v' is NaN, which is no number; leave it out or send null"),
        ({"v": Ratio("nan")}, "attribute 'v' is nan, which JSON does not have; leave it out or send null"),
        ({"v": {1, 2}}, "attribute 'v' is of type set, which has no place in JSON; convert it first"),
        (
            {"a": {"b": object()}},
            "attribute 'a.b' is of type object, which has no place in JSON; convert it first",
        ),
        (
            {"v": 10**6000},
            "attribute 'v' is an integer of more digits than Python writes; send it as text",
        ),
        ({1: "x"}, "has a name of type int; names are text"),
        ({"a": [{None: 1}]}, "attribute 'a[0]' has a name of type NoneType; names are text"),
        (
            {"v": "\ud800"},
            "attribute 'v' is text with a lone surrogate, which is no Unicode text",
        ),
        (cyclic(), "holds itself, or is nested too deeply"),
        (7, "is of type int; a record is a mapping, or its JSON as bytes or str"),
        (None, "is of type NoneType; a record is a mapping, or its JSON as bytes or str"),
        ("{\ud800}", "is text with a lone surrogate, which is no Unicode text"),
    ],
)
def test_what_json_cannot_hold_is_a_fault_of_that_record_alone(record: Any, fault: str) -> None:
    assert one(record)[1] == fault
    (block,) = open_records([{"a": 1}, record, {"b": float(2)}]).blocks()
    assert block.faults == {1: fault}
    assert (block.lines[0], block.lines[2]) == (b'{"a":1}', b'{"b":2.0}')
    assert json.loads(block.lines[1].replace(b"?", b"")) is not None  # something to show


def test_a_dead_letter_shows_what_can_be_shown() -> None:
    assert one({"sku": "A1", "price": float("nan"), "tags": {1}})[0] == (
        b'{"sku": "A1", "price": NaN, "tags": "<set>"}'
    )


def test_json_texts_are_taken_as_they_are_and_blank_ones_skipped() -> None:
    texts = [b'\xef\xbb\xbf{"a":1.10}\r\n', b"\n", b"", b'{\n "b": [1,\n2]}', b"oops", '{"c":"ä"}', {"d": 1}]
    assert list(open_records(texts).blocks()) == [
        Block(
            first=0,
            lines=[b'{"a":1.10}', b'{"b":[1,2]}', b"oops", '{"c":"ä"}'.encode(), b'{"d":1}'],
            plain=False,
        )
    ]
    assert list(open_records(texts[:4]).blocks()) == [
        Block(first=0, lines=[b'{"a":1.10}', b'{"b":[1,2]}'], plain=True)
    ]


def test_an_iterator_is_pulled_a_block_at_a_time_and_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haulier.io.readers.records._MOMENT_S", 60)  # however busy the machine is
    pulled = 0

    def endless() -> Iterator[dict[str, int]]:
        nonlocal pulled
        for number in count():
            pulled += 1
            yield {"n": number}

    reader = open_records(endless())
    assert reader.repeatable is False
    blocks = list(islice(reader.blocks(), 6))
    sizes = [1, 4, 16, 64, 256, 256]
    assert [len(block.lines) for block in blocks] == sizes
    assert [block.first for block in blocks] == list(accumulate(sizes[:-1], initial=0))
    assert pulled == sum(sizes)
    with pytest.raises(InputError) as caught:
        next(reader.blocks())
    assert str(caught.value) == "records: were read already and cannot be read twice; give them as a list"


def test_records_that_come_slowly_do_not_wait_for_a_block_to_fill() -> None:
    def slowly() -> Iterator[dict[str, int]]:
        for number in range(6):
            sleep(0.06)
            yield {"n": number}

    assert [len(block.lines) for block in open_records(slowly()).blocks()] == [1] * 6


def test_large_records_make_small_blocks() -> None:
    sizes = [len(block.lines) for block in open_records([{"a": "x" * 40_000}] * 40).blocks()]
    assert sizes == [16, *[1] * 24]


def test_a_list_can_be_read_again() -> None:
    reader = open_records([{"a": 1}])
    assert reader.repeatable is True
    assert list(reader.blocks()) == list(reader.blocks())


@pytest.mark.parametrize(
    ("records", "kind"), [({"a": 1}, "dict"), (b"{}", "bytes"), (7, "int"), (None, "NoneType")]
)
def test_what_is_no_iterable_of_records_is_refused(records: Any, kind: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_records(records)
    assert str(caught.value) == f"records: one {kind} is no iterable of records; put it into a list"


json_records = st.dictionaries(
    st.text(),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text()
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@given(st.lists(json_records, max_size=40))
def test_json_values_come_out_as_they_went_in(records: list[dict[str, Any]]) -> None:
    lines = [line for block in open_records(records).blocks() for line in block.lines]
    assert [json.loads(line) for line in lines] == records
