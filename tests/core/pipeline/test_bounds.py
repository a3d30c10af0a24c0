"""What closes a batch: its size, its bytes, the time; and what never shares one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from haulier.authoring import GroupingAlgorithm, NoSettings, Portion
from haulier.errors import PluginError, RecordError
from haulier.io.destinations import destination_from
from haulier.model.block import Block, RejectedRecord
from haulier.model.destination import Batching
from haulier.model.expression import RunFacts
from haulier.model.request import Request
from haulier.pipeline.batches import Weights
from haulier.pipeline.planner import Planner
from haulier.plugins.registry import Registry
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.resolve import resolve

REGISTRY = load_registry()
GO_ON = (
    "No record is rejected for what a plugin does wrong: mend the plugin, or have the destination do without it, "
    "and go on"
)
ONCE = "; every record is carried exactly once"


class Counted:
    """Tells how many records it carries: a body does not grow evenly with them."""

    def __init__(self, settings: NoSettings) -> None:
        """There is nothing to set."""

    def build(self, items: Sequence[Any]) -> dict[str, Any]:
        """Return `{"records": [...], "n": "xxx"}` with an x for each record, squared."""
        return {"records": list(items), "n": "x" * len(items) ** 2}


class Parted:
    """Makes one payload of every second record, and another of the rest."""

    def __init__(self, settings: NoSettings) -> None:
        """There is nothing to set."""

    def build(self, items: Sequence[Any]) -> tuple[Portion, ...]:
        """Return the even ones and the odd ones."""
        return tuple(
            Portion(payload=list(items[first::2]), carries=range(first, len(items), 2))
            for first in range(min(2, len(items)))
        )


def registry_with(name: str, factory: Any) -> Registry:
    algorithm = GroupingAlgorithm(name=name, title=name, description=name, factory=factory)
    return msgspec.structs.replace(REGISTRY, groupings={**REGISTRY.groupings, name: algorithm})


def planner_of(registry: Registry = REGISTRY, way: str = "", **batching: Any) -> Planner:
    written: dict[str, Any] = {"exclude": ["side"]} if way == "shallow" else {}
    if way == "full":
        written["content_format"] = "xml"
    destination = destination_from(
        {"name": "d", "request": {"url": "http://127.0.0.1:9/"}, "batching": batching, **written}
    )
    return resolve(destination, registry).planner(RunFacts("f" * 32, 0.0, {}))


def block(records: Iterable[Any], first: int = 0) -> Block:
    return Block(first=first, lines=[json.dumps(record).encode() for record in records], plain=True)


def plan(
    planner: Planner, records: Sequence[Any], size: int = 7
) -> tuple[list[Request], list[RejectedRecord]]:
    requests: list[Request] = []
    rejected: list[RejectedRecord] = []
    pieces = [planner.feed(block(records[at : at + size], at)) for at in range(0, len(records), size)]
    for piece in (*pieces, planner.close()):
        requests += piece.requests
        rejected += piece.rejected
    return requests, rejected


def positions(requests: Iterable[Request]) -> list[list[int]]:
    return [list(request.positions) for request in requests]


texts = st.lists(st.text(max_size=30), max_size=30)


@pytest.mark.parametrize("way", ["untouched", "shallow", "full"])
@given(values=texts, most=st.integers(10, 400), size=st.integers(1, 12), cut=st.integers(1, 9))
@settings(max_examples=60)
def test_no_body_is_larger_unless_one_record_alone_is(
    way: str, values: list[str], most: int, size: int, cut: int
) -> None:
    """Whether it is added up beforehand or measured afterwards: all records go, each once, in order."""
    planner = planner_of(way=way, size=size, max_bytes=most)
    records = [{"id": f"a{value.encode().hex()}", "side": 1} for value in values]
    requests, rejected = plan(planner, records, cut)
    assert rejected == []
    assert [position for request in requests for position in request.positions] == list(range(len(values)))
    for request in requests:
        assert len(request.positions) <= size
        assert request.length <= most or len(request.positions) == 1
    alone = [f"record {r.positions[0]} ({r.length:,} bytes)" for r in requests if r.length > most]
    named = alone[:5] + ([f"{len(alone) - 5} more"] if len(alone) > 5 else [])
    begin = f"larger alone than batching.max_bytes ({most}), so sent alone: "
    told = [remark for remark in planner.remarks() if "max_bytes" in remark]
    assert told == ([begin + ", ".join(named)] if named else [])


@given(values=texts, most=st.integers(40, 400))
@settings(max_examples=60)
def test_what_is_added_up_fills_bodies_to_the_last_record(values: list[str], most: int) -> None:
    """No record could have gone with the batch before it."""
    requests, _ = plan(planner_of(size=1000, max_bytes=most), [{"t": value} for value in values])
    for before, after in pairwise(requests):
        assert before.length + len(",") + len(after.records[0]) > most


@pytest.mark.parametrize("most", [60, 90, 1000])
def test_a_grouping_whose_bodies_grow_unevenly_is_measured(most: int) -> None:
    planner = planner_of(registry_with("counted", Counted), grouping="counted", size=10, max_bytes=most)
    requests, rejected = plan(planner, [{"id": number} for number in range(50)])
    assert rejected == []
    assert [position for one in positions(requests) for position in one] == list(range(50))
    assert all(request.length <= most or len(request.positions) == 1 for request in requests)


def test_bodies_are_added_up_only_where_they_grow_evenly() -> None:
    even = planner_of(grouping={"name": "property", "property_name": "r"}, max_bytes=100)
    assert even._making.weights() == Weights(base=len('{"r":[]}'), between=1, most=100)
    uneven = planner_of(registry_with("counted", Counted), grouping="counted", max_bytes=100)
    assert uneven._making.weights() is None


@given(
    st.lists(
        st.sampled_from([{}, {"a": None}, {"a": 1}, {"a": True}, {"a": "1"}, {"a": {"b": 1}}]), max_size=40
    ),
    st.integers(1, 5),
)
@settings(max_examples=60)
def test_records_that_differ_never_share_a_batch_and_keep_their_order(records: list[Any], size: int) -> None:
    requests, _ = plan(planner_of(size=size, group_by="a"), records)
    assert sorted([position for one in positions(requests) for position in one]) == list(range(len(records)))
    met: dict[str, list[int]] = {}
    for request in requests:
        (value,) = {json.dumps(records[position]) for position in request.positions}
        met.setdefault(value, []).extend(request.positions)
    assert all(found == sorted(found) for found in met.values())
    assert len(requests) == sum(-(-len(found) // size) for found in met.values())


@pytest.mark.parametrize("way", ["untouched", "full"])
def test_the_same_value_is_the_same_however_it_is_written(way: str) -> None:
    planner = planner_of(way=way, group_by=["a", "b.c"])
    lines = [
        b'{"a":"x","b":{"c":[1, 2]}}',
        b'{"b":{"c":[1,2]},"a":"\\u0078"}',
        b'{"a":"x","b":{}}',
        b'{"a":"x"}',
    ]
    planner.feed(Block(first=0, lines=lines, plain=True))
    assert positions(planner.close().requests) == [[0, 1], [2, 3]]


def test_no_more_than_ten_thousand_records_wait_and_the_fullest_go_first() -> None:
    planner, held, gone = planner_of(size=5_001, group_by="k"), 0, []
    for first in range(0, 10_200, 200):
        keys = [0 if number % 2 else 1 + number for number in range(first, first + 200)]
        planned = planner.feed(block(({"k": key} for key in keys), first))
        held += 200 - sum(len(request.positions) for request in planned.requests)
        assert held <= 10_002
        gone += positions(planned.requests)
    assert max(gone, key=len) == list(range(1, 10_002, 2))
    assert set(map(len, gone)) <= {1, len(max(gone, key=len))}


def test_no_more_than_sixteen_mib_wait() -> None:
    planner, held = planner_of(size=5_000, group_by="k"), 0
    for first in range(0, 4_000, 100):
        planned = planner.feed(
            block(({"k": n % 3, "t": "x" * 10_000} for n in range(first, first + 100)), first)
        )
        held += sum(1 for _ in range(100)) - sum(len(request.positions) for request in planned.requests)
        assert held * 10_000 <= 16 << 20


def test_a_record_waits_no_longer_than_it_may() -> None:
    planner = planner_of(size=3, max_wait=2, group_by="k")
    assert planner.deadline() is None
    planner.feed(block([{"k": 0}, {"k": 1}]), now=10.0)
    planner.feed(block([{"k": 0}], 2), now=11.0)
    assert planner.deadline() == 12.0
    assert planner.due(11.9).requests == []
    assert positions(planner.due(12.0).requests) == [[0, 2], [1]]
    assert planner.deadline() is None
    planner.feed(block([{"k": 1}] * 4, 3), now=13.0)  # three are full: the fourth waits from now on
    planner.feed(block([{"k": 0}], 7), now=14.0)
    assert planner.deadline() == 15.0
    assert positions(planner.due(15.5).requests) == [[6]]
    assert planner.deadline() == 16.0
    assert planner.held() == 7


def test_what_is_left_of_a_full_batch_waits_from_when_it_came() -> None:
    planner = planner_of(size=3, max_wait=2)
    planner.feed(block([{}, {}]), now=1.0)
    assert positions(planner.feed(block([{}, {}], 2), now=2.5).requests) == [[0, 1, 2]]
    assert planner.deadline() == 4.5


def test_without_a_limit_in_time_nothing_is_due() -> None:
    planner = planner_of(size=3)
    planner.feed(block([{}]), now=1.0)
    assert planner.deadline() is None
    assert planner.due(1e9).requests == []


def test_an_item_is_whole_one_value_or_chosen_attributes() -> None:
    records = [{"id": 1, "side": "left", "n": 1.50}, {"n": 2}]
    for item, expected in [
        ("", records),
        ("n", [1.5, 2]),
        (["n", "id"], [{"n": 1.5, "id": 1}]),
    ]:
        (request,), rejected = plan(planner_of(item=item), records)
        assert json.loads(request.body) == expected  # type: ignore[arg-type]
        assert [one.position for one in rejected] == [1] * (len(records) - len(expected))


def test_several_payloads_of_one_batch_are_requests_of_their_own() -> None:
    planner = planner_of(registry_with("parted", Parted), grouping="parted", size=5)
    requests, rejected = plan(planner, [{"id": number} for number in range(11)])
    assert rejected == []
    assert positions(requests) == [[0, 2, 4], [1, 3], [5, 7, 9], [6, 8], [10]]
    assert [json.loads(request.body)[0]["id"] for request in requests] == [0, 1, 5, 6, 10]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("carries", "why"),
    [
        (
            [[0, 1]],
            "the payloads leave out 1 of 3 records and carry 0 more than once (record 2 is in none)" + ONCE,
        ),
        (
            [[0, 1, 2], [1]],
            "the payloads leave out 0 of 3 records and carry 1 more than once (record 1 is in two)" + ONCE,
        ),
        ([[0, 1, 3], [2]], "a payload names the record 3 of a batch of 3; they count from 0"),
        ([[0, 1, 1], [2]], "a payload names the record 1 twice; name each once"),
        ([[1, 0], [2]], "a payload names its records out of order; name them as they came, each once"),
        ([[0, 1, 2], []], "a payload names no record; each payload carries one at least"),
    ],
)
def test_payloads_that_lose_or_double_a_record_are_the_plugins_fault_and_reject_nobody(
    carries: list[list[int]], why: str
) -> None:
    class Wrong(Parted):
        def build(self, items: Sequence[Any]) -> tuple[Portion, ...]:
            return tuple(
                Portion(payload=[items[at % len(items)] for at in places], carries=places)
                for places in carries
            )

    planner = planner_of(registry_with("wrong", Wrong), grouping="wrong", size=3)
    with pytest.raises(PluginError) as caught:
        plan(planner, [{"id": number} for number in range(3)])
    assert str(caught.value) == f"destination `d`: grouping wrong: {why} (records 0 to 2). {GO_ON}"


@pytest.mark.parametrize("named", [(0, "first is bad"), ({"id": 0}, "a copy"), 0])
def test_each_of_a_grouping_names_items_of_the_batch(named: Any) -> None:
    class Wrong(Parted):
        def build(self, items: Sequence[Any]) -> tuple[Portion, ...]:
            raise RecordError("no good", each=[named])

    planner = planner_of(registry_with("wrong", Wrong), grouping="wrong", size=3)
    with pytest.raises(PluginError) as caught:
        plan(planner, [{"id": number} for number in range(3)])
    assert str(caught.value) == (
        "destination `d`: grouping wrong raised RecordError('no good'), whose `each` names something that is no item "
        f"of the batch; name the very items that `build` was given: each=[(item, reason)] "
        f"(records 0 to 2). {GO_ON}"
    )


@pytest.mark.parametrize("wrong", [{"max_bytes": 0}, {"max_wait": 0}, {"size": 0}, {"group_by": [1]}])
def test_bounds_that_cannot_be_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Batching.model_validate(wrong)
    assert [fault["loc"][0] for fault in caught.value.errors()] == [*wrong]


@pytest.mark.parametrize("way", ["untouched", "full"])
def test_attributes_that_no_record_has_are_told(way: str) -> None:
    planner = planner_of(way=way, group_by=["a.b", "none"])
    told = "no record so far has the attribute"
    assert planner.remarks() == ()
    planner.feed(block([{"a": 1}]))
    assert planner.remarks() == (
        f"batching.group_by: {told} `a.b`; is it spelt so?",
        f"batching.group_by: {told} `none`; is it spelt so?",
    )
    planner.feed(block([{"a": {"b": None}}], 1))
    assert planner.remarks() == (f"batching.group_by: {told} `none`; is it spelt so?",)
