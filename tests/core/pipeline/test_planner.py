"""Blocks in, requests out: every record in exactly one place, whatever the blocks, the settings and the bad lines."""

from __future__ import annotations

import inspect
import json
import os
import sys
from array import array
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haulier.errors import ConfigurationError
from haulier.io.destinations import destination_from
from haulier.io.readers import open_records
from haulier.io.readers.lines import is_plain
from haulier.model.block import Block, RejectedRecord, part_of
from haulier.model.expression import RunFacts
from haulier.model.request import Body, Request
from haulier.pipeline.planner import Planner, idempotency_key
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.resolve import resolve

RUN = "f" * 32
REGISTRY = load_registry()
HERE = "http://127.0.0.1:9/things"


def planner_of(way: str | None = None, **written: Any) -> Planner:
    """A planner of a destination written so; `way` reads records otherwise than is cheapest."""
    request = {"method": "POST", "url": HERE, **written.pop("request", {})}
    resolved = resolve(destination_from({"name": "d", "request": request, **written}), REGISTRY)
    planner = resolved.planner(RunFacts(RUN, 1_700_000_000.0, {}))
    return planner if way is None else Planner(msgspec.structs.replace(planner._spec, way=way))


def blocks_of(lines: Sequence[bytes], sizes: Iterable[int] = (3,)) -> list[Block]:
    """The lines cut into blocks of these sizes, again and again."""
    blocks: list[Block] = []
    cuts, at = list(sizes), 0
    while at < len(lines):
        size = cuts[len(blocks) % len(cuts)]
        part = list(lines[at : at + size])
        plain = is_plain(part)
        blocks.append(Block(first=at, lines=part, first_line=at + 1, plain=plain))
        at += size
    return blocks


def plan(planner: Planner, blocks: Iterable[Block]) -> tuple[list[Request], list[RejectedRecord]]:
    requests: list[Request] = []
    rejected: list[RejectedRecord] = []
    for planned in (*(planner.feed(block) for block in blocks), planner.close()):
        requests += planned.requests
        rejected += planned.rejected
    return requests, rejected


def body(request: Request) -> Any:
    assert isinstance(request.body, bytes)
    return json.loads(request.body)


SETTINGS: dict[str, dict[str, Any]] = {
    "one by one": {},
    "one by one, one left out": {"exclude": ["side"]},
    "batches": {"batching": {"size": 4}},
    "batches, one left out": {"batching": {"size": 4}, "exclude": ["side"]},
    "batches of values": {"batching": {"size": 4, "item": "id"}},
    "batches of chosen attributes": {"batching": {"size": 4, "item": ["side", "none"]}},
    "batches by side": {"batching": {"size": 4, "group_by": "side"}, "exclude": ["side"]},
    "batches in bytes": {"batching": {"size": 9, "max_bytes": 60}},
    "batches in bytes, one left out": {"batching": {"size": 9, "max_bytes": 40}, "exclude": ["side"]},
    "batches in bytes by side": {"batching": {"size": 9, "max_bytes": 70, "group_by": ["side", "id"]}},
    "two addresses": {"batching": {"size": 4}, "request": {"url": HERE + "/{record.side}"}},
    "query": {"request": {"method": "GET"}},
    "form": {"request": {"content_format": "form"}},
    "multipart": {"request": {"content_format": "multipart"}},
    "body values": {"request": {"body": {"text": "{record.side}", "n": 3}}},
}
lines_of_records = st.lists(
    st.one_of(
        st.builds(
            lambda number, side: json.dumps({"id": number, "side": side}).encode(),
            st.integers(0, 99),
            st.sampled_from(["left", "right"]),
        ),
        st.sampled_from(
            [b'{"id":', b"[]", b'{"id":NaN,"side":"left"}', b'{"side":"\xff"}', b'{"x":1}', b"{}"]
        ),
    ),
    max_size=40,
)


@pytest.mark.parametrize("way", SETTINGS)
@given(lines=lines_of_records, sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4))
@settings(max_examples=40)
def test_every_record_is_in_one_request_or_rejected_once(
    way: str, lines: list[bytes], sizes: list[int]
) -> None:
    requests, rejected = plan(planner_of(**SETTINGS[way]), blocks_of(lines, sizes))
    found = [position for request in requests for position in request.positions]
    assert sorted(found + [record.position for record in rejected]) == list(range(len(lines)))
    assert [request.number for request in requests] == list(range(len(requests)))
    for request in requests:
        assert list(request.positions) == sorted(request.positions)
        assert request.records == [lines[position] for position in request.positions]
        assert request.length == len(request.body)
        assert request.sha256 == sha256(request.body).digest()  # type: ignore[arg-type]
    for record in rejected:
        assert record.line == lines[record.position]
        assert record.place == f"line {record.position + 1}"
        assert record.reason.startswith(f"{record.place}: ")


