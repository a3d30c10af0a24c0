"""What is learned of a limit that nobody told, in whatever way it begins: a table of services, in virtual time.

A run's crew is in it: after five failed attempts it lets one delivery ask for all others, unless pacing does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, product
from random import Random

import pytest
from tests.core.delivery.simulated import (
    Done,
    FixedWindow,
    Service,
    SlidingWindow,
    TokenBucket,
    answer,
    carry,
    partly_used,
)

from haulier.delivery.pacing import Pace, Pacing
from haulier.delivery.stopping import StopRules
from haulier.delivery.tally import Tally
from haulier.model.request import Header, Response

HOLD = (("retry-after", "1"),)

# Of so many requests a second. The second value: how many seconds' worth are taken at once.
SERVICES: dict[str, tuple[Callable[[int, tuple[Header, ...]], Service], float]] = {
    "a sliding window": (lambda limit, told: SlidingWindow(limit, headers=told), 1),
    "one half used": (lambda limit, told: partly_used(SlidingWindow(limit, headers=told), limit // 2), 1),
    "one nearly used up": (
        lambda limit, told: partly_used(SlidingWindow(limit, headers=told), limit * 19 // 20),
        1,
    ),
    "a fixed window": (lambda limit, told: FixedWindow(limit, headers=told), 1),
    "one that ends at once": (lambda limit, told: FixedWindow(limit, begins_s=0.9, headers=told), 1),
    "a small bucket": (lambda limit, told: TokenBucket(limit, max(3, limit / 10), headers=told), 0),
    "a bucket": (lambda limit, told: TokenBucket(limit, max(3, limit / 2), headers=told), 0),
    "a bucket for a second": (lambda limit, told: TokenBucket(limit, limit, headers=told), 1),
    "a bucket for four": (lambda limit, told: TokenBucket(limit, 4 * limit, headers=told), 4),
}
IN_FLIGHT = (1, 4, 16, 64)


def conditions(limits: tuple[int, ...], latencies_s: tuple[float, ...]) -> Iterator[tuple[int, float, int]]:
    """Limit, answer time and requests in flight, where those reach the limit."""
    for limit, latency_s, in_flight in product(limits, latencies_s, IN_FLIGHT):
        if in_flight >= 1.4 * limit * latency_s:
            yield limit, latency_s, in_flight


def learn(
    kind: str, limit: int, latency_s: float, in_flight: int, *, seed: int, told: tuple[Header, ...] = ()
) -> tuple[float, float]:
    """How much longer than the shortest time it took from the first refusal on, and the share refused after the first
    second: of a thousand requests, or of as many as take twenty seconds.
    """
    make, at_once_s = SERVICES[kind]
    requests = max(1000, 20 * limit)
    done = carry(
        make(limit, told),
        requests,
        Pace(most_in_flight=in_flight, told=False),
        latency_s=latency_s,
        varies=0.3,
        way_s=min(0.005, latency_s / 4),
        seed=seed,
        rules=StopRules(),
    )
    assert done.statuses[200] == requests
    before = sum(at < done.until_refused_s for at in done.answered)
    slow_start_s = max(0.0, done.until_refused_s - before / limit)
    shortest_s = (requests - 1) / limit - max(0.0, at_once_s - 1)
    late = sum(at > 1 for at in done.refused) / requests
    return (done.seconds - slow_start_s) / shortest_s, late


@pytest.mark.parametrize("kind", SERVICES)
def test_whatever_it_begins_with_it_loses_little_and_few_are_refused(kind: str) -> None:
    seeds = count()
    for condition in conditions((5, 20, 50, 200), (0.001, 0.005, 0.05, 0.2)):
        ratio, late = learn(kind, *condition, seed=next(seeds))
        assert ratio <= 1.22, condition
        assert late <= 0.05, condition


@pytest.mark.parametrize("kind", SERVICES)
def test_two_thousand_a_second_are_learned_as_well(kind: str) -> None:
    ratio, late = learn(kind, 2000, 0.005, 64, seed=1)
    assert ratio <= 1.2
    assert late <= 0.05


@pytest.mark.parametrize("seed", range(20))
def test_a_sliding_window_as_the_bench_has_it_loses_a_tenth_at_most(seed: int) -> None:
    ratio, late = learn("a sliding window", 50, 0.005, 64, seed=seed)
    assert ratio <= 1.1
    assert late <= 0.03


@pytest.mark.parametrize("kind", SERVICES)
def test_where_each_refusal_costs_a_second_there_are_few(kind: str) -> None:
    """Services that say `Retry-After: 1`, and mean everybody."""
    seeds = count()
    for condition in conditions((5, 50, 200), (0.005, 0.05)):
        ratio, late = learn(kind, *condition, seed=next(seeds), told=HOLD)
        assert ratio <= 1.55, condition
        assert late <= 0.04, condition


def unlimited(refuses: Callable[[float], bool], requests: int = 30_000) -> Done:
    return carry(
        lambda now: answer(429) if refuses(now) else answer(),
        requests,
        Pace(most_in_flight=100, told=False),
        way_s=0.001,
        rules=StopRules(),
    )


@pytest.mark.parametrize("at", [0.05, 0.3, 1.5, 5.0])
def test_one_stray_refusal_costs_no_more_than_a_moment(at: float) -> None:
    left = [at]

    def refuses(now: float) -> bool:
        return bool(left) and now >= left[0] and bool(left.pop())

    lost_s = unlimited(refuses).seconds - unlimited(lambda now: False).seconds
    assert not left
    assert lost_s <= (0.2 if at > 1 else 4)


def test_one_in_a_thousand_refused_by_chance_is_no_limit() -> None:
    chance = Random(1)
    assert 30_000 / unlimited(lambda now: chance.random() < 0.001).seconds >= 500


CHANGING: dict[str, Callable[[int], Service]] = {
    "a sliding window": SlidingWindow,
    "a fixed window": FixedWindow,
    "a bucket": lambda limit: TokenBucket(limit, max(3, limit)),
    "a small bucket": lambda limit: TokenBucket(limit, max(3, limit / 5)),
}


@pytest.mark.parametrize(
    ("was", "becomes"), [(50, 60), (50, 200), (10, 100), (100, 50), (100, 10), (200, 20)]
)
@pytest.mark.parametrize("kind", CHANGING)
def test_a_limit_that_changes_is_followed(kind: str, was: int, becomes: int) -> None:
    """Raised, it is found within the time in which a limit is asked for again; lowered, at once."""
    first, then = CHANGING[kind](was), CHANGING[kind](becomes)
    requests = 30 * was + 60 * becomes
    pace = Pace(most_in_flight=100, told=False)
    done = carry(lambda now: (first if now < 30 else then)(now), requests, pace, rules=StopRules())
    assert done.statuses[200] == requests
    assert done.seconds <= 90 + (40 if becomes > was else 25)
    assert sum(at > 1 for at in done.refused) <= 0.05 * requests


@pytest.mark.parametrize("window_s", [0.5, 2.0, 5.0, 10.0, 60.0])
@pytest.mark.parametrize("kind", [SlidingWindow, FixedWindow])
def test_what_a_service_counts_by_is_found(kind: type[SlidingWindow | FixedWindow], window_s: float) -> None:
    """Five windows' worth of 60 each."""
    done = carry(kind(60, window_s), 300, Pace(most_in_flight=100, told=False), rules=StopRules())
    assert done.statuses[200] == 300
    assert done.seconds <= 1.6 * 4 * max(window_s, 1)
    assert len(done.refused) <= 60


