"""Code as a grouping, on real runs: what it makes is sent in order, what it cannot make is rejected."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import counts, destination, leave_garbage, records, rows, write_records
from tests.core.runs.wire import Asked, Wire, answer

import haulier
from haulier.errors import ConfigurationError, DestinationError

IDS = "def build(records, context):\n    return {'ids': [record['id'] for record in records]}\n"
PICKY = """
def build(records, context):
    for record in records:
        if record["id"] in BAD:
            raise ValueError(f"no {record['id']}")
    return [record["id"] for record in records]
"""


def by_code(url: str, code: str, **written: Any) -> dict[str, Any]:
    batching = {"size": 3, "grouping": {"name": "code", "code": code, **written.pop("grouping", {})}}
    return destination(url, batching=batching | written.pop("batching", {}), **written)


def picky(url: str, *bad: int, **written: Any) -> dict[str, Any]:
    return by_code(url, f"BAD = {list(bad)}\n{PICKY}", **written)


def bodies(wire: Wire) -> list[Any]:
    return [json.loads(asked.body) for asked in wire.asked]


def test_what_code_makes_is_what_preview_shows_and_what_is_sent() -> None:
    with Wire() as wire:
        written = by_code(wire.url, IDS, limits={"max_in_flight": 1})
        shown = haulier.preview(written, records(8), n=10).samples
        report = haulier.send(written, records(8), state="state")
        assert counts(report) == {"delivered": 8}
        assert wire.bodies == [sample.body for sample in shown]
        assert bodies(wire) == [{"ids": [0, 1, 2]}, {"ids": [3, 4, 5]}, {"ids": [6, 7]}]
        assert haulier.plan(written, records(8)).requests == 3


def test_requests_leave_in_order_however_long_each_takes_to_make() -> None:
    """The first batch is made long after the others are."""
    slow = "    if records[0]['id'] == 0:\n        sum(range(3 * 10 ** 6))\n"
    code = IDS.replace("    return", slow + "    return")
    with Wire() as wire:
        written = by_code(wire.url, code, limits={"max_in_flight": 1}, grouping={"seconds": 30})
        report = haulier.send(written, records(30), state="state")
        assert counts(report) == {"delivered": 30}
        assert [body["ids"][0] for body in bodies(wire)] == list(range(0, 30, 3))


def test_one_batch_may_become_several_requests() -> None:
    code = """
def build(records, context):
    found = {}
    for index, record in enumerate(records):
        found.setdefault(record["id"] % 2, []).append(index)
    return [Payload({"of": key, "ids": [records[at]["id"] for at in places]}, records=places)
            for key, places in found.items()]