@pytest.mark.parametrize(
    ("written", "within"),
    [
        ({}, "all"),
        ({"batching": {"size": 2}}, "list"),
        ({"batching": {"size": 2, "max_bytes": 60}}, "list"),
        ({"batching": {"size": 2, "grouping": {"name": "property", "property_name": "things"}}}, "last"),
        ({"batching": {"size": 2}, "exclude": ["side"]}, ""),
        ({"batching": {"size": 2}, "compress": "gzip"}, ""),
        ({"batching": {"size": 2}, "request": {"content_format": "ndjson"}}, ""),
        ({"request": {"body": {"n": 3}}}, ""),
    ],
)
def test_records_that_stand_in_their_body_are_kept_there_only(written: dict[str, Any], within: str) -> None:
    lines = [b'{"side": 1.10}', b'{"side":"\\u00e9", "x":{}}', b'{"x":[ ]}']
    requests, _ = plan(planner_of(**written), blocks_of([line + b" \n" for line in lines], [3]))
    assert {request.within for request in requests} == {within}
    assert [not request.texts for request in requests] == [bool(within)] * len(requests)
    assert [text for request in requests for text in request.records] == lines


class _Otherwise:
    """Places the items in another order, or not all, or one of them twice."""

    def __init__(self, places: Sequence[int]) -> None:
        self._places = places

    def build(self, items: Sequence[Any]) -> Any:
        return [items[at] for at in self._places]


@pytest.mark.parametrize("places", [[1, 0], [0], [0, 0]])
def test_records_that_stand_otherwise_in_their_body_are_kept_beside_it(places: Sequence[int]) -> None:
    made = planner_of(batching={"size": 2})._spec
    planner = Planner(msgspec.structs.replace(made, grouping=_Otherwise(places), placed=False))
    lines = [b'{"n":1}', b'{"n":2}']
    (request,), _ = plan(planner, blocks_of(lines))
    assert (request.within, request.records) == ("", lines)


@pytest.mark.parametrize("written", [{}, {"batching": {"size": 2}}])
def test_what_an_encoder_says_of_where_records_stand_is_not_taken(written: dict[str, Any]) -> None:
    def encode(payload: Any, settings: Any) -> Body:
        return Body(parts=(b"[9]",), media_type="application/json", within="list")

    planner = Planner(msgspec.structs.replace(planner_of(**written)._spec, encode=encode, verbatim=False))
    requests, _ = plan(planner, blocks_of([b'{"n":1}', b'{"n":2}']))
    assert [text for request in requests for text in request.records] == [b'{"n":1}', b'{"n":2}']


def test_records_are_found_again_from_however_deep_the_program_asks() -> None:
    """The planner could read them; whoever asks for them may have less left of what the interpreter allows."""
    deep = b'{"a":' * 400 + b"1" + b"}" * 400
    requests, rejected = plan(planner_of(batching={"size": 2}), blocks_of([deep, deep]))
    assert not rejected

    def asked(below: int) -> list[bytes]:
        return asked(below - 1) if below else requests[0].records

    here = len(inspect.stack(0))
    assert asked(sys.getrecursionlimit() - here - 200) == [deep, deep]


@pytest.mark.parametrize("way", SETTINGS)
@given(lines=lines_of_records)
@settings(max_examples=25)
def test_a_line_feed_behind_a_line_is_seen_nowhere(way: str, lines: list[bytes]) -> None:
    """Readers may leave it there: parting lines without it costs twice as much."""
    bare, rejected = plan(planner_of(**SETTINGS[way]), blocks_of(lines))
    blocks = [
        msgspec.structs.replace(block, lines=[line + b"\n" for line in block.lines])
        for block in blocks_of(lines)
    ]
    requests, as_well = plan(planner_of(**SETTINGS[way]), blocks)
    assert as_well == rejected
    assert [msgspec.structs.replace(request, texts=b"") for request in requests] == [
        msgspec.structs.replace(request, texts=b"") for request in bare
    ]
    assert [request.records for request in requests] == [request.records for request in bare]
    assert [block.records for block in blocks] == [block.lines for block in blocks_of(lines)]


def test_a_line_feed_is_not_in_the_text_of_a_record_that_its_format_refuses() -> None:
    planner = planner_of(request={"content_format": "xml"}, batching={"size": 2})
    lines = [b'{"a":"\\u0001"}\n', b'{"a":"b"}\n']
    requests, rejected = plan(planner, [Block(first=0, lines=lines)])
    assert [record.line for record in rejected] == [b'{"a":"\\u0001"}']
    assert [request.records for request in requests] == [[b'{"a":"b"}']]