def test_a_second_limit_is_no_outage() -> None:
    """50 a second, and 1,000 a minute: 4,000 take three minutes at least."""
    second, minute = SlidingWindow(50), SlidingWindow(1000, 60.0)

    def both(now: float) -> Response:
        reply = second(now)
        return minute(now) if reply.status == 200 else reply

    done = carry(both, 4000, Pace(most_in_flight=100, told=False), rules=StopRules())
    assert done.statuses[200] == 4000
    assert done.seconds <= 330
    assert len(done.refused) <= 150


def test_a_rate_does_not_grow_while_a_told_one_is_kept_to() -> None:
    """Else it doubles for a night, and no number holds it."""
    pacing, now = Pacing(Pace(requests_per_second=2)), 0.0
    for number in range(20_000):
        now += max(0.0, pacing.wait(now))
        pacing.started(now)
        pacing.answered(now, now + 0.01, Response(status=429 if number == 10 else 200))
    assert pacing.wait(now) == pytest.approx(0.51)


@pytest.mark.parametrize("seed", range(300))
def test_whatever_it_hears_the_next_start_is_in_sight(seed: int) -> None:
    """Answers in any order, or none, clocks that stand still, waits asked for, and a service that changes its mind."""
    chance = Random(seed)
    told, cap_s = chance.choice([0, 0, 2, 50]), chance.choice([0.05, 2.0, 30.0])
    pacing = Pacing(
        Pace(requests_per_second=told, told=False, base_s=chance.choice([0.01, 0.5]), cap_s=cap_s)
    )
    now, refusing, tick_s, begun = 0.0, 0.0, chance.choice([0.0, 0.001, 0.1]), list[float]()
    for _ in range(300):
        refusing = chance.random() ** 2 if chance.random() < 0.02 else refusing
        wait_s = max(0.0, pacing.wait(now))
        assert begun or wait_s <= 62
        if pacing.in_flight < pacing.limit and (not wait_s or not begun):
            now += wait_s
            pacing.started(now)
            begun.append(now)
        if begun and chance.random() < 0.6:
            began = begun.pop(chance.randrange(len(begun)))
            now += tick_s * chance.random()
            refused = chance.random() < refusing
            none = chance.random() < 0.05
            pacing.answered(began, now, None if none else Response(status=429 if refused else 200))
            if refused and chance.random() < 0.2:
                pacing.asked(now, chance.choice([0.0, 0.5, 1.0, 60.0]))
        if chance.random() < 0.05:
            now += chance.choice([0.01, 1.0, 100.0])


def test_a_tally_tells_of_any_time_within_its_span() -> None:
    tally = Tally(span_s=1.0)
    assert tally.by(5.0) == 0
    for number in range(10_000):
        tally.add(number / 100)
    assert tally.by(99.99) == 10_000
    assert tally.by(99.99) - tally.by(98.99) == pytest.approx(100, abs=0.01)
    assert tally.moment(9_900) == pytest.approx(98.99)
    assert tally.by(50.0) == pytest.approx(5_000, rel=0.01)  # forgotten, and taken as evenly spread
    tally.take_back()
    assert tally.by(100.0) == 9_999


def test_a_tally_takes_no_more_memory_for_more_requests() -> None:
    tally = Tally(span_s=1.0)
    for number in range(100_000):
        tally.add(number / 1000)
    assert len(tally._firsts) == len(tally._lasts) == len(tally._befores) <= 256
