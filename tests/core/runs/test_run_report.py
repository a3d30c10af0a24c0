"""What a report says of a run: counts, rates, cost, waiting, the slowest, and why records failed."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import counts, destination, records, within
from tests.core.runs.wire import Answer, Asked, Wire, answer

import haulier
from haulier.errors import ConfigurationError
from haulier.io.ledger.rows import Commit
from haulier.io.ledger.store import Ledger
from haulier.runs.reports.history import Told, replay_target, told_of


@pytest.fixture(autouse=True)
def project(folder: Path) -> None:
    (folder / "haulier.yaml").write_text("version: 1\n")


def send(wire: Wire, carried: Any, **more: Any) -> haulier.Report:
    return within(60, lambda: haulier.send(destination(wire.url, **more), carried))


def told(report: haulier.Report) -> Told:
    return told_of(report.run_id)


def test_cost_counts_every_request_that_went_out_and_which_went_out_again() -> None:
    failing = {2, 5}

    def reply(asked: Asked) -> Answer:
        number = json.loads(asked.body)["id"]
        if number not in failing:
            return answer()
        failing.remove(number)
        return answer(503)

    with Wire(reply) as wire:
        report = send(wire, records(20), limits={"max_in_flight": 1})
        figures = told(report).figures
        assert (figures.attempts, figures.requests, figures.repeated) == (len(wire.asked), 20, 2)
        assert figures.attempts == 22


def test_reasons_that_differ_by_their_place_alone_are_one(folder: Path) -> None:
    """What a service says is left as it is, whatever it begins with."""
    Path("in.jsonl").write_text('{"id":0}\n' + "7\n" * 30 + "nothing\n" + '{"id":1}\n{"id":2}\n')

    def reply(asked: Asked) -> Answer:
        number = json.loads(asked.body)["id"]
        return answer(400, f"line {number}: bad".encode()) if number else answer()

    with Wire(reply) as wire:
        report = send(wire, "in.jsonl", limits={"max_in_flight": 1})
        listed = told(report).reasons
    assert listed == (
        ("rejected", "is a number, not a JSON object", 30),
        ("rejected", listed[1][1], 1),
        ("rejected", "the service answered 400: line 1: bad", 1),
        ("rejected", "the service answered 400: line 2: bad", 1),
    )
    assert listed[1][1].startswith("is not JSON: ")


def test_compaction_changes_no_figure() -> None:
    with Wire(lambda asked: answer(503) if asked.number == 2 else answer()) as wire:
        report = send(wire, records(50))
        before = told(report)
        send(wire, records(3))
        with closing(sqlite3.connect(".haulier/d/ledger.db")) as db:
            assert db.execute("select compacted from run order by id").fetchall() == [(1,), (0,)]
        assert told(report) == before


def test_waiting_is_told_apart_from_answering_and_the_slowest_are_named() -> None:
    def reply(asked: Asked) -> Answer:
        if json.loads(asked.body)["id"] == 7:
            time.sleep(0.4)
        return answer(429, Retry_After="1") if asked.number == 3 else answer()

    with Wire(reply) as wire:
        began = time.monotonic()
        figures = told(send(wire, records(12), limits={"max_in_flight": 1})).figures
        took_s = time.monotonic() - began
    assert figures.busy_s >= 0.39
    assert figures.waited_s >= 0.9
    # One at a time: no second is both, and none is from before or after.
    assert figures.busy_s + figures.waited_s <= figures.active_s <= took_s
    assert figures.slowest[0][0] == 7
    assert 0.39 <= figures.slowest[0][1] <= figures.busy_s
    assert len(figures.slowest) == 10
    assert [seconds for _, seconds in figures.slowest] == sorted(
        (s for _, s in figures.slowest), reverse=True
    )
    assert figures.records_per_second == pytest.approx(12 / figures.active_s)
    assert figures.requests_per_second == pytest.approx(13 / figures.active_s)


def test_time_between_sittings_is_not_time_under_way() -> None:
    path = Path("in.jsonl")
    path.write_text("".join(f'{{"id":{number}}}\n' for number in range(30)))
    with Wire(lambda asked: answer() if asked.number < 5 else answer(401)) as wire:
        began = time.monotonic()
        first = send(wire, path)
        took_s = time.monotonic() - began
        time.sleep(1.5)
        wire.reply = lambda asked: answer()
        began = time.monotonic()
        second = send(wire, path)
        took_s += time.monotonic() - began
        assert (first.run_id, second.state) == (second.run_id, "finished")
        figures = told(second).figures
    assert second.ended is not None
    assert second.ended - second.started > 1.5
    assert 0 < figures.active_s <= took_s


def test_reasons_are_grouped_with_the_most_frequent_first() -> None:
    def reply(asked: Asked) -> Answer:
        number = json.loads(asked.body)["id"]
        if number in (3, 4, 5):
            return answer(422, b"bad")
        return answer(400, b"worse") if number == 6 else answer()

    with Wire(reply) as wire:
        report = send(wire, [*records(10), {"id": float("nan")}], limits={"max_in_flight": 1})
        assert counts(report) == {"delivered": 6, "rejected": 5}
        reasons = [(state, count) for state, _, count in told(report).reasons]
        assert reasons == [("rejected", 3), ("rejected", 1), ("rejected", 1)]


@pytest.mark.alone
def test_a_long_report_never_holds_up_the_writer() -> None:
    """A reader stays in its transaction for the whole run: the run goes on, and the reader sees what it saw."""
    with Wire() as wire:
        send(wire, records(10))
        with closing(sqlite3.connect("file:.haulier/d/ledger.db?mode=ro", uri=True)) as db:
            db.execute("begin")
            before = db.execute("select * from run").fetchall()
            began = time.monotonic()
            assert counts(send(wire, records(3000), batching={"size": 10})) == {"delivered": 3000}
            assert time.monotonic() - began < 10
            assert db.execute("select * from run").fetchall() == before


@pytest.mark.alone
def test_reports_all_the_while_hold_up_no_commit(folder: Path) -> None:
    longest = 0.0
    over = threading.Event()
    with Wire() as wire:
        report = send(wire, records(5000))
        state = Path(".haulier/d")

        def look() -> None:
            while not over.is_set():
                told_of(report.run_id)

        readers = [threading.Thread(target=look, daemon=True) for _ in range(2)]
        for reader in readers:
            reader.start()
        with closing(Ledger.create(state)) as ledger:
            run = ledger.run(report.run_id)
            assert run is not None
            for number in range(200):
                began = time.monotonic()
                ledger.commit(run.id, [Commit(records=[(10_000 + number, 4, None, "why", b"{}")])])
                longest = max(longest, time.monotonic() - began)
        over.set()
        for reader in readers:
            reader.join()
    assert longest < 2


def test_the_name_of_a_destination_is_never_taken_for_the_beginning_of_a_run_of_another(folder: Path) -> None:
    with Wire() as wire:
        # A name begins with a letter, six of sixteen ids do.
        sent = (
            within(60, lambda: haulier.send(destination(wire.url), records(1), again=True)) for _ in range(99)
        )
        other = next(report for report in sent if report.run_id[0].isalpha())
        name = other.run_id[:3]
        (folder / "destinations").mkdir()
        (folder / "destinations" / f"{name}.yaml").write_text(
            f"request: {{method: POST, url: '{wire.url}/x'}}\n"
        )
        with pytest.raises(ConfigurationError) as caught:
            told_of(name)
        assert (
            str(caught.value)
            == f"nothing was sent to destination `{name}` yet; begin with: haulier run {name}"
        )
        own = within(60, lambda: haulier.send(name, records(2)))
    assert [told_of(word).report.run_id for word in (name, other.run_id, other.run_id[:12])] == [
        own.run_id,
        other.run_id,
        other.run_id,
    ]
    assert replay_target(name) == (name, None)
