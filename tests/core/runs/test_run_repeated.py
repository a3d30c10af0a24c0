"""A service that answers 409 to what it has taken: the repeated request is in doubt, the run goes on and ends."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import counts, destination, killed_when, rows, within, write_records
from tests.core.runs.wire import Answer, Asked, Cut, Wire, answer

import haulier


class Keys:
    """Takes each idempotency key once, and answers 409 to it from then on. lost: ids whose first answer is lost."""

    def __init__(self, lost: set[int]) -> None:
        self._lock = threading.Lock()
        self.lost = lost
        self.taken: dict[str | None, int] = {}
        self.repeated: set[int] = set()

    def __call__(self, asked: Asked) -> Answer:
        number = json.loads(asked.body)["id"]
        with self._lock:
            if asked.header("idempotency-key") in self.taken:
                self.repeated.add(number)
                return answer(409, b"taken before")
            self.taken[asked.header("idempotency-key")] = number
        return Cut() if number in self.lost else answer()


def send(made: dict[str, Any]) -> haulier.Report:
    return within(60, lambda: haulier.send(made, "in.jsonl", state="state", run_key="mine"))


IN_DOUBT = "retries exhausted: the service answered 409: taken before to a repeated request"


@pytest.mark.parametrize("order", ["none", "strict"])
def test_records_whose_answers_were_lost_are_in_doubt_and_the_run_ends(order: str) -> None:
    """More of them in a row than would stop a run whose service is down."""
    write_records(Path("in.jsonl"), 30)
    lost = set(range(10, 18))
    keys = Keys(lost)
    with Wire(keys) as wire:
        report = send(destination(wire.url, order=order))
    assert (report.state, counts(report)) == ("finished", {"delivered": 22, "in_doubt": 8})
    assert sorted(keys.taken.values()) == list(range(30))
    kept = rows(Path("state"), "select position, state, reason from record order by position")
    assert kept == [(number, 5, IN_DOUBT) for number in sorted(lost)]


@pytest.mark.skipif(os.name != "posix", reason="kills")
def test_after_a_kill_what_the_service_had_taken_is_in_doubt_and_the_run_ends() -> None:
    write_records(Path("in.jsonl"), 60)
    keys = Keys(set())
    with Wire(keys, delay_s=0.01) as wire:
        made = destination(wire.url, limits={"max_in_flight": 2})
        killed_when(wire, 20, made)
        report = send(made)
    assert (report.state, report.in_doubt + report.delivered) == ("finished", 60)
    assert sorted(keys.taken.values()) == list(range(60))
    kept = rows(Path("state"), "select position, reason from record order by position")
    assert kept == [(number, IN_DOUBT) for number in sorted(keys.repeated)]
    assert kept


def test_a_service_that_takes_nothing_any_more_stops_the_run_all_the_same() -> None:
    """It fails each request and answers 409 to what is repeated: no more records are in doubt than those of 20."""
    write_records(Path("in.jsonl"), 100)
    known: set[str | None] = set()

    def reply(asked: Asked) -> Answer:
        key = asked.header("idempotency-key")
        if asked.number < 10:
            return answer()
        if key in known:
            return answer(409, b"")
        known.add(key)
        return answer(500)

    with Wire(reply) as wire:
        report = send(destination(wire.url, order="strict"))
    assert counts(report) == {"delivered": 10, "in_doubt": 20, "pending": report.read - 30}
    assert report.reason == (
        "20 requests did not succeed, and attempts fail meanwhile (the last: the service answered 409 to a repeated "
        "request); what met 409 when it was repeated is in doubt. Run again when the service is well"
    )
