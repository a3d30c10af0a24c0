"""A delivery as a conversation: what it wants next after each answer, without a clock and without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.made import made_request

from haulier.delivery.judging import History, Judging
from haulier.delivery.retry import Exhausted, Policy, Send, Settle, Wait, deliver
from haulier.errors import TransportError
from haulier.model.delivery import DELIVERED, Stop, Verdict
from haulier.model.request import Response

REQUEST = made_request(method="POST", body=b"{}")
OK = Response(status=200)
MAYBE = TransportError("silence", sent="maybe")
NO = TransportError("nobody there", sent="no")


def converse(
    *answers: Response | TransportError, policy: Policy | None = None, resend: bool = False
) -> list[object]:
    """All wishes of a delivery that is answered so, the waits passed over at once."""
    policy = policy or Policy()
    flow = deliver(REQUEST, Judging(), policy, History(succeeded=1), lambda: 1.0, resend=resend)
    wishes: list[object] = [flow.send(None)]
    for answer in answers:
        wishes.append(flow.send(answer))
        if isinstance(wishes[-1], Wait):
            wishes.append(flow.send(None))
    return wishes


def status(code: int, **headers: str) -> Response:
    return Response(
        status=code, headers=tuple((name.replace("_", "-"), value) for name, value in headers.items())
    )


def test_a_success_settles_at_once() -> None:
    assert converse(OK) == [Send(1, False), Settle(DELIVERED, 1, OK)]


def test_a_request_that_was_not_sent_is_no_resend() -> None:
    assert converse(NO, OK) == [
        Send(1, False),
        Wait(0.5, False, "nobody there"),
        Send(2, False),
        Settle(DELIVERED, 2, OK),
    ]


@pytest.mark.parametrize("answer", [MAYBE, status(408), status(500), status(503)])
def test_after_what_may_have_arrived_every_attempt_is_a_resend(answer: Response | TransportError) -> None:
    sent = [wish for wish in converse(answer, NO, status(429), OK) if isinstance(wish, Send)]
    assert sent == [Send(1, False), Send(2, True), Send(3, True), Send(4, True)]


@pytest.mark.parametrize("code", [425, 429])
def test_a_refusal_to_look_is_no_resend(code: int) -> None:
    assert converse(status(code), OK)[2] == Send(2, False)


def test_on_a_resend_409_is_tried_again_and_422_is_in_doubt() -> None:
    assert converse(MAYBE, status(409), status(422))[-1] == Settle(
        Verdict("unknown", "the service answered 422 to a repeated request"), 3, status(422)
    )
    assert converse(status(409))[-1] == Settle(
        Verdict("rejected", "the service answered 409"), 1, status(409)
    )


def test_an_earlier_run_that_may_have_sent_makes_the_first_attempt_a_resend() -> None:
    wishes = converse(status(422), resend=True)
    assert wishes[0] == Send(1, True)
    assert isinstance(wishes[1], Settle)
    assert wishes[1].verdict == Verdict("unknown", "the service answered 422 to a repeated request")


def test_five_attempts_and_then_exhausted_with_what_came_last() -> None:
    wishes = converse(MAYBE, MAYBE, MAYBE, MAYBE, status(429))
    assert [wish.seconds for wish in wishes if isinstance(wish, Wait)] == [0.5, 1.0, 2.0, 4.0]
    assert wishes[-1] == Exhausted("the service answered 429", True, True, 5, status(429))
    assert converse(*[NO] * 5)[-1] == Exhausted("nobody there", False, False, 5, None)


def test_no_wait_is_longer_than_the_cap() -> None:
    wishes = converse(*[MAYBE] * 99, policy=Policy(attempts=100, base_s=0.5, cap_s=30))
    waits = [wish.seconds for wish in wishes if isinstance(wish, Wait)]
    assert waits[:8] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert max(waits) == 30


@given(st.floats(0, 1))
def test_jitter_shortens_the_wait_and_never_lengthens_it(chance: float) -> None:
    flow = deliver(REQUEST, Judging(), Policy(), History(), lambda: chance)
    flow.send(None)
    assert flow.send(NO) == Wait(0.5 * chance, False, "nobody there")


def test_what_the_service_asks_for_is_waited_for() -> None:
    wait = converse(status(503, retry_after="17"), OK)[1]
    assert wait == Wait(17.0, True, "the service answered 503", resend=True)


def test_retry_after_zero_does_not_hammer() -> None:
    """Real services say it (DESIGN, 7); five attempts within a millisecond help nobody."""
    waits = [wish for wish in converse(*[status(503, retry_after="0")] * 4) if isinstance(wish, Wait)]
    assert [wait.seconds for wait in waits] == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize("code", [408, 500, 502, 504])
def test_parked_where_nobody_knows_whether_it_was_done(code: int) -> None:
    park = Policy(park=True)
    assert converse(status(code), policy=park)[-1] == Exhausted(
        f"the service answered {code}", True, True, 1, status(code), parked=True
    )
    assert converse(MAYBE, policy=park)[-1] == Exhausted(
        "no answer: silence", False, True, 1, None, parked=True
    )


@pytest.mark.parametrize("answer", [NO, status(429), status(503)])
def test_parking_still_repeats_what_was_not_done(answer: Response | TransportError) -> None:
    assert converse(answer, OK, policy=Policy(park=True))[-1] == Settle(DELIVERED, 2, OK)


def test_a_stop_ends_the_delivery() -> None:
    assert converse(status(401)) == [
        Send(1, False),
        Settle(Stop("the service answered 401: it does not accept the credential"), 1, status(401)),
    ]
