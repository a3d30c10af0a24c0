"""The policy for requests that got no answer: resent with the same bytes and key, or parked and never sent again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import counts, destination, killed_when, rows, within, write_records
from tests.core.runs.wire import Answer, Asked, Cut, Stall, Wire, answer

import haulier


def send(wire: Wire, records: Any, policy: str, **more: Any) -> haulier.Report:
    made = destination(wire.url, unanswered=policy, **more)
    return within(60, lambda: haulier.send(made, records, state="state", run_key="mine"))


def silent_for(number: int, said: Answer) -> Any:
    """The record with this id gets that answer; all others are taken."""

    def reply(asked: Asked) -> Answer:
        return said if json.loads(asked.body)["id"] == number else answer()

    return reply


UNANSWERED = {
    "closed": Cut(),
    "half a status line": Cut(b"HTTP/1.1 2"),
    "time-out": Stall(30),
    "408": answer(408),
    "500": answer(500),
    "502": answer(502),
    "504": answer(504),
}


@pytest.mark.parametrize("said", UNANSWERED.values(), ids=list(UNANSWERED))
def test_parked_is_sent_once_and_in_doubt_with_its_text(said: Answer) -> None:
    timeout_s = 1.5 if isinstance(said, Stall) else 30
    with Wire(silent_for(5, said)) as wire:
        report = send(wire, [{"id": number} for number in range(10)], "park", timeout_s=timeout_s)
        assert counts(report) == {"delivered": 9, "in_doubt": 1}
        assert len(wire.asked) == 10
    assert rows(Path("state"), "select position, text from record") == [(5, b'{"id":5}')]


def test_resent_is_sent_again_with_the_same_bytes_and_key() -> None:
    tries: list[Asked] = []

    def reply(asked: Asked) -> Answer:
        if json.loads(asked.body)["id"] != 5:
            return answer()
        tries.append(asked)
        return answer() if len(tries) > 2 else Cut()

    with Wire(reply) as wire:
        assert counts(send(wire, [{"id": number} for number in range(10)], "resend")) == {"delivered": 10}
    assert len(tries) == 3
    assert len({(asked.body, asked.header("idempotency-key")) for asked in tries}) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_what_was_answered_is_tried_again_under_either_policy(status: int) -> None:
    with Wire(lambda asked: answer(status) if asked.number == 3 else answer()) as wire:
        assert counts(send(wire, [{"id": number} for number in range(10)], "park")) == {"delivered": 10}


@pytest.mark.skipif(os.name != "posix", reason="kills")
@pytest.mark.parametrize("policy", ["park", "resend"])
def test_after_a_crash_what_may_have_been_sent_is_parked_or_resent(policy: str) -> None:
    """Under `park` nothing goes out twice. What a crash leaves in doubt is no more than may be in flight; what it
    leaves to be sent again is five windows of four times that, however many records were read together.
    """
    path = write_records(Path("in.jsonl"), 200)
    with Wire(delay_s=0.02) as wire:
        made = destination(wire.url, unanswered=policy, limits={"max_in_flight": 4})
        killed_when(wire, 40, made)
        left = rows(Path("state"), "select first from request where state = 1")
        before = [json.loads(body)["id"] for body in wire.bodies]
        report = send(wire, path, policy, limits={"max_in_flight": 4})
        after = [json.loads(body)["id"] for body in wire.bodies[len(before) :]]
        found = counts(report)
        if policy == "park":
            assert found == {"delivered": 200 - len(left), "in_doubt": len(left)}
            assert 0 < len(left) <= 4
            assert not set(before) & set(after)
            kept = rows(Path("state"), "select position, text, reason from record order by position")
            reason = "no answer: the run ended before one came"
            assert kept == [(at, b'{"id":%d}' % at, reason) for (at,) in sorted(left)]
        else:
            assert found == {"delivered": 200}
            assert 0 < len(left) <= 5 * 4 * 4
            assert set(before) & set(after) <= {at for (at,) in left}
            assert set(before) | set(after) == set(range(200))


@pytest.mark.skipif(os.name != "posix", reason="kills")
def test_what_a_crash_left_under_way_is_pending_when_the_next_sitting_stops() -> None:
    """Also where that may have fewer in flight, and so never came to most of them."""
    path = write_records(Path("in.jsonl"), 200)
    with Wire(delay_s=0.02) as wire:
        killed_when(wire, 20, destination(wire.url, limits={"max_in_flight": 16}))
        left = rows(Path("state"), "select first from request where state = 1")
        assert len(left) > 100
        wire.reply = lambda asked: answer(401)
        report = send(wire, path, "resend", limits={"max_in_flight": 1})
        assert (report.state, report.sending) == ("stopped", 0)
        wire.reply = lambda asked: answer()
        assert counts(send(wire, path, "resend")) == {"delivered": 200}


def test_the_policy_may_change_between_two_sittings() -> None:
    with Wire(lambda asked: answer() if asked.number < 3 else answer(401)) as wire:
        first = send(wire, [{"id": number} for number in range(9)], "resend")
        wire.reply = lambda asked: answer()
        second = send(wire, [{"id": number} for number in range(9)], "park")
        assert (first.state, second.run_id, counts(second)) == ("stopped", first.run_id, {"delivered": 9})
