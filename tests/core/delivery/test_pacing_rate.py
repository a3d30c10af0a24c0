"""The rate: kept to where it is told, learned from 429s where it is not. 1,000 requests at 50 a second take 20 s."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from tests.core.delivery.simulated import (
    FixedWindow,
    Service,
    SlidingWindow,
    TokenBucket,
    answer,
    carry,
)

from haulier.delivery.pacing import MARGIN, Pace, Pacing
from haulier.model.request import Response

SHORTEST_S = 20.0
ONE_SECOND = (("retry-after", "1"),)
A_DATE = (("date", "Wed, 21 Oct 2026 07:28:00 GMT"), ("retry-after", "Wed, 21 Oct 2026 07:28:01 GMT"))
UNTOLD = Pace(most_in_flight=100, told=False)

SERVICES: dict[str, Callable[[], Service]] = {
    "a sliding window": lambda: SlidingWindow(50),
    "a fixed window": lambda: FixedWindow(50),
    "a bucket of 50": lambda: TokenBucket(50, 50),
    "a bucket of 5": lambda: TokenBucket(50, 5),
    "a sliding window that says when": lambda: SlidingWindow(50, headers=ONE_SECOND),
    "a fixed window that says when": lambda: FixedWindow(50, headers=A_DATE),
    "a bucket of 50 that says when": lambda: TokenBucket(50, 50, headers=ONE_SECOND),
}


@pytest.mark.parametrize("latency_s", [0.002, 0.02, 0.1])
@pytest.mark.parametrize("kind", SERVICES)
def test_told_its_limit_it_loses_five_percent_at_most_and_none_is_refused(
    kind: str, latency_s: float
) -> None:
    pace = Pace(requests_per_second=50, most_in_flight=100, told=False)
    done = carry(SERVICES[kind](), 1000, pace, latency_s=latency_s)
    assert dict(done.statuses) == {200: 1000}
    assert done.seconds <= 1.05 * SHORTEST_S


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("latency_s", [0.002, 0.02, 0.1])
@pytest.mark.parametrize("kind", SERVICES)
def test_not_told_it_loses_a_quarter_at_most_and_few_are_refused(
    kind: str, latency_s: float, seed: int
) -> None:
    done = carry(SERVICES[kind](), 1000, UNTOLD, latency_s=latency_s, seed=seed)
    assert done.statuses[200] == 1000
    assert done.seconds <= 1.25 * SHORTEST_S
    assert done.refused_after(1.0) <= 0.05
    assert done.most_tries < 5


def test_a_limit_a_minute_is_learned_too() -> None:
    """Attempts do not all fall into the minute in which nothing is left, as they did in PostHog/posthog#92214."""
    done = carry(FixedWindow(60, 60.0), 300, UNTOLD)
    assert done.statuses[200] == 300
    assert done.seconds <= 8 * 60
    assert done.refused_after(1.0) <= 0.25


def test_one_that_refuses_everything_is_asked_ever_more_rarely_until_patience_ends() -> None:
    done = carry(lambda now: answer(429), 100, Pace(patience_s=300, base_s=0.5, cap_s=30))
    assert dict(done.statuses) == {429: len(done.starts)}
    assert len(done.starts) <= 25
    assert "answered nothing but 429" in done.stopped
    waits = [after - before for before, after in pairwise(done.starts)]
    assert max(waits) <= 31
    assert waits[-1] >= 20


def test_without_429_nothing_waits() -> None:
    done = carry(lambda now: answer(), 1000, Pace(most_in_flight=1000), latency_s=0.01)
    assert done.seconds < 0.5


def test_repeated_requests_are_paced_like_first_ones() -> None:
    """vectordotdev/vector#8647: retries that pass the limiter by exceed the rate that was told."""

    def half(now: float) -> Response:
        nonlocal turn
        turn += 1
        return answer(503 if turn % 2 else 200)

    turn = 0
    done = carry(half, 100, Pace(requests_per_second=10, base_s=0.01, cap_s=0.01))
    assert len(done.starts) == 200
    for before, after in zip(done.starts, done.starts[10:], strict=False):
        assert after - before > 1.0


def test_after_an_outage_the_rate_comes_back() -> None:
    """Nobody crawls for the rest of the night because the service had to be left alone for a minute."""

    def outage(now: float) -> Response:
        return answer(429) if 5 < now < 65 else inner(now)

    inner = SlidingWindow(50)
    done = carry(outage, 3000, Pace(requests_per_second=50, most_in_flight=100))
    assert done.statuses[200] == 3000
    assert done.seconds <= 5 + 90 + 1.25 * 55 * MARGIN


def test_a_rate_that_is_raised_is_found() -> None:
    slow, fast = TokenBucket(10, 5), TokenBucket(100, 20)
    done = carry(lambda now: (slow if now < 30 else fast)(now), 3000, UNTOLD)
    assert done.statuses[200] == 3000
    assert done.seconds < 30 + 27 * 3


def test_what_comes_within_one_tick_of_the_clock_tells_of_no_rate() -> None:
    """The clock of a fast loop has ticks of a millisecond."""
    pacing = Pacing(Pace(base_s=0.5))
    for status in (429, 200):
        pacing.started(7.0)
        pacing.answered(7.0, 7.0, Response(status=status))
    assert pacing.wait(7.0) == 0.5


@pytest.mark.parametrize("asked_s", [0.0, 1.0])
def test_where_nothing_was_taken_before_the_first_refusal_the_rate_begins_low_and_doubles(
    asked_s: float,
) -> None:
    """A run that begins while others have used up the limit is not held up for the longest wait there is."""
    pacing, now, waits = Pacing(Pace(base_s=0.5, cap_s=30.0)), 0.0, []
    for status in (429, 200, 200, 200, 200, 200, 200):
        wait = max(0.0, pacing.wait(now))
        now += wait
        pacing.started(now)
        pacing.answered(now, now + 0.01, Response(status=status))
        now += 0.01
        if status == 429:
            pacing.asked(now, asked_s)
        else:
            waits.append(wait)
    assert waits[0] == asked_s
    assert waits[1] == pytest.approx(0.49)
    assert waits[1:] == sorted(waits[1:], reverse=True)
    assert waits[-1] < 0.25
