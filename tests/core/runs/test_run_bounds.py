"""Bounds of batches on a real run: the time, where the input is slow; what report and plan say of the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.core.runs.carrying import destination, records
from tests.core.runs.wire import Wire

import haulier

PIPED = """
import sys, haulier
destination = {"name": "d", "request": {"method": "POST", "url": sys.argv[1]},
               "batching": {"size": 100, "max_wait": float(sys.argv[2])}}
haulier.send(destination, "-", format="jsonl", state="state")
"""


def ids(wire: Wire) -> list[list[int]]:
    return [[record["id"] for record in json.loads(asked.body)] for asked in wire.asked]


def test_records_written_to_a_run_wait_no_longer_than_max_wait() -> None:
    """The run stays open, and nothing more is written: only the time sends them."""
    with Wire() as wire:
        url = destination(wire.url, batching={"size": 100, "max_wait": 0.4})
        with haulier.open_run(url, state="state") as run:
            began = time.monotonic()
            run.write(records(3))
            wire.wait(1)
            assert time.monotonic() - began >= 0.4
            run.write(records(2))
            wire.wait(2)
        assert ids(wire) == [[0, 1, 2], [0, 1]]
        assert run.report is not None
        assert (run.report.delivered, run.report.read) == (5, 5)


def test_records_from_a_slow_pipe_wait_no_longer_than_max_wait() -> None:
    with (
        Wire() as wire,
        subprocess.Popen(
            [sys.executable, "-c", PIPED, wire.url, "0.4"], stdin=subprocess.PIPE, env=os.environ
        ) as process,
    ):
        assert process.stdin is not None
        process.stdin.write(b'{"id":0}\n{"id":1}\n')
        process.stdin.flush()
        wire.wait(1)
        process.stdin.write(b'{"id":2}\n')
        process.stdin.close()
        assert process.wait(60) == 0
        assert ids(wire) == [[0, 1], [2]]


def test_records_of_a_slow_iterator_wait_no_longer_than_max_wait() -> None:
    """The next one comes only after those before it were sent."""

    def slowly(wire: Wire) -> Iterator[dict[str, int]]:
        for number in range(3):
            time.sleep(0.06)
            yield {"id": number}
        wire.wait(1)
        yield {"id": 3}

    with Wire() as wire:
        written = destination(wire.url, batching={"size": 100, "max_wait": 0.5})
        report = haulier.send(written, slowly(wire), state="state")
        assert report.delivered == 4
        assert sorted(one for ids_of_one in ids(wire) for one in ids_of_one) == [0, 1, 2, 3]
        assert ids(wire)[-1] == [3]


def test_without_max_wait_records_wait_for_company() -> None:
    with Wire() as wire:
        with haulier.open_run(destination(wire.url, batching={"size": 100}), state="state") as run:
            run.write(records(3))
            time.sleep(0.8)
            assert wire.asked == []
        assert ids(wire) == [[0, 1, 2]]


def test_a_full_batch_does_not_wait() -> None:
    with Wire() as wire:
        url = destination(wire.url, batching={"size": 3, "max_wait": 3600})
        with haulier.open_run(url, state="state") as run:
            run.write(records(3))
            wire.wait(1)
            assert ids(wire) == [[0, 1, 2]]


def test_the_report_names_what_is_larger_alone_than_it_may_be() -> None:
    with Wire() as wire:
        many: list[dict[str, Any]] = [{"id": 0}, {"id": 1, "t": "x" * 100}, {"id": 2}]
        report = haulier.send(destination(wire.url, batching={"max_bytes": 60}), many, state="state")
    assert sorted(ids(wire)) == [[0], [1], [2]]
    assert (report.delivered, report.note) == (
        3,
        "larger alone than batching.max_bytes (60), so sent alone: record 1 (117 bytes)",
    )


def by_country(countries: int, **batching: Any) -> haulier.Plan:
    many = [{"id": number, "country": number % countries} for number in range(1_000)]
    return haulier.plan(destination("http://127.0.0.1:9/", batching={"size": 100, **batching}), many)


@pytest.mark.parametrize(("countries", "fill"), [(1, 1.0), (10, 1.0), (50, 0.2), (1_000, 0.01)])
def test_a_plan_tells_how_full_batches_will_be(countries: int, fill: float) -> None:
    made = by_country(countries, group_by="country")
    assert made.fill == pytest.approx(fill)
    told = (
        f"batches are {fill:.0%} full on average, as records that differ in `country` never share one: sort "
    )
    told += "the records by it, group by less, or take a smaller batching.size"
    assert made.warnings == ((told,) if fill < 0.5 else ())


@pytest.mark.parametrize(
    ("of_records", "blamed"),
    [
        ({"request": {"headers": {"X-N": "{record.id}"}}}, "their header `X-N`"),
        ({"target": "/{record.id}"}, "their address"),
        (
            {"target": "/{record.id}", "request": {"headers": {"X-N": "{record.id}", "X-C": "all"}}},
            "their address or their header `X-N`",
        ),
    ],
)
def test_a_plan_names_what_keeps_batches_apart(of_records: dict[str, Any], blamed: str) -> None:
    written = destination("http://127.0.0.1:9/", batching={"size": 5}, **of_records)
    (told,) = haulier.plan(written, records(10)).warnings
    assert told.startswith(
        f"batches are 20% full on average, as records that differ in {blamed} never share one: "
    )


def test_a_plan_counts_bytes_where_they_are_nearer_than_the_number_of_records() -> None:
    made = by_country(1, max_bytes=300, size=1_000)
    assert made.fill is not None
    assert made.fill > 0.9
    assert by_country(1, size=5_000).warnings == ()


def test_what_is_not_batched_has_no_fill() -> None:
    assert haulier.plan(destination("http://127.0.0.1:9/"), records(3)).fill is None