"""
    with Wire() as wire:
        report = haulier.send(by_code(wire.url, code, batching={"size": 5}), records(6), state="state")
        assert (counts(report), len(wire.asked)) == ({"delivered": 6}, 3)
        assert sorted(body["ids"] for body in bodies(wire)) == [[0, 2, 4], [1, 3], [5]]
    found = rows(Path("state"), "select count(*), sum(stored is not null) from request")
    assert found == [(3, 3)]


def test_bytes_go_out_as_they_are_with_their_media_type() -> None:
    code = "def build(records, context):\n    return (b'a;b', 'text/csv; charset=utf-8')\n"
    with Wire() as wire:
        haulier.send(by_code(wire.url, code), records(3), state="state")
        (asked,) = wire.asked
        assert (asked.body, asked.header("content-type")) == (b"a;b", "text/csv; charset=utf-8")


def test_a_batch_that_code_cannot_make_is_rejected_and_the_rest_goes_on() -> None:
    with Wire() as wire:
        report = haulier.send(picky(wire.url, 4, limits={"max_in_flight": 1}), records(9), state="state")
        assert counts(report) == {"delivered": 6, "rejected": 3}
        assert bodies(wire) == [[0, 1, 2], [6, 7, 8]]
    told = "code:6:19: ValueError: no 4 at raise ValueError(f\"no {record['id']}\") (records 3 to 5)"
    assert rows(Path("state"), "select position, reason from record order by position") == [
        (position, told) for position in (3, 4, 5)
    ]


def test_while_nothing_succeeded_twenty_batches_that_cannot_be_made_stop_the_run() -> None:
    """As twenty refused requests do: it is the code rather than the records, and nobody is rejected."""
    with Wire() as wire:
        report = haulier.send(
            by_code(wire.url, "def build(r, c):\n    return 1 / 0\n"), records(90), state="state"
        )
        assert (report.state, counts(report)) == ("stopped", {"pending": report.read})
        assert report.reason.startswith(
            "the first 20 requests were all refused, so it is a setting rather than the records (the last: code:2:12: "
            "ZeroDivisionError: division by zero at return 1 / 0"
        )
        assert wire.asked == []
        mended = haulier.send(by_code(wire.url, IDS), records(90), state="state")
        assert counts(mended) == {"delivered": 90}


def test_batches_that_cannot_be_made_are_rejected_once_something_succeeds_or_the_input_ends() -> None:
    with Wire() as wire:
        first = haulier.send(picky(wire.url, 0, 3, 6, 30), records(33), state="state")
        assert counts(first) == {"delivered": 21, "rejected": 12}
        none = haulier.send(picky(wire.url, 0, 3), records(6), state="other")
        assert (none.state, counts(none)) == ("finished", {"rejected": 6})


def test_max_rejected_counts_batches_that_cannot_be_made() -> None:
    with Wire() as wire:
        written = picky(wire.url, *range(3, 60, 3), max_rejected=10, limits={"max_in_flight": 1})
        report = haulier.send(written, records(300), state="state")
    assert report.state == "stopped"
    assert report.reason.endswith(
        "records were rejected, more than `max_rejected: 10`; raise it or take it away, as it stops the "
        "same command anew each time"
    )


def test_a_run_that_stopped_goes_on_with_the_very_bodies_that_code_made() -> None:
    """The clock of its code stands where the run began, also for batches that are made later."""
    code = IDS.replace("}\n", ", 'at': context['started']}\n")
    down = True

    def reply(asked: Asked) -> bytes:
        return answer(401 if down and asked.number >= 2 else 200)

    with Wire(reply) as wire:
        written = by_code(wire.url, code, limits={"max_in_flight": 1})
        stopped = haulier.send(written, records(12), run_key="k", state="state")
        assert stopped.state == "stopped"
        down = False
        report = haulier.send(written, records(12), run_key="k", state="state")
        assert counts(report) == {"delivered": 12}
        assert len({body["at"] for body in bodies(wire)}) == 1
        sent = {asked.header("idempotency-key"): asked.body for asked in wire.asked}
        assert len(sent) == 4
        assert all(asked.body == sent[asked.header("idempotency-key")] for asked in wire.asked)


def test_bodies_of_code_are_no_larger_than_max_bytes() -> None:
    with Wire() as wire:
        written = by_code(wire.url, IDS, batching={"size": 50, "max_bytes": 60})
        report = haulier.send(written, records(120), state="state")
        assert counts(report) == {"delivered": 120}
        assert sorted(one for body in bodies(wire) for one in body["ids"]) == list(range(120))
        assert max(len(body) for body in wire.bodies) <= 60


def test_code_that_makes_another_payload_each_time_is_refused_before_anything_is_sent() -> None:
    code = "import random\ndef build(records, context):\n    return random.random()\n"
    written = by_code("http://127.0.0.1:9", code, grouping={"runner": "trusted"})
    with (
        haulier.trusting_code(),
        pytest.raises(DestinationError, match=r"two payloads .* \(from record 0 on\)"),
    ):
        haulier.preview(written, records(3))
    haulier.preview(by_code("http://127.0.0.1:9", code), records(3))  # in the sandbox chance stands still


def test_trusted_code_needs_two_words() -> None:
    code = "import os\ndef build(records, context):\n    return os.getpid()\n"
    with Wire() as wire:
        written = by_code(wire.url, code, grouping={"runner": "trusted"})
        for refused in (haulier.send, haulier.preview, haulier.plan):
            with pytest.raises(ConfigurationError, match="say --trust-code; or write `runner: sandbox`"):
                refused(written, records(3))  # type: ignore[operator]
        assert not haulier.check(written).ok
        with haulier.trusting_code():
            assert haulier.check(written).ok
            assert counts(haulier.send(written, records(3), state="state")) == {"delivered": 3}
            boxed = haulier.send(by_code(wire.url, code), records(3), state="other")
        assert counts(boxed) == {"rejected": 3}
        assert wire.bodies == [str(__import__("os").getpid()).encode()]


def test_code_may_stand_in_a_file_of_the_project_and_nowhere_else(tmp_path: Path) -> None:
    Path("build.py").write_text(IDS)
    (tmp_path.parent / "outside.py").write_text(IDS)
    grouping = {"name": "code", "file": "build.py"}
    with Wire(lambda asked: answer(401 if asked.number == 1 else 200)) as wire:
        written = destination(
            wire.url, batching={"size": 3, "grouping": grouping}, limits={"max_in_flight": 1}
        )
        assert haulier.send(written, records(9), run_key="k", state="state").state == "stopped"
        Path("build.py").write_text(IDS.replace("ids", "numbers"))
        with pytest.raises(ConfigurationError, match="begun with other settings"):
            haulier.send(written, records(9), run_key="k", state="state")
        Path("build.py").write_text(IDS)
        assert counts(haulier.send(written, records(9), run_key="k", state="state")) == {"delivered": 9}
    for path in ("../outside.py", str(tmp_path.parent / "outside.py"), "none.py"):
        wrong = destination("http://127.0.0.1:9", batching={"grouping": grouping | {"file": path}})
        assert not haulier.check(wrong).ok


def test_a_type_check_runs_at_check() -> None:
    (problem,) = haulier.check(
        by_code("http://127.0.0.1:9", IDS.replace("in records]", "in recods]"))
    ).problems
    assert problem == "code:2:48: error[unresolved-reference] Name `recods` used when not defined"


@pytest.mark.parametrize("grouping", [{}, {"code": IDS, "file": "build.py"}, {"code": "  "}])
def test_code_stands_in_one_place(grouping: dict[str, Any]) -> None:
    written = destination("http://127.0.0.1:9", batching={"grouping": {"name": "code", **grouping}})
    with pytest.raises(
        DestinationError, match=r"write either `code: \|` with the source below it, or `file: build.py`"
    ):
        haulier.preview(written, records(1))


def test_lines_are_ndjson_without_being_told_and_nothing_else() -> None:
    with Wire() as wire:
        written = destination(wire.url, batching={"size": 2, "grouping": "lines"})
        haulier.send(written, records(3), state="state")
        assert sorted(wire.bodies) == [b'{"id":0}\n{"id":1}\n', b'{"id":2}\n']
        assert wire.asked[0].header("content-type") == "application/x-ndjson"
    wrong = destination("http://127.0.0.1:9", batching={"grouping": "lines"}, content_format="json")
    with pytest.raises(DestinationError, match="lines goes with the content format ndjson, not with json"):
        haulier.preview(wrong, records(1))


@pytest.mark.parametrize("order", ["none", "strict"])
def test_a_batch_that_is_refused_whole_is_made_again_in_parts_until_the_bad_record_stands_alone(
    order: str,
) -> None:
    def reply(asked: Asked) -> bytes:
        return answer(400 if 5 in json.loads(asked.body)["ids"] else 200)

    with Wire(reply) as wire:
        written = by_code(wire.url, IDS, batching={"size": 4}, all_or_nothing=True, order=order)
        report = haulier.send(written, records(12), state="state")
        assert counts(report) == {"delivered": 11, "rejected": 1}
        taken = [body["ids"] for body in bodies(wire) if 5 not in body["ids"]]
        assert sorted(one for ids in taken for one in ids) == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
        if order == "strict":
            assert taken == [[0, 1, 2, 3], [4], [6, 7], [8, 9, 10, 11]]
    assert rows(Path("state"), "select position from record") == [(5,)]


def test_records_that_a_service_asks_for_again_are_made_again_by_code() -> None:
    def reply(asked: Asked) -> bytes:
        ids = json.loads(asked.body)["ids"]
        each = [{"status": 503 if asked.number == 0 and one % 2 else 200} for one in ids]
        return answer(207, json.dumps(each).encode())

    with Wire(reply) as wire:
        outcomes = {"at": "", "by": "index", "status": "/status"}
        report = haulier.send(by_code(wire.url, IDS, outcomes=outcomes), records(3), state="state")
        assert counts(report) == {"delivered": 3}
        assert [body["ids"] for body in bodies(wire)] == [[0, 1, 2], [1]]


def test_what_a_program_writes_is_made_by_code_and_flush_waits_for_it() -> None:
    with Wire() as wire:
        written = by_code(wire.url, IDS, batching={"max_wait": 0.3})
        with haulier.open_run(written, state="state") as run:
            run.write(records(4))
            run.flush()
            assert sorted(one for body in bodies(wire) for one in body["ids"]) == [0, 1, 2, 3]
            assert rows(Path("state"), "select delivered, read, low_water from run") == [(4, 4, 4)]
            run.write(records(1))
            wire.wait(3)
        assert run.report is not None
        assert counts(run.report) == {"delivered": 5}


KILLED = """
import json, sys, haulier
written = json.loads(sys.argv[1])
haulier.send(written, "in.jsonl", state="state")
"""


def test_a_killed_run_loses_nothing_and_repeats_bodies_byte_by_byte() -> None:
    """What code made stands in the ledger: under its key each request has one body, also after the crash."""
    code = IDS.replace("}\n", ", 'at': context['started']}\n")
    write_records(Path("in.jsonl"), 300)
    with Wire(delay_s=0.02) as wire:
        written = by_code(wire.url, code, limits={"max_in_flight": 4})
        with subprocess.Popen([sys.executable, "-c", KILLED, json.dumps(written)]) as process:
            wire.wait(12)
            process.send_signal(signal.SIGKILL)
        report = haulier.send(written, "in.jsonl", state="state")
        assert (report.state, counts(report)) == ("finished", {"delivered": 300})
        assert {one for body in bodies(wire) for one in body["ids"]} == set(range(300))
        sent: dict[str | None, set[bytes]] = {}
        for asked in wire.asked:
            sent.setdefault(asked.header("idempotency-key"), set()).add(asked.body)
        assert all(len(made) == 1 for made in sent.values())
        assert len({body["at"] for body in bodies(wire)}) == 1


@pytest.mark.parametrize(("uses", "varies"), [("len(records)", False), ("context['started']", True)])
def test_a_preview_says_that_what_uses_the_clock_varies(uses: str, varies: bool) -> None:
    written = by_code("http://127.0.0.1:9", f"def build(records, context):\n    return [{uses}]\n")
    (sample,) = haulier.preview(written, records(1)).samples
    of_code = ("what the code makes of the time, if it asks for it",) if varies else ()
    assert sample.varies == ("header Idempotency-Key", *of_code)


def held_while_carrying(written: dict[str, Any], count: int) -> tuple[haulier.Report, list[float]]:
    """The report of a run of so many records, and for how long each turn of its loop held it, in seconds.

    What the loop does by itself is counted by its own time: a machine under load gives it less, and does not hold it.
    The opening of a run is left out: what is imported for the first one is here before, and the rest is the first turn.
    """
    held: list[float] = []
    small = {"name": "code", "code": "def build(records, context):\n    return [{'a': 1, 'b': 'x'}]\n"}
    assert haulier.send({**written, "batching": {"grouping": small}}, records(1), state="before").ok

    async def carry() -> haulier.Report:
        run = asyncio.create_task(haulier.asend(written, records(count), state="state"))
        while not run.done():
            spent = time.thread_time()
            await asyncio.sleep(0.001)
            held.append(time.thread_time() - spent)
        return await run

    leave_garbage()
    return asyncio.run(carry()), held[1:]


LARGE = [
    "list(range(900000))",
    "[{'a': i} for i in range(400000)]",
    "['x' * 100] * 70000",
    "(b'x' * 8000000, 'text/x')",
]


@pytest.mark.parametrize("returned", LARGE)
def test_the_loop_of_a_run_is_never_held_by_code(returned: str) -> None:
    """Batches that run into their limit, and some of the largest results, beside a loop that wants to go on."""
    code = (
        "def build(records, context):\n    while records[0]['id'] % 3:\n        pass\n"
        f"    return {returned} if records[0]['id'] == 3 else 1\n"
    )
    with Wire() as wire:
        made = by_code(wire.url, code, batching={"size": 1}, grouping={"seconds": 2.0, "memory_mb": 1024})
        report, held = held_while_carrying(made, 4)
        assert counts(report) == {"delivered": 2, "rejected": 2}
        assert max(map(len, wire.bodies)) > 4_000_000
    assert max(held) < 0.020
    assert len(held) > 50


WIDE = (
    "def build(records, context):\n    return [{'a': i, 'b': 'x,' * 30, 'c': i / 7} for i in range(75000)]\n"
)


@pytest.mark.parametrize(
    "writing",
    [
        {"request": {"content_format": "csv"}},
        {"request": {"content_format": "xml"}},
        {"request": {"content_format": "ndjson"}},
        {"request": {"content_format": "text"}, "format_settings": {"template": "{record.a}: {record.b}"}},
        {"compress": "gzip"},
    ],
    ids=["csv", "xml", "ndjson", "text", "gzip"],
)
def test_the_loop_is_never_held_by_writing_what_code_made(writing: dict[str, Any]) -> None:
    """8 MiB of JSON from the sandbox: the format and the compression of it are work for a thread, too."""
    with Wire() as wire:
        made = by_code(wire.url, WIDE, grouping={"seconds": 20.0, "memory_mb": 1024}, **writing)
        report, held = held_while_carrying(made, 3)
        assert counts(report) == {"delivered": 3}
        (shown,) = haulier.preview(made, records(3)).samples
        assert wire.bodies[-1] == shown.body
        assert len(shown.uncompressed) > 5_000_000
    assert max(held) < 0.020
    assert len(held) > 30


@pytest.mark.parametrize(
    ("content_format", "body"),
    [
        ("json", '[{"a":1.5,"b":"é"},{"a":2,"b":"y"}]'),
        ("ndjson", '{"a":1.5,"b":"é"}\n{"a":2,"b":"y"}\n'),
        ("csv", "a,b\r\n1.5,é\r\n2,y\r\n"),
        ("text", "1.5\n2"),
    ],
)
def test_what_code_makes_is_written_by_the_content_format(content_format: str, body: str) -> None:
    code = "def build(records, context):\n    return [{'a': 1.5, 'b': 'é'}, {'a': 2, 'b': 'y'}]\n"
    template = {"format_settings": {"template": "{record.a}"}} if content_format == "text" else {}
    made = by_code("http://127.0.0.1:9", code, request={"content_format": content_format}, **template)
    (sample,) = haulier.preview(made, records(2)).samples
    assert sample.body == body.encode()
