"""The first request is not kept waiting by what is planned behind it, and does not keep that waiting either."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import counts, destination, write_records
from tests.core.runs.wire import Asked, Wire, answer

from haulier import send
from haulier.pipeline.planner import Planner
from haulier.runs.driving import driver

_RECORDS = 30_000  # a file of several blocks


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Released behind each block that was planned."""
    blocks = threading.Semaphore(0)
    feed = Planner.feed

    def noted(self: Planner, *given: Any) -> Any:
        try:
            return feed(self, *given)
        finally:
            blocks.release()

    monkeypatch.setattr(Planner, "feed", noted)
    return blocks


def test_the_first_request_leaves_before_a_second_block_is_planned(
    planned: threading.Semaphore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def respond(asked: Asked) -> bytes:
        if asked.number == 0:
            found.extend(planned.acquire(blocking=False) for _ in range(2))
        return answer()

    found: list[bool] = []
    monkeypatch.setattr(driver, "_HEAD_START_S", 30.0)  # however busy the machine is
    with Wire(respond) as wire:
        report = send(_batches(wire.url), write_records(Path("in.jsonl"), _RECORDS), state="state")
    assert found == [True, False]
    assert counts(report) == {"delivered": _RECORDS}


def test_more_is_planned_while_the_first_request_is_under_way(planned: threading.Semaphore) -> None:
    def respond(asked: Asked) -> bytes:
        if asked.number == 0:
            found.extend(planned.acquire(timeout=30) for _ in range(2))
        return answer()

    found: list[bool] = []
    with Wire(respond) as wire:
        report = send(_batches(wire.url), write_records(Path("in.jsonl"), _RECORDS), state="state")
    assert found == [True, True]
    assert counts(report) == {"delivered": _RECORDS}


def _batches(url: str) -> dict[str, Any]:
    return destination(url, batching={"size": 1_000}, timeout_s=60)
