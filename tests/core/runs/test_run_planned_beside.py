"""A run that another process plans does what it would do if it planned by itself; whatever becomes of that process."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.core.runs.carrying import counts, destination, rows, within
from tests.core.runs.wire import Answer, Asked, Wire, answer

import haulier
from haulier.errors import ConfigurationError, HaulierError, RunStopped
from haulier.io.readers.input_hash import InputHash
from haulier.model.block import Block
from haulier.model.destination import Destination
from haulier.model.expression import RunFacts
from haulier.model.request import Body, Request
from haulier.pipeline.planner import Planner
from haulier.pipeline.spec import PlanSpec
from haulier.runs.driving import loop
from haulier.runs.planning.beginning import Begun, begun, planner_beside
from haulier.runs.planning.frames import Frame, requests_of, rows_of
from haulier.runs.planning.handing import give
from haulier.runs.planning.process import PlannerProcess
from haulier.runs.planning.worker import Task
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.resolve import resolve
from haulier.runs.sittings.sending import prepare

pytestmark = pytest.mark.skipif(
    not hasattr(os, "memfd_create"), reason="plans are made in a process of their own on Linux alone"
)


def in_property(size: int, **more: Any) -> dict[str, Any]:
    return {"size": size, "grouping": {"name": "property", "property_name": "items"}, **more}


LINES = b"".join(
    b'{"id":%d,"sku":"S-%d","kind":"%c","text":"%s","price":%d.50,"nested":{"a":[1,{"b":null}]}}\n'
    % (number, number, b"abc"[number % 3], b"x" * (number % 90), number)
    for number in range(1_500)
)
FAULTY = (
    LINES.replace(b'{"id":700,', b'{"id":700').replace(b'{"id":1200,', b"[1200]\n\n{").replace(b"\n", b"\r\n")
)
DESTINATIONS: dict[str, dict[str, Any]] = {
    "untouched, in a property": {"batching": in_property(100)},
    "untouched, an array": {"batching": {"size": 77}},
    "one left out": {"exclude": ["text"], "batching": in_property(64)},
    "an attribute that none has": {"exclude": ["txt"], "batching": {"size": 500}},
    "shaped": {
        "include": ["id", "nested.a", "price", "sku"],
        "rename": {"sku": "name"},
        "add": {"from": "{record.id} of {run.id}", "at": "{now:%Y}", "one": 1},
        "batching": {"size": 50},
    },
    "lines": {"request": {"content_format": "ndjson"}, "batching": {"size": 100, "grouping": "lines"}},
    "csv": {"request": {"content_format": "csv"}, "include": ["id", "sku"], "batching": {"size": 100}},
    "xml": {"request": {"content_format": "xml"}, "include": ["id", "text"], "batching": {"size": 300}},
    "compressed": {"compress": "gzip", "batching": {"size": 1_000}},
    "by what they have in common": {"batching": in_property(40, group_by=["kind"])},
    "bounded in bytes": {"batching": {"size": 100, "max_bytes": 5_000}},
    "oversized": {"batching": {"size": 100, "max_bytes": 120}},
    "all at once": {"batching": {"size": 1_500}},
    "one by one": {"request": {"content_format": "form"}, "include": ["id", "sku"]},
    "by an address of each": {"request": {"method": "PUT"}, "target": "/x/{record.id}?k={record.kind}"},
}


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAULIER_PLANNING", "beside")


def children_of(process: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):  # a thread that has ended meanwhile
            found += map(int, path.read_text().split())
    return found


def planners_of(process: int) -> list[int]:
    """The processes that plan for this one."""
    told = ((child, Path(f"/proc/{child}/cmdline")) for child in children_of(process))
    return [child for child, path in told if path.exists() and b"haulier-planner" in path.read_bytes()]


def is_there(process: int) -> bool:
    """Whether it runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def carried(
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    made: dict[str, Any],
    path: str,
    reply: Callable[[Asked], Answer],
) -> dict[str, Any]:
    """All that there is to see of a run that is planned so; keys belong to a run and are left out."""
    monkeypatch.setenv("HAULIER_PLANNING", way)
    seen: set[int] = set()
    error, before = "", {*children_of(os.getpid())}
    with Wire(reply) as wire:
        try:
            report = within(
                60,
                lambda: haulier.send(
                    destination(wire.url, **made),
                    path,
                    state=way,
                    on_delivery=lambda _: seen or seen.update({*children_of(os.getpid())} - before),
                ),
            )
            told: Any = (report.state, report.reason, counts(report), report.attempts, report.note)
        except HaulierError as raised:
            told, error = None, f"{type(raised).__name__}: {raised}"
        asked = sorted(
            (one.method, one.target, one.header("Content-Type") or "", one.body) for one in wire.asked
        )
    assert bool(seen) is (way == "beside" and bool(asked))
    (run,) = rows(Path(way), "select run_id from run")
    return {
        "told": told,
        "error": error,
        "asked": [(*one[:3], one[3].replace(run[0].encode(), b"RUN")) for one in asked],
        "requests": sorted(
            rows(Path(way), "select first, count, positions, state, status, attempts, reason from request"),
            key=repr,
        ),
        "merged": sorted(rows(Path(way), "select id & 0xffffff, requests, first, size, status from merged")),
        "records": sorted(rows(Path(way), "select position, state, number, reason, text from record")),
        "read": rows(Path(way), "select state, reason, read, digest, low_water from run"),
    }


