"""Push mode: written as it comes, acknowledged when it is durable, and nothing sent twice that has a name."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import counts, destination, records, rows, within
from tests.core.runs.wire import Wire, answer

import haulier
from haulier.errors import ConfigurationError, RunStopped


def open_run(wire: Wire, *, run_key: str | None = "k", **written: Any) -> haulier.Run:
    return haulier.open_run(destination(wire.url, **written), run_key=run_key, state="state")


def ids(wire: Wire) -> list[int]:
    found = [json.loads(asked.body) for asked in wire.asked]
    return [record["id"] for one in found for record in (one if isinstance(one, list) else [one])]


def test_leaving_the_run_carries_everything() -> None:
    with Wire() as wire:
        with open_run(wire, batching={"size": 4}) as run:
            for first in range(0, 10, 3):
                run.write(records(10)[first : first + 3])
        assert run.report is not None
        assert counts(run.report) == {"delivered": 10}
        assert sorted(ids(wire)) == list(range(10))
        assert run.close() == run.report


def test_an_empty_run_key_is_refused() -> None:
    with (
        Wire() as wire,
        pytest.raises(ConfigurationError, match=r"^the run key is empty; give it a value, or leave it out$"),
    ):
        open_run(wire, run_key="")
    assert not Path("state").exists()


def test_flush_returns_when_all_before_it_is_durable() -> None:
    with Wire(delay_s=0.05) as wire, open_run(wire, batching={"size": 4}) as run:
        run.write(records(6))
        run.flush()
        assert sorted(ids(wire)) == list(range(6))
        assert rows(Path("state"), "select delivered, read, low_water from run") == [(6, 6, 6)]
        run.write(records(2))
        run.flush()
        assert rows(Path("state"), "select delivered, read from run") == [(8, 8)]
        run.flush()


def test_one_chunk_twice_in_one_sitting_is_sent_once() -> None:
    with Wire() as wire:
        with open_run(wire) as run:
            run.write(records(3), id="a")
            run.write(records(3), id="a")
        assert sorted(ids(wire)) == [0, 1, 2]


def stop_after(wire: Wire, *chunks: tuple[str, list[dict[str, Any]]], **written: Any) -> haulier.Report:
    """A sitting that carries these chunks and ends before the run does."""
    with suppress(KeyError), open_run(wire, **written) as run:
        for name, chunk in chunks:
            run.write(chunk, id=name)
        run.flush()
        raise KeyError("the program fails")
    assert run.report is not None
    return run.report


def test_a_settled_chunk_is_acknowledged_without_sending() -> None:
    many = records(30)
    with Wire() as wire:
        first = stop_after(wire, ("a", many[:5]), ("b", many[5:10]))
        assert (first.state, counts(first)) == ("stopped", {"delivered": 10})
        with open_run(wire) as run:
            run.write(many[:5], id="a")
            run.write(many[5:10], id="b")
            run.write(many[10:15], id="c")
        assert run.report is not None
        assert sorted(ids(wire)) == list(range(15))
        assert counts(run.report) == {"delivered": 15}


def test_a_chunk_of_another_size_under_a_known_name_is_refused() -> None:
    with Wire() as wire:
        stop_after(wire, ("a", records(5)))
        with (
            open_run(wire) as run,
            pytest.raises(ConfigurationError, match="'a' was written before with 5 records, now with 4"),
        ):
            run.write(records(4), id="a")


def test_other_records_under_a_known_name_are_refused_in_the_same_sitting_and_in_a_later_one() -> None:
    others = [{"id": number} for number in range(100, 105)]
    refused = "'a' was written before with 5 records, now with others; nothing of it was taken"
    with Wire() as wire:
        with suppress(KeyError), open_run(wire) as run:
            run.write(records(5), id="a")
            with pytest.raises(ConfigurationError, match=refused):
                run.write(others, id="a")
            raise KeyError("the program fails")
        with open_run(wire) as run:
            with pytest.raises(ConfigurationError, match=refused):
                run.write(others, id="a")
            run.write(records(5), id="a")
        assert run.report is not None
        assert counts(run.report) == {"delivered": 5}
        assert sorted(ids(wire)) == list(range(5))


def test_a_chunk_of_an_older_ledger_has_no_content_to_compare() -> None:
    with Wire() as wire:
        stop_after(wire, ("a", records(5)))
        with sqlite3.connect("state/d/ledger.db") as db:
            db.execute("update chunk set sha256 = null")
        db.close()
        with open_run(wire) as run:
            run.write(records(5), id="a")
        assert run.report is not None
        assert counts(run.report) == {"delivered": 5}


def test_a_finished_run_acknowledges_what_it_has_and_takes_nothing_more() -> None:
    with Wire() as wire:
        with open_run(wire) as run:
            run.write(records(3), id="a")
            run.write(records(1))
        first = run.report
        assert first is not None
        with open_run(wire) as again:
            again.write(records(3), id="a")
            again.flush()
            with pytest.raises(ConfigurationError, match="now with 2"):
                again.write(records(2), id="a")
            for _ in range(2):
                with pytest.raises(
                    RunStopped, match="under the key 'k' finished before; nothing more is taken"
                ):
                    again.write(records(1), id="b")
            with pytest.raises(RunStopped, match="finished before; nothing more is taken"):
                again.write(records(1))
        assert again.report is not None
        assert again.report.repeated
        assert (again.report.run_id, counts(again.report)) == (first.run_id, {"delivered": 4})
        assert len(wire.asked) == 4


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"id": 1}, "one dict is no iterable of records; put it into a list"),
        (b'{"id":1}', "one bytes is no iterable of records; put it into a list"),
        ("in.jsonl", "`write` takes records, and 'in.jsonl' is a text; give a path to `send`"),
        (Path("in.jsonl"), "`write` takes records, and 'in.jsonl' is a text; give a path to `send`"),
    ],
)
def test_what_is_no_list_of_records_is_refused(given: Any, told: str) -> None:
    with Wire() as wire, open_run(wire) as run:
        with pytest.raises(ConfigurationError, match=told):
            run.write(given)
        report = run.close()
        assert (report.read, len(wire.asked)) == (0, 0)


def test_without_a_key_every_run_is_a_new_one() -> None:
    with Wire() as wire:
        for _ in range(2):
            with open_run(wire, run_key=None) as run:
                run.write(records(1))
        assert ids(wire) == [0, 0]


def test_malformed_records_stop_only_themselves() -> None:
    with Wire() as wire:
        with open_run(wire) as run:
            run.write([b'{"id":1}', b"{", b"[]", b'{"id":2}'])
            run.write([{"id": float("nan")}, {"id": 3}])
        assert run.report is not None
        assert counts(run.report) == {"delivered": 3, "rejected": 3}
        assert sorted(ids(wire)) == [1, 2, 3]


def test_a_program_that_goes_on_writing_to_a_stopped_run_is_told() -> None:
    with Wire(lambda asked: answer(401)) as wire:
        run = open_run(wire)

        def write_on() -> None:
            for number in range(5000):
                run.write([{"id": number}])
                run.flush()

        with pytest.raises(RunStopped, match="401"):
            within(60, write_on)
        report = within(60, run.close)
        assert report.state == "stopped"
        assert run.close() == report


def test_a_write_after_the_run_has_stopped_is_never_swallowed() -> None:
    with Wire(lambda asked: answer(401)) as wire:
        run = open_run(wire)
        run.write(records(1))
        with pytest.raises(RunStopped):
            run.flush()
        with pytest.raises(RunStopped):
            run.write(records(1))
        report = within(60, run.close)
    assert (report.state, report.read, report.pending, len(wire.asked)) == ("stopped", 1, 1, 1)


def test_a_run_that_stopped_while_much_was_waiting_still_gives_its_report() -> None:
    hold = threading.Event()

    def reply(asked: object) -> bytes:
        hold.wait(60)
        return answer(401)

    with Wire(reply) as wire:
        run = open_run(wire, limits={"max_in_flight": 1})
        written = 0

        def write_much() -> None:
            nonlocal written
            for number in range(2000):
                run.write([{"id": number}])
                written += 1

        writing = threading.Thread(target=lambda: _quiet(write_much))
        writing.start()
        writing.join(1)
        hold.set()
        writing.join(60)
        assert not writing.is_alive()
        report = within(60, run.close)
        assert report.state == "stopped"
        assert run.report == report
        assert counts(report) == {"pending": report.read}


def _quiet(work: Any) -> None:
    try:
        work()
    except RunStopped:
        return


def test_the_error_of_the_with_block_is_the_one_that_is_raised() -> None:
    def program(wire: Wire) -> None:
        with open_run(wire) as run:
            run.write(records(100))
            raise KeyError("mine")

    with Wire(lambda asked: answer(401)) as wire, pytest.raises(KeyError, match="mine"):
        program(wire)


CRASHING = """
import os, sys, time
import haulier
destination = {"name": "d", "request": {"method": "POST", "url": sys.argv[1]}, "batching": {"size": 10}}
run = haulier.open_run(destination, run_key="k", state="state")
run.write([{"id": number} for number in range(int(sys.argv[3]))], id=sys.argv[2])
time.sleep(0.6)
print("read", flush=True)
time.sleep(60)
"""


def crash(wire: Wire, name: str, count: int) -> None:
    """A process that wrote so many records, of which the last five wait for company, and is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", CRASHING, wire.url, name, str(count)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"read\n"
        until = time.monotonic() + 60
        while len(wire.asked) < count // 10 and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("count", [5, 15])
