"""Answers that come in one turn of the loop are all looked at before anything follows one of them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from tests.core.runs.carrying import counts, destination, records, within
from tests.core.runs.wire import Asked, Wire, answer

import haulier
from haulier.model.request import Request
from haulier.runs.driving.book import Book


class _Saying(Wire):
    """said: answers whose bytes are on their way."""

    said = 0

    def _say(self, *given: Any) -> bool:
        stays = super()._say(*given)
        with self._lock:
            self.said += 1
        return stays


def _until(true: Callable[[], bool]) -> None:
    """The time is for a machine under load, and what never comes."""
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_a_refusal_is_heeded_before_anything_follows_a_success_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together, refused_at = threading.Event(), list[float]()
    delivered = Book.delivered

    def held_up(self: Book, requests: Sequence[Request], status: int | None, attempts: int) -> None:
        if requests[0].number == 4:  # the loop stands still, and finds two answers when it looks again
            together.set()
            _until(lambda: wire.said == 7)
        delivered(self, requests, status, attempts)

    def reply(asked: Asked) -> bytes:
        number = json.loads(asked.body)["id"]
        if number == 4:  # those before it make the connections
            _until(lambda: len(wire.asked) == 7)
        elif number in {5, 6}:
            together.wait(30)
        if number == 5 and not refused_at:
            _until(lambda: wire.said == 6)  # the success beside it comes first
            refused_at.append(time.monotonic())
            return answer(429, Retry_After="1")
        return answer()

    monkeypatch.setattr(Book, "delivered", held_up)
    made = {"transport": "http1", "limits": {"max_in_flight": 3}}
    with _Saying(reply) as wire:
        report = within(60, lambda: haulier.send(destination(wire.url, **made), records(12), state="state"))
    assert counts(report) == {"delivered": 12}
    # One may leave: what follows the request that succeeded before those two were looked at.
    assert wire.asked[8].at - refused_at[0] >= 1.0