def both(
    monkeypatch: pytest.MonkeyPatch,
    made: dict[str, Any],
    path: str,
    reply: Callable[[Asked], Answer] = lambda asked: answer(),
) -> dict[str, Any]:
    """What is seen of a run, which is the same wherever it is planned."""
    here = carried(monkeypatch, "here", made, path, reply)
    assert carried(monkeypatch, "beside", made, path, reply) == here
    return here


@pytest.mark.parametrize("name", DESTINATIONS)
@pytest.mark.parametrize("faults", [False, True], ids=["whole", "with faults"])
def test_all_that_is_seen_of_a_run_is_the_same(
    name: str, faults: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("in.jsonl").write_bytes(FAULTY if faults else LINES)
    seen = both(monkeypatch, DESTINATIONS[name], "in.jsonl")
    assert seen["asked"]
    assert (len(seen["records"]) >= 2) is faults


@pytest.mark.parametrize("name", ["in.json", "in.csv", "in.jsonl.gz", "no ending", "a b'c.JSONL"])
def test_every_file_that_core_reads_is_read_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [json.loads(line) for line in LINES.splitlines()]
    written = {
        "in.json": json.dumps(whole, indent=1).encode(),
        "in.csv": "".join(["id,text\n", *(f'{one["id"]},"{one["text"]}"\n' for one in whole)]).encode(),
        "in.jsonl.gz": gzip.compress(LINES),
    }
    Path(name).write_bytes(written.get(name, LINES))
    assert both(monkeypatch, {"batching": in_property(90)}, name)["told"][2] == {"delivered": 1_500}


@pytest.mark.parametrize("length", [0, 3, 5_000_000, 20_000_000])
def test_records_of_any_length_come_through(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("in.jsonl").write_bytes(b'{"id":1}\n{"id":2,"text":"%s"}\n{"id":3}' % (b"x" * length) + b"\n\n")
    assert both(monkeypatch, {"batching": {"size": 2}}, "in.jsonl")["told"][2] == {"delivered": 3}


def test_an_input_that_holds_nothing_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("in.jsonl").write_bytes(b"\n \n")
    assert both(monkeypatch, {"batching": {"size": 2}}, "in.jsonl")["told"][4] == "the input holds no records"


def test_an_input_that_breaks_off_is_told_the_same_and_what_was_read_goes_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("in.jsonl.gz").write_bytes(gzip.compress(LINES, compresslevel=0)[:90_000])
    seen = both(monkeypatch, {"batching": in_property(50)}, "in.jsonl.gz")
    state, reason, read = seen["told"][:3]
    assert state == "stopped"
    assert "in.jsonl.gz" in reason
    assert 0 < read["delivered"] < 1_500


def test_what_is_refused_is_parted_and_tried_again_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def reply(asked: Asked) -> Answer:
        ids = [one["id"] for one in json.loads(asked.body)["items"]]
        return answer(422 if 1_234 in ids else 200)

    Path("in.jsonl").write_bytes(LINES)
    seen = both(
        monkeypatch,
        {
            "batching": in_property(100),
            "all_or_nothing": True,
            "exclude": ["text"],
            "limits": {"max_in_flight": 2},
        },
        "in.jsonl",
        reply,
    )
    assert seen["told"][2] == {"delivered": 1_499, "rejected": 1}
    assert [(position, json.loads(text)["id"]) for position, *_, text in seen["records"]] == [(1_234, 1_234)]


def test_a_run_begins_no_process_for_a_short_file_nor_for_a_part_of_a_long_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("HAULIER_PLANNING", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    line = b'{"id":1,"text":"%s"}\n' % (b"x" * 9_980)
    for lines, limit, begins in [(100, None, False), (1_700, 100, False), (1_700, None, True)]:
        Path("in.jsonl").write_bytes(line * lines)
        seen: set[int] = set()
        before = {*children_of(os.getpid())}
        with Wire() as wire:
            report = haulier.send(
                destination(wire.url, batching={"size": 100}),
                "in.jsonl",
                state="state",
                again=True,
                limit=limit,
                on_delivery=lambda _, seen=seen, before=before: seen.update(
                    {*children_of(os.getpid())} - before
                ),  # type: ignore[misc]
            )
        assert report.delivered == (limit or lines)
        assert bool(seen) is begins


@pytest.mark.parametrize("limit", [None, 3])
def test_a_word_that_is_none_is_refused(limit: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAULIER_PLANNING", "elsewhere")
    Path("in.jsonl").write_bytes(LINES)
    with pytest.raises(
        ConfigurationError,
        match=r"HAULIER_PLANNING is 'elsewhere' in the environment; it may be here or beside, or unset",
    ):
        haulier.send(destination("http://127.0.0.1:9"), "in.jsonl", state="state", limit=limit)


# -- where there can be no such process ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "program", ["#!/bin/sh\nexit 1\n", "", None], ids=["ends at once", "no program", "is gone"]
)
def test_where_the_process_cannot_begin_the_run_plans_by_itself(
    program: str | None, beside: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = Path("python3").absolute()
    if program is not None:
        python.write_text(program)
        python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    Path("in.jsonl").write_bytes(LINES)
    with Wire() as wire:
        report = within(
            60, lambda: haulier.send(destination(wire.url, batching={"size": 100}), "in.jsonl", state="state")
        )
    assert (report.state, counts(report), len(wire.asked)) == ("finished", {"delivered": 1_500}, 15)


def known_here_only(payload: Any, settings: Any) -> Any:
    """An `encode` that another process does not find: it is taken away from its module below."""
    return SPEC.encode(payload, settings)


SPEC: PlanSpec = resolve(
    Destination.model_validate(destination("http://127.0.0.1:9", batching={"size": 100})), load_registry()
).spec(RunFacts("r", 0.0))


def given(process: Begun, spec: PlanSpec) -> bool:
    Path("in.jsonl").touch()
    at = Path("in.jsonl").stat()
    spec = replace(spec, sealed=False)
    which = (at.st_dev, at.st_ino)
    task = Task(path="in.jsonl", which=which, format=None, hashed_by=InputHash.BLAKE3, spec=spec)
    return give(process, task)


@pytest.mark.parametrize("hashed", [False, True])
def test_digests_are_the_same_whoever_works_them_out(hashed: bool) -> None:
    block = Block(first=0, lines=[b'{"n":%d}' % number for number in range(250)], plain=True)

    def planned(planner: Planner) -> list[Request]:
        return [*planner.feed(block).requests, *planner.close().requests]

    heads, these, pieces = rows_of(planned(Planner(replace(SPEC, sealed=False))), hashed=hashed)
    assert [bool(row.digest) for row in these] == [hashed] * 3
    whole = b"".join(pieces)
    frame = Frame(
        first=0,
        first_line=None,
        count=250,
        held=None,
        digest=b"",
        heads=heads,
        rows=these,
        rejected=[],
        remarks=(),
        size=len(whole),
    )
    assert requests_of(frame, whole, 0, Planner(SPEC)) == planned(Planner(SPEC))


def test_a_run_that_is_behind_leaves_digests_to_the_process(
    beside: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes nothing more while its first request is under way; so the slots are taken when it goes on."""
    told: list[bool] = []
    received = Planner.receive

    def noted(self: Planner, *request: Any) -> Request:
        told.append(bool(request[-1]))
        return received(self, *request)

    monkeypatch.setattr(Planner, "receive", noted)
    Path("in.jsonl").write_text(
        "".join(f"{json.dumps({'n': at, 'is': '-' * 2_000})}\n" for at in range(8_000))
    )
    with Wire() as wire:
        wanted = destination(wire.url, batching={"size": 100})
        report = within(60, lambda: haulier.send(wanted, "in.jsonl", state="state"))
        sent = [asked.body for asked in wire.asked]
    assert (report.state, report.delivered, len(sent)) == ("finished", 8_000, 80)
    assert any(told)


def test_a_function_that_has_no_name_cannot_be_handed_over() -> None:
    process = begun()
    assert process is not None
    try:
        assert not given(process, replace(SPEC, encode=lambda payload, settings: Body()))
        assert given(process, SPEC)
    finally:
        process.close()


def test_a_task_that_the_process_does_not_understand_ends_it_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    process = begun()
    assert process is not None
    module = type(sys)("known_to_this_process_alone")
    module.encode = known_here_only  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(known_here_only, "__module__", module.__name__)
    monkeypatch.setattr(known_here_only, "__qualname__", "encode")
    assert pickle.loads(pickle.dumps(known_here_only)) is known_here_only
    try:
        assert given(process, replace(SPEC, encode=known_here_only))
        assert asyncio.run(PlannerProcess(process).ready(60)) is False
    finally:
        process.close()
    assert capfd.readouterr() == ("", "")


def test_a_process_that_does_not_begin_in_time_is_not_waited_for(
    beside: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("haulier.runs.stages.received._BEGINS_S", 0.2)
    monkeypatch.setattr("haulier.runs.planning.beginning._PROGRAM", "import time; time.sleep(60)")
    Path("in.jsonl").write_bytes(LINES)
    with Wire() as wire:
        made = destination(wire.url, batching={"size": 100})
        report = within(50, lambda: haulier.send(made, "in.jsonl", state="state"))
    assert (report.state, counts(report)) == ("finished", {"delivered": 1_500})


def planned_beside(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was planned by another process from here on: the paths, as they were given."""
    found: list[str] = []

    def noted(process: Begun, task: Task) -> bool:
        found.append(task.path)
        return give(process, task)

    monkeypatch.setattr("haulier.runs.planning.choice.give", noted)
    return found


def test_what_a_stranger_brings_is_called_in_the_process_of_the_program(
    beside: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But where its author says that any other one will do."""
    registry = load_registry()
    given = planned_beside(monkeypatch)
    Path("in.jsonl").write_bytes(LINES)
    for anywhere in (False, True):
        encoder = replace(registry.encoders["json"], anywhere=anywhere)
        other = msgspec.structs.replace(registry, encoders={**registry.encoders, "json": encoder})
        monkeypatch.setattr("haulier.runs.sittings.sending.load_registry", lambda other=other: other)
        with Wire() as wire:
            made = destination(wire.url, batching={"size": 100})
            assert haulier.send(made, "in.jsonl", state="state", again=True).delivered == 1_500
        assert given == ["in.jsonl"] * anywhere


def test_a_path_that_is_another_file_elsewhere_is_read_here(
    beside: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("in.jsonl").write_bytes(LINES)
    given = planned_beside(monkeypatch)
    with Wire() as wire, Path("in.jsonl").open() as opened:
        path = f"/dev/fd/{opened.fileno()}"
        made = destination(wire.url, batching={"size": 100})
        report = haulier.send(made, path, state="state", format="jsonl")
    assert (report.state, counts(report), given) == ("finished", {"delivered": 1_500}, [path])


def test_a_chain_is_planned_here(beside: None, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("in.jsonl").write_bytes(b'{"id":1,"first":2}\n')
    given = planned_beside(monkeypatch)
    with Wire() as wire:
        stages = [{"name": "first", "request": {"method": "POST", "url": wire.url + "/x"}}]
        report = haulier.send({"name": "d", "stages": stages}, "in.jsonl", state="state")
    assert (counts(report), len(wire.asked), given) == ({"rejected": 1}, 0, [])


def test_a_run_of_a_file_that_was_changed_since_another_stopped_begins_anew(beside: None) -> None:
    """The process was let go of when the earlier run was to go on."""
    Path("in.jsonl").write_bytes(LINES * 40)
    changed = (LINES * 40).replace(b'"kind":"b"', b'"kind":"z"')
    with Wire(lambda asked: answer(401 if asked.number == 600 else 200)) as wire:
        made = destination(wire.url, batching={"size": 20}, limits={"max_in_flight": 2})
        assert within(60, lambda: haulier.send(made, "in.jsonl", state="state")).state == "stopped"
        Path("in.jsonl").write_bytes(LINES + changed[len(LINES) : -len(LINES)] + LINES)
        report = within(60, lambda: haulier.send(made, "in.jsonl", state="state"))
    assert (report.state, counts(report)) == ("finished", {"delivered": 60_000})


def test_a_file_that_is_changed_before_the_run_begins_is_planned_anew(beside: None) -> None:
    """A person who is asked whether to go on may have a look at it first."""
    Path("in.jsonl").write_bytes(LINES)
    with Wire() as wire, planner_beside("in.jsonl", limit=None) as process:
        assert process is not None
        sitting = prepare(
            destination(wire.url, batching={"size": 100}), "in.jsonl", state="state", beside=process
        )
        assert process.given is not None
        Path("in.jsonl").write_bytes(LINES.replace(b'"kind":"b"', b'"kind":"changed"'))
        report = within(60, lambda: loop.carried(sitting))
        assert process.closed
    assert (report.state, counts(report)) == ("finished", {"delivered": 1_500})
    assert {one["kind"] for body in wire.bodies for one in json.loads(body)} == {"a", "changed", "c"}


@pytest.mark.parametrize(
    ("made", "given"),
    [
        ({}, True),
        ({"add": {"at": "{now:%Y}"}}, False),
        ({"add": {"of": "{run.id}"}}, False),
        ({"add": {"of": "{param.x}"}}, True),
    ],
)
def test_a_plan_is_handed_over_before_the_run_begins_unless_it_depends_on_that(
    made: dict[str, Any], given: bool, beside: None
) -> None:
    Path("in.jsonl").write_bytes(LINES)
    with Wire() as wire, planner_beside("in.jsonl", limit=None) as process:
        assert process is not None
        sitting = prepare(
            destination(wire.url, batching={"size": 100}, **made),
            "in.jsonl",
            state="state",
            params={"x": "y"} if "{param.x}" in made.get("add", {}).values() else None,
            beside=process,
        )
        assert (process.given is not None, process.closed, len(wire.asked)) == (given, False, 0)
        report = within(60, lambda: loop.carried(sitting))
        assert process.given is not None
    assert (report.state, counts(report)) == ("finished", {"delivered": 1_500})


def test_a_process_is_let_go_of_as_soon_as_it_is_known_that_the_plan_is_made_here(beside: None) -> None:
    Path("in.jsonl").write_bytes(LINES)
    with planner_beside("in.jsonl", limit=None) as process:
        assert process is not None
        made = destination("http://127.0.0.1:9", batching={"size": 100, "max_wait": 5})
        prepare(made, "in.jsonl", state="state", beside=process)
        assert process.closed


def test_what_carries_a_run_out_is_imported_behind_the_task_that_is_handed_over(beside: None) -> None:
    Path("in.jsonl").write_bytes(LINES)
    code = (
        "import json, sys\nimport haulier\nfrom haulier.runs.planning import choice\n"
        "give = choice.give\n"
        "def noted(begun, task):\n"
        "    late = ('asyncio', 'sqlite3', 'ssl', 'haulier.runs.driving.driver', 'haulier.io.ledger.store')\n"
        "    print(sorted(set(sys.modules) & set(late)))\n"
        "    return give(begun, task)\n"
        "choice.give = noted\n"
        "print(haulier.send(json.loads(sys.argv[1]), 'in.jsonl', state='state').state)\n"
    )
    with Wire() as wire:
        made = json.dumps(destination(wire.url, batching={"size": 100}))
        told = subprocess.check_output([sys.executable, "-c", code, made], text=True, timeout=60)
    assert told == "[]\nfinished\n"


# -- whatever becomes of either process ------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [1, 20])
def test_where_the_process_is_killed_the_run_stops_and_goes_on_by_the_same_call(
    after: int, beside: None
) -> None:
    Path("in.jsonl").write_bytes(LINES * 40)
    told: list[int] = []

    def kill(_: haulier.Delivered) -> None:
        told.append(len(told))
        if len(told) == after:
            for planner in planners_of(os.getpid()):
                os.kill(planner, signal.SIGKILL)

    with Wire() as wire:
        made = destination(wire.url, batching={"size": 20}, limits={"max_in_flight": 2})
        with pytest.raises(
            RunStopped, match="the process that plans for this run was ended by SIGKILL before all"
        ):
            within(60, lambda: haulier.send(made, "in.jsonl", state="state", on_delivery=kill))
        assert 0 < len(wire.asked) < 1_500
        report = within(60, lambda: haulier.send(made, "in.jsonl", state="state"))
    assert (report.state, counts(report), len(wire.asked)) == ("finished", {"delivered": 60_000}, 3_000)
    assert sorted(one["id"] for body in wire.bodies for one in json.loads(body)) == sorted(
        [*range(1_500)] * 40
    )


_SEND = """
import json, sys
import haulier
print(haulier.send(json.loads(sys.argv[1]), "in.jsonl", state="state").state)
"""


@pytest.fixture
def sending(beside: None) -> Iterator[Callable[[Wire], subprocess.Popen[bytes]]]:
    """Begins a run in a process and a session of its own."""
    begun: list[subprocess.Popen[bytes]] = []

    def begin(wire: Wire) -> subprocess.Popen[bytes]:
        made = destination(
            wire.url, batching={"size": 20}, limits={"max_in_flight": 2, "requests_per_second": 20}
        )
        begun.append(
            subprocess.Popen(
                [sys.executable, "-c", _SEND, json.dumps(made)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        )
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_the_process_ends_with_the_run(
    how: signal.Signals, sending: Callable[[Wire], subprocess.Popen[bytes]]
) -> None:
    Path("in.jsonl").write_bytes(LINES * 40)
    with Wire() as wire:
        process = sending(wire)
        wire.wait(3)
        (planner,) = planners_of(process.pid)
        os.killpg(process.pid, how)  # as a terminal does: whoever is in its group is told
        _, errors = process.communicate(timeout=60)
        until(lambda: not is_there(planner))
        assert errors.count(b"Traceback") == (how is signal.SIGINT)  # that of the interrupted program itself
        before = len(wire.asked)
        report = within(
            60, lambda: haulier.send(destination(wire.url, batching={"size": 20}), "in.jsonl", state="state")
        )
        assert (report.state, report.delivered + report.in_doubt) == ("finished", 60_000)
        assert before < len(wire.asked) <= 3_000 + 2


def test_nothing_is_left_behind(beside: None) -> None:
    def open_files() -> int:
        return len([*Path("/proc/self/fd").iterdir()])

    Path("in.jsonl").write_bytes(LINES)
    with Wire() as wire:
        made = destination(wire.url, batching={"size": 500})
        haulier.send(made, "in.jsonl", state="state", again=True)
        before = open_files()
        for _ in range(5):
            haulier.send(made, "in.jsonl", state="state", again=True)
            with pytest.raises(ConfigurationError):
                haulier.send({**made, "key": 3}, "in.jsonl", state="state")
        assert open_files() == before
    assert planners_of(os.getpid()) == []