def test_a_chunk_that_a_crash_took_is_sent_when_it_is_written_again(count: int) -> None:
    with Wire() as wire:
        crash(wire, "a", count)
        assert len(wire.asked) == count // 10
        with open_run(wire, batching={"size": 10}, request={"url": wire.url}) as run:
            run.write(records(count), id="a")
        assert run.report is not None
        assert counts(run.report) == {"delivered": count}
        # Where the kill came before the outcome was durable, its request came twice.
        assert sorted(set(ids(wire))) == list(range(count))


def test_a_run_does_not_finish_without_the_records_a_crash_took() -> None:
    """When a run is finished, pending = sending = 0 (DESIGN, 7)."""
    with Wire() as wire:
        crash(wire, "a", 15)
        with open_run(wire, batching={"size": 10}, request={"url": wire.url}) as run:
            run.write([{"id": 99}], id="b")
        assert run.report is not None
        assert run.report.state != "finished" or run.report.pending == 0


FORKING = """
import os, sys
import haulier
destination = {"name": "d", "request": {"method": "POST", "url": sys.argv[1]}}
run = haulier.open_run(destination, run_key="k", state="state")
run.write([{"id": 0}])
run.flush()
if os.fork() == 0:
    try:
        run.write([{"id": 1}])
        run.flush()
    except haulier.HaulierError as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
print(run.close().delivered, flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_after_a_fork_is_told_that_the_run_is_not_its_own() -> None:
    with Wire() as wire:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", FORKING, wire.url],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, _ = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        assert out == "this run belongs to the process that opened it; open another one after a fork\n1\n"