@pytest.mark.parametrize("way", SETTINGS)
@given(lines=lines_of_records, sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4))
@settings(max_examples=25)
def test_blocks_decide_nothing(way: str, lines: list[bytes], sizes: list[int]) -> None:
    """Requests come in another order at most: where records wait for company, a block's end is when they are cut."""
    one = plan(planner_of(**SETTINGS[way]), blocks_of(lines, sizes))
    other = plan(planner_of(**SETTINGS[way]), blocks_of(lines, [1000]))
    shapes = [
        sorted((list(request.positions), request.url, request.body, request.key) for request in requests)
        for requests, _ in (one, other)
    ]
    assert shapes[0] == shapes[1]
    assert sorted(record.position for record in one[1]) == sorted(record.position for record in other[1])


@pytest.mark.parametrize("way", SETTINGS)
def test_a_long_block_comes_to_what_its_records_come_to_one_by_one(way: str) -> None:
    """Though decoded records are planned some hundred at a time: places and reasons of faults as well."""
    lines = [json.dumps({"id": number, "side": "left"}).encode() for number in range(700)]
    for fault in (0, 255, 256, 511, 512, 699):
        lines[fault] = b'{"id":'
    long = plan(planner_of(**SETTINGS[way]), blocks_of(lines, [700]))
    short = plan(planner_of(**SETTINGS[way]), blocks_of(lines, [1]))
    assert [(list(one.positions), one.url, one.body, one.key, one.number) for one in long[0]] == [
        (list(one.positions), one.url, one.body, one.key, one.number) for one in short[0]
    ]
    assert long[1] == short[1]
    assert {0, 255, 256, 511, 512, 699} <= {record.position for record in long[1]}


@pytest.mark.parametrize("way", SETTINGS)
@given(lines=lines_of_records, sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4))
@settings(max_examples=25)
def test_a_request_made_again_is_the_same_in_every_byte(
    way: str, lines: list[bytes], sizes: list[int]
) -> None:
    """As a resume makes it: from the very records, out of blocks that may be cut otherwise."""
    requests, _ = plan(planner_of(**SETTINGS[way]), blocks_of(lines, sizes))
    again = planner_of(**SETTINGS[way])
    for request in reversed(requests):
        parts = [
            part_of(block, position, position + 1)
            for position in request.positions
            for block in blocks_of(lines, [7])
            if block.first <= position < block.first + len(block.lines)
        ]
        made = again.rebuild(request.number, parts)
        assert made is not None
        assert (made.url, made.headers, made.body, made.key, made.number) == (
            request.url,
            request.headers,
            request.body,
            request.key,
            request.number,
        )
        assert list(made.positions) == list(request.positions)


@given(lines=lines_of_records, sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4))
@settings(max_examples=40)
def test_held_is_the_oldest_record_that_is_nowhere_yet(lines: list[bytes], sizes: list[int]) -> None:
    """The low-water mark is made of it: a record below would be lost by a crash."""
    planner, placed = planner_of(**SETTINGS["two addresses"]), set()
    for block in blocks_of(lines, sizes):
        planned = planner.feed(block)
        placed |= {position for request in planned.requests for position in request.positions}
        placed |= {record.position for record in planned.rejected}
        fed = range(block.first + len(block.lines))
        assert planner.held() == min(set(fed) - placed, default=None)
    planner.close()
    assert planner.held() is None


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",)), max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
records = st.dictionaries(st.text(st.characters(exclude_categories=("Cs",)), max_size=6), values, max_size=5)


@given(st.lists(records, min_size=1, max_size=8), st.booleans(), st.booleans())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_bodies_mean_the_same_whichever_way_they_are_made(
    many: list[dict[str, Any]], batched: bool, ascii_only: bool
) -> None:
    lines = [json.dumps(record, ensure_ascii=ascii_only).encode() for record in many]
    written: dict[str, Any] = {"batching": {"size": 3}} if batched else {}
    made = {
        way: [body(request) for request in plan(planner_of(way, **written), blocks_of(lines))[0]]
        for way in ("untouched", "shallow", "full")
    }
    expected = [many[at : at + 3] for at in range(0, len(many), 3)] if batched else many
    assert made == {"untouched": expected, "shallow": expected, "full": expected}


DATA = os.environ.get("HAULIER_TEST_DATA")


