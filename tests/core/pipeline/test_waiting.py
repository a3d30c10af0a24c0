"""Groupings that wait: work may be done in any order, and what comes of it is in order all the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haulier.authoring import GroupingAlgorithm, NoSettings, Portion, Program, Work
from haulier.errors import PluginError, RecordError
from haulier.io.destinations import destination_from
from haulier.model.block import Block
from haulier.model.expression import RunFacts
from haulier.model.request import Request
from haulier.pipeline import making
from haulier.pipeline.planner import OpenWork, Planned, Planner
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.resolve import resolve

PROGRAM = Program(source="there is none: the test does the work")


class Waits:
    """Has a program called with each batch; where it is sent a text, a second time."""

    program = PROGRAM

    def __init__(self, settings: NoSettings) -> None:
        """There is nothing to set."""

    def build(self, items: Sequence[Any]) -> Generator[Work, Any, Any]:
        """Return what it is sent."""
        made = yield Work(PROGRAM, items)
        if made == "again":
            made = yield Work(PROGRAM, items)
        if made == "wrong":
            raise KeyError("mine")
        return made


def planner_of(content_format: str = "json", compress: str | None = None, **batching: Any) -> Planner:
    registry = load_registry()
    algorithm = GroupingAlgorithm(name="waits", title="W", description="w", factory=Waits, waits=True)
    registry = msgspec.structs.replace(registry, groupings={**registry.groupings, "waits": algorithm})
    written = {
        "name": "d",
        "request": {"url": "http://127.0.0.1:9/", "content_format": content_format},
        "format_settings": {"template": "{record.v}"} if content_format == "text" else {},
        "compress": compress,
        "batching": {"grouping": "waits", **batching},
    }
    return resolve(destination_from(written), registry).planner(RunFacts("f" * 32, 0.0, {}))


def block(first: int, count: int) -> Block:
    return Block(first=first, lines=[b'{"id":%d}' % (first + at) for at in range(count)], plain=True)


def payload(work: OpenWork) -> tuple[Portion, ...]:
    return (Portion(payload=[json.loads(bytes(item)) for item in work.work.items]),)


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    size=st.integers(1, 5),
    bad=st.sets(st.integers(0, 40), max_size=4),
    again=st.booleans(),
    max_bytes=st.sampled_from([None, 25]),
    data=st.data(),
)
@settings(max_examples=80, deadline=None)
def test_whatever_order_work_is_done_in_requests_come_in_order_and_nothing_is_lost(
    sizes: list[int], size: int, bad: set[int], again: bool, max_bytes: int | None, data: st.DataObject
) -> None:
    """And `held` is the oldest record that is nowhere yet: the low-water mark is made of it."""
    planner = planner_of(size=size, max_bytes=max_bytes)
    todo: list[OpenWork] = []
    sent: list[int] = []
    numbers: list[int] = []
    rejected: list[int] = []
    asked: set[int] = set()
    read = 0

    def take(planned: Planned) -> None:
        todo.extend(planned.work)
        for request in planned.requests:
            numbers.append(request.number)
            sent.extend(request.positions)
            assert [one["id"] for one in json.loads(request.body)] == list(request.positions)  # type: ignore[arg-type]
            assert max_bytes is None or request.length <= max_bytes or len(request.positions) == 1
        rejected.extend(one.position for one in planned.rejected)
        left = set(range(read)) - set(sent) - set(rejected)
        assert planner.held() == min(left, default=None)
        assert planner.working == len(todo)

    def do_one() -> None:
        work = todo.pop(data.draw(st.integers(0, len(todo) - 1)))
        result: Any = payload(work)
        if bad & set(work.positions):
            result = RecordError("no")
        elif again and work.ticket not in asked:
            asked.add(work.ticket)
            result = "again"
        take(planner.done(work.ticket, result))

    for count in sizes:
        planned = planner.feed(block(read, count))
        read += count
        take(planned)
        while todo and data.draw(st.booleans()):
            do_one()
    take(planner.close())
    while todo:
        do_one()
    assert sent == sorted(sent)
    assert sorted(sent + rejected) == list(range(read))
    assert numbers == list(range(len(numbers)))
    assert set(rejected) >= bad & set(range(read))
    if max_bytes is None:
        assert all(any(one in bad for one in range(at - at % size, at - at % size + size)) for at in rejected)


def test_each_batch_that_could_not_be_made_is_told_apart() -> None:
    planner = planner_of(size=2)
    work = planner.feed(block(0, 6)).work
    told = [planner.done(one.ticket, RecordError(f"no {one.ticket}")).rejected for one in work]
    assert [[(one.position, one.reason, one.batch) for one in batch] for batch in told] == [
        [(0, "no 1 (records 0 to 1)", 1), (1, "no 1 (records 0 to 1)", 1)],
        [(2, "no 2 (records 2 to 3)", 2), (3, "no 2 (records 2 to 3)", 2)],
        [(4, "no 3 (records 4 to 5)", 3), (5, "no 3 (records 4 to 5)", 3)],
    ]


def test_code_that_leaves_records_out_rejects_its_batch_alone() -> None:
    planner = planner_of(size=2)
    first, second = planner.feed(block(0, 4)).work
    told = planner.done(first.ticket, (Portion(payload=[], carries=[0]),))
    assert [(one.position, one.reason) for one in told.rejected] == [
        (
            at,
            "the payloads leave out 1 of 2 records and carry 0 more than once (record 1 is in none); every record is "
            "carried exactly once (records 0 to 1)",
        )
        for at in range(2)
    ]
    assert [list(one.positions) for one in planner.done(second.ticket, payload(second)).requests] == [[2, 3]]


def test_what_a_grouping_that_waits_raises_by_itself_names_it() -> None:
    planner = planner_of(size=1)
    (work,) = planner.feed(block(0, 1)).work
    with pytest.raises(PluginError, match="grouping waits raised KeyError: 'mine'"):
        planner.done(work.ticket, "wrong")


def test_requests_that_must_wait_are_not_made_again_at_once_but_by_their_work() -> None:
    planner = planner_of(size=3)
    assert planner.rebuild(7, [block(0, 2)]) is None
    making = planner.remake([block(0, 2)])
    waiting = next(making)
    with pytest.raises(StopIteration) as ended:
        making.send(payload(OpenWork(1, waiting.work, waiting.positions)))
    (request,) = ended.value.value
    assert (list(request.positions), request.body) == ([0, 1], b'[{"id":0},{"id":1}]')


def large(work: OpenWork) -> tuple[Portion, ...]:
    """As JSON text, as code returns it: each record many times, so that most are above the size that is waited for."""
    made = [{"v": f"{one}, \u00e9", "n": 1.5} for one in work.positions for _ in range(one * 150 + 1)]
    return (Portion(payload=msgspec.Raw(json.dumps(made).encode())),)


@pytest.mark.parametrize("compress", [None, "gzip"])
@pytest.mark.parametrize("content_format", ["json", "ndjson", "csv", "xml", "text"])
@given(data=st.data())
@settings(max_examples=6, deadline=None)
def test_a_large_body_is_made_as_work_and_is_the_same_byte_for_byte(
    content_format: str, compress: str | None, data: st.DataObject
) -> None:
    """Chores come back in any order, and the requests are those of a planner that waits for none."""

    def planned(most: int, pick: Callable[[int], int]) -> tuple[list[Request], int]:
        planner = planner_of(content_format, compress, size=2, max_bytes=40_000)
        requests: list[Request] = []
        chores = 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(making, "_MANY_BYTES", most)
            came = planner.feed(block(0, 9)), planner.close()
            todo = [work for piece in came for work in piece.work]
            while todo:
                work = todo.pop(pick(len(todo)))
                chores += isinstance(work.work, making.Chore)
                result = making.carried(work.work, work.positions, lambda _, __, work=work: large(work))  # type: ignore[misc]
                done = planner.done(work.ticket, result)
                todo.extend(done.work)
                requests.extend(done.requests)
        return requests, chores

    at_once, none = planned(1 << 40, lambda count: 0)
    waited, some = planned(16 << 10, lambda count: data.draw(st.integers(0, count - 1)))
    assert waited == at_once
    assert list(waited[0].positions) == [0, 1]
    assert (none, some > 3) == (0, True)
