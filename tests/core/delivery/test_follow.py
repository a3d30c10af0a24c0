"""The questions about a job: when they are asked, and what each answer means. No clock, no socket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.made import made_request

from haulier.delivery.follow import Ask, End, Patience, Pause, Questions, follow
from haulier.delivery.judging import Judging
from haulier.errors import TransportError
from haulier.model.request import Response

REQUEST = made_request("https://service.invalid/tickets/t1")
ONCE = Patience(final="/final", once=True, first_s=2, most_s=30, timeout_s=3600)
PENDING = Response(status=200, body=b'{"final": false}')
FINAL = Response(status=200, body=b'{"final": true, "result": [1]}')


def asking(patience: Patience = ONCE) -> Questions:
    """Questions that have been begun at 0 s: the first one is wished for."""
    flow = follow(REQUEST, Judging(answers_json=True), patience, since=0.0)
    assert flow.send(None) == Ask(1)
    return flow


def pauses(patience: Patience, answers: list[Any]) -> tuple[list[float], Any]:
    """The pauses that follow these answers, each arriving at once; and what comes at the end of them."""
    flow, now, found = asking(patience), 0.0, []
    for answer in answers:
        wish = flow.send((now, answer))
        if not isinstance(wish, Pause):
            return found, wish
        found.append(wish.seconds)
        now += wish.seconds
        assert isinstance(flow.send((now, None)), Ask)
    return found, None


def test_pauses_double_from_the_first_to_the_longest() -> None:
    assert pauses(ONCE, [PENDING] * 7)[0] == [2, 4, 8, 16, 30, 30, 30]


def test_the_final_answer_is_the_end() -> None:
    assert pauses(ONCE, [PENDING, FINAL]) == ([2], End("delivered", response=FINAL))


def test_a_word_that_looks_like_true_is_not_final() -> None:
    for final in ("true", 1, "yes"):
        body = json.dumps({"final": final}).encode()
        assert pauses(ONCE, [Response(status=200, body=body)])[0] == [2]


def test_after_the_time_out_it_is_left_for_later() -> None:
    short = Patience(final="/final", once=True, first_s=2, most_s=30, timeout_s=10)
    assert pauses(short, [PENDING] * 9) == ([2, 4], End("left", "not at its end after 10 s"))


@pytest.mark.parametrize(
    "answer",
    [
        TransportError("no answer in time", sent="maybe"),
        TransportError("broke off", sent="maybe", status=200),
        Response(status=500),
        Response(status=502),
        Response(status=504),
    ],
)
def test_an_answer_that_was_lost_is_not_asked_for_again_where_it_is_given_once(answer: Any) -> None:
    found, end = pauses(ONCE, [PENDING, answer, FINAL])
    assert found == [2]
    assert isinstance(end, End)
    assert end.kind == "in_doubt"
    assert "was lost" in end.reason


def test_where_it_is_given_as_often_as_one_asks_a_lost_answer_is_asked_for_again() -> None:
    often = Patience(final="/final", once=False, first_s=2, most_s=30, timeout_s=3600)
    lost = TransportError("no answer in time", sent="maybe")
    assert pauses(often, [lost, Response(status=502), FINAL]) == ([2, 4], End("delivered", response=FINAL))


def test_what_never_left_is_asked_again() -> None:
    unsent = TransportError("no connection", sent="no")
    assert pauses(ONCE, [unsent, FINAL]) == ([2], End("delivered", response=FINAL))


def test_a_service_that_asks_for_time_gets_it() -> None:
    slow = Response(status=429, headers=(("retry-after", "7"),))
    assert pauses(ONCE, [slow, Response(status=503), FINAL])[0] == [7, 14]


def test_a_wrong_credential_stops_the_following() -> None:
    _, end = pauses(ONCE, [Response(status=401)])
    assert isinstance(end, End)
    assert end.kind == "stop"


def test_a_result_that_is_gone_leaves_the_records_in_doubt() -> None:
    _, end = pauses(ONCE, [Response(status=410, body=b"gone")])
    assert isinstance(end, End)
    assert (end.kind, end.reason) == (
        "in_doubt",
        "the result of the job cannot be had: the service answered 410: gone",
    )
