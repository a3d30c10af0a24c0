"""What a record becomes inside of a batch: paths lead inside, and a record that lacks one is rejected."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.runs.carrying import destination

import haulier
from haulier.model.block import Block
from haulier.pipeline.attributes import Way, decode
from haulier.pipeline.items import ItemAsked, items_of

RECORDS: list[dict[str, Any]] = [
    {"sku": "a", "place": {"city": "Rome", "at": {"x": 1.10}}, "more": 1},
    {"sku": None, "place": {"city": None, "at": {"x": 10**40, "y": 2}}},
    {"place": {"at": {}}, "sku": "c"},
    {"sku": "d", "place": "none"},
    {"sku": "e", "place": None, "place.city": "Oslo"},
    {"sku": "f"},
]
# item as written -> what each record becomes; None where it is rejected.
BECOMES: list[tuple[Any, list[Any]]] = [
    ("sku", ["a", None, "c", "d", "e", "f"]),
    ('["sku"]', ["a", None, "c", "d", "e", "f"]),
    ("place.city", ["Rome", None]),
    ("place.at.x", [1.10, 10**40]),
    (["sku"], [{"sku": one} for one in ["a", None, "c", "d", "e", "f"]]),
    (["more", "sku"], [{"more": 1, "sku": "a"}]),
    (
        ["place.at.x", "sku", "place.city"],
        [
            {"place": {"at": {"x": 1.10}, "city": "Rome"}, "sku": "a"},
            {"place": {"at": {"x": 10**40}, "city": None}, "sku": None},
        ],
    ),
    (
        ["place.at"],
        [{"place": {"at": {"x": 1.10}}}, {"place": {"at": {"x": 10**40, "y": 2}}}, {"place": {"at": {}}}],
    ),
]
LACKING = {
    "place.city": [2, 3, 4, 5],
    "more": [1, 2, 3, 4, 5],
    "place.at.x": [2, 3, 4, 5],
    "place.at": [3, 4, 5],
}


def with_item(item: Any, **written: Any) -> dict[str, Any]:
    return destination("http://127.0.0.1:9", batching={"size": 10, "item": item}, **written)


@pytest.mark.parametrize(("item", "becomes"), BECOMES, ids=str)
@pytest.mark.parametrize(
    "written", [{}, {"request": {"content_format": "ndjson"}}, {"exclude": ["nothing"]}], ids=str
)
def test_the_attributes_that_are_named_are_sent_and_records_without_them_rejected(
    item: Any, becomes: list[Any], written: dict[str, Any]
) -> None:
    shown = haulier.preview(with_item(item, **written), RECORDS)
    (sample,) = shown.samples
    assert isinstance(sample.body, bytes)
    if "request" in written:
        assert [json.loads(line) for line in sample.body.splitlines()] == becomes
    else:
        assert json.loads(sample.body) == becomes
    lacking = next(iter(LACKING[name] for name in LACKING if name in str(item)), [])
    assert [rejected.position for rejected in shown.rejected] == lacking


def test_what_a_record_lacks_is_named_with_the_way_out() -> None:
    shown = haulier.preview(with_item(["place.city", "sku"]), RECORDS[2:5])
    told = "has no attribute `place.city`, which `batching.item` asks for (by its name after `rename`)"
    assert [one.reason for one in shown.rejected] == [
        f"record 0: {told}",
        f"record 1: {told}",
        f'record 2: {told}; there is one named `place.city`: write ["place.city"]',
    ]
    assert haulier.preview(with_item('["place.city"]'), RECORDS[4:5]).samples[0].body == b'["Oslo"]'


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("a.", "batching.item: 'a.' names no attribute; write NAME, NAME.NAME, or"),
        (["a", "b{"], "batching.item: 'b{' names no attribute"),
        (
            ["a", "a.b"],
            "batching.item: `a.b` stands in `a`, which is there as well; leave out one of the two",
        ),
        (["a", "a"], "batching.item: `a` stands in `a`, which is there as well"),
    ],
)
def test_what_names_no_attribute_is_refused_at_check(item: Any, words: str) -> None:
    (problem,) = haulier.check(with_item(item)).problems
    assert problem.startswith(f"destination `d`: {words}")


names = st.sampled_from(["a", "b", "c.d", ""])
nested = st.dictionaries(
    names, st.integers() | st.dictionaries(names, st.none() | st.text(max_size=3), max_size=3)
)


@given(
    records=st.lists(nested, max_size=6),
    paths=st.lists(st.tuples(names, names), unique=True, min_size=1, max_size=3),
)
def test_both_ways_of_reading_make_the_same_of_records(
    records: list[dict[str, Any]], paths: list[Any]
) -> None:
    block = Block(first=0, lines=[json.dumps(one).encode() for one in records], plain=True)
    asked = ItemAsked(tuple(paths))
    ways: tuple[Way, ...] = ("shallow", "full")
    found = []
    for way in ways:
        items, faults = decode(block, way)
        made = items_of(items, asked, faults, values=way == "full")
        found.append((json.loads(msgspec.json.encode(made)), faults))
    assert found[0] == found[1]
    for record, one in zip(records, found[0][0], strict=True):
        has = all(isinstance(record.get(a), dict) and b in record[a] for a, b in paths)
        assert (one is not None) == has
        if has:
            assert [one[a][b] for a, b in paths] == [record[a][b] for a, b in paths]


@pytest.mark.parametrize("way", ["shallow", "full"])
@pytest.mark.parametrize("alone", [True, False])
def test_a_value_of_another_kind_than_the_call_takes_rejects_its_record_alone(way: Way, alone: bool) -> None:
    lines = [
        b'{"f": "a"}',
        b'{"f": null}',
        b'{"f": 7}',
        b'{"g": 1}',
        b'{"f": {"x": 1}}',
        b'{"f": ["a"]}',
        b"[",
    ]
    items, faults = decode(Block(first=0, lines=lines, plain=True), way)
    made = items_of(items, ItemAsked((("f",),), alone, "text"), faults, values=way == "full")
    kinds = {1: "null", 2: "a number", 4: "an object", 5: "a list"}
    assert {index: faults[index] for index in kinds} == {
        index: f"attribute `f` is {kind}; what goes into the list of this call is a text"
        for index, kind in kinds.items()
    }
    assert sorted(faults) == [1, 2, 3, 4, 5, 6]
    assert json.loads(msgspec.json.encode(made)) == ["a" if alone else {"f": "a"}, *[None] * 6]