@pytest.mark.skipif(DATA is None, reason="HAULIER_TEST_DATA names no folder of real data")
@pytest.mark.parametrize("name", ["movies.jsonl", "earthquakes.jsonl", "airports.csv"])
def test_real_records_arrive_value_by_value_whichever_way(name: str) -> None:
    blocks = list(open_records(Path(DATA or "") / name).blocks())
    expected = [json.loads(line) for block in blocks for line in block.lines]
    for way in ("untouched", "shallow", "full"):
        requests, rejected = plan(planner_of(way, batching={"size": 100}), blocks)
        assert rejected == []
        assert [record for request in requests for record in body(request)] == expected


def test_a_key_belongs_to_one_run_one_set_of_positions_and_one_body() -> None:
    digest = sha256(b"body").digest()
    keys = {
        idempotency_key(run, positions, body)
        for run in (RUN, "0" * 32)
        for positions in (range(2), range(3), array("q", [0, 2]), array("q", [1, 2]))
        for body in (digest, sha256(b"other").digest())
    }
    assert len(keys) == 16
    assert idempotency_key(RUN, range(2), digest) in keys
    assert all(len(key) == 32 and int(key, 16) >= 0 for key in keys)


def test_records_of_two_addresses_never_share_a_request() -> None:
    lines = [json.dumps({"id": number, "side": "ab"[number % 2]}).encode() for number in range(9)]
    requests, _ = plan(planner_of(**SETTINGS["two addresses"]), blocks_of(lines, [5]))
    assert [(request.url[-1], list(request.positions)) for request in requests] == [
        ("a", [0, 2, 4, 6]),
        ("b", [1, 3, 5, 7]),
        ("a", [8]),
    ]


def test_any_number_of_addresses_holds_no_more_than_ten_thousand_records() -> None:
    planner = planner_of(batching={"size": 100}, request={"url": HERE + "/{record.id}"})
    made = 0
    for first in range(0, 30_000, 500):
        lines = [b'{"id":%d}' % number for number in range(first, first + 500)]
        made += sum(
            len(r.positions) for r in planner.feed(Block(first=first, lines=lines, plain=True)).requests
        )
        assert first + 500 - made <= 10_500
    assert made + sum(len(request.positions) for request in planner.close().requests) == 30_000


def test_flush_sends_what_is_held_and_goes_on_counting() -> None:
    planner = planner_of(batching={"size": 4})
    first, second = blocks_of([b'{"id":%d}' % number for number in range(6)], [3])
    assert planner.feed(first).requests == []
    assert [list(request.positions) for request in planner.flush().requests] == [[0, 1, 2]]
    assert planner.held() is None
    assert planner.feed(second).requests == []
    assert [(r.number, list(r.positions)) for r in planner.close().requests] == [(1, [3, 4, 5])]


def test_a_batch_of_one_record_out_of_many_blocks_keeps_every_position() -> None:
    planner = planner_of(batching={"size": 3})
    lines = [b'{"id":0}', b"[]", b'{"id":2}', b"[]", b"[]", b'{"id":5}', b'{"id":6}']
    requests, rejected = plan(planner, blocks_of(lines, [1]))
    assert [(list(r.positions), body(r)) for r in requests] == [
        ([0, 2, 5], [{"id": 0}, {"id": 2}, {"id": 5}]),
        ([6], [{"id": 6}]),
    ]
    assert [record.position for record in rejected] == [1, 3, 4]


def test_get_and_delete_carry_no_body() -> None:
    for method, target in (("GET", "?id=1&side=left"), ("DELETE", "")):
        (request,), _ = plan(planner_of(request={"method": method}), blocks_of([b'{"id":1,"side":"left"}']))
        assert (request.body, request.length, request.url) == (b"", 0, HERE + target)
        assert "Content-Type" not in dict(request.headers)


def test_a_value_beside_a_list_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ConfigurationError, match="source"):
        planner_of(batching={"size": 2}, request={"body": {"source": "catalog"}})


def test_a_value_that_would_take_the_place_of_the_records_is_refused() -> None:
    """The batch would go out without its records, and count as delivered."""
    grouping = {"name": "property", "property_name": "records"}
    with pytest.raises(ConfigurationError, match="records"):
        planner_of(batching={"grouping": grouping}, request={"body": {"records": "all"}})


def test_a_body_value_that_takes_the_place_of_an_attribute_says_so() -> None:
    """What is written in the destination goes before what stands in the record."""
    planner = planner_of(request={"body": {"id": "fixed"}})
    (request,), _ = plan(planner, blocks_of([b'{"id":1,"side":"left"}']))
    assert body(request) == {"id": "fixed", "side": "left"}
