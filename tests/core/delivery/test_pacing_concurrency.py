"""How many requests are in flight: as many as the service bears, found unaided, never more than told."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable

import pytest

from haulier.delivery.concurrency import Concurrency

LATENCY_S = 0.05


def throughput(
    speed: Callable[[int], float],
    *,
    answers: int = 20_000,
    spread: float = 0.1,
    most: int = 100,
    fails_above: int = 1000,
    seed: int = 1,
    told: bool = False,
) -> tuple[float, int]:
    """Answers a second of a service that works on each of n requests at `speed(n)`, and how many it failed."""
    chance, found = random.Random(seed), Concurrency(most=most, told=told)
    now = work = 0.0
    done = failures = started = 0
    under_way: list[tuple[float, int, float, bool]] = []
    while done < answers:
        while len(under_way) < min(found.limit, done * 2 + 1):
            started += 1
            fails = len(under_way) >= fails_above
            takes = 0.002 if fails else LATENCY_S * max(0.1, chance.gauss(1, spread))
            heapq.heappush(under_way, (work + takes, started, now, fails))
        in_flight = len(under_way)
        until, _, began, failed = heapq.heappop(under_way)
        now, work = now + (until - work) / speed(in_flight), until
        if failed:
            failures += 1
            found.failed()
        else:
            done += 1
            found.answered(began, now, in_flight)
    return done / now, failures


DEGRADING: dict[str, Callable[[int], float]] = {
    "queues": lambda n: min(1, 32 / n),
    "slows down": lambda n: min(1, (32 / n) ** 2),
    "breaks down": lambda n: min(1, (32 / n) ** 3),
    "thrashes": lambda n: 1 if n <= 32 else 1 / (1 + (n - 32) * 0.1),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("spread", [0.02, 0.2])
@pytest.mark.parametrize("kind", DEGRADING)
def test_a_server_that_degrades_beyond_32_gives_90_percent_of_its_best(
    kind: str, spread: float, seed: int
) -> None:
    found, _ = throughput(DEGRADING[kind], spread=spread, seed=seed)
    assert found >= 0.9 * 32 / LATENCY_S


def test_a_server_that_fails_beyond_32_gives_90_percent_of_its_best() -> None:
    found, failures = throughput(lambda n: 1, fails_above=32)
    assert found >= 0.9 * 32 / LATENCY_S
    assert failures < 20_000 * 0.02


def test_a_server_that_bears_all_gets_all_that_are_allowed() -> None:
    found, _ = throughput(lambda n: 1, answers=50_000)
    assert found >= 0.9 * 100 / LATENCY_S


def test_a_server_of_two_workers_is_kept_busy_with_a_few() -> None:
    found, _ = throughput(lambda n: min(1, 2 / n))
    assert found >= 0.9 * 2 / LATENCY_S


def test_a_latency_that_grows_with_the_number_is_not_taken_for_a_queue() -> None:
    """A fall that costs throughput was wrong, and is taken back."""
    found, _ = throughput(lambda n: 1 / (1 + n / 64), answers=50_000, spread=0.02)
    assert found >= 0.7 * 100 / (1 + 100 / 64) / LATENCY_S


@pytest.mark.parametrize("share", [0.01, 0.1])
def test_failures_that_do_not_come_of_the_number_do_not_lower_it(share: float) -> None:
    chance = random.Random(1)
    found = Concurrency(most=64)
    for number in range(20_000):
        if chance.random() < share:
            found.failed()
        else:
            found.answered(number, number + LATENCY_S, found.limit)
    assert found.limit >= 45


def test_told_it_listens_to_no_latency_but_to_failures() -> None:
    found = Concurrency(most=16, told=True)
    for number in range(1000):
        found.answered(number, number + 1.0 + number / 10, 16)
    assert found.limit == 16
    for _ in range(200):
        found.failed()
    assert found.limit < 4
    for number in range(2000):
        found.answered(number, number + 0.1, found.limit)
    assert found.limit == 16


def test_silence_ends_at_one_in_flight() -> None:
    found = Concurrency(most=64)
    for _ in range(500):
        found.failed()
    assert found.limit == 1


def test_a_run_that_something_else_holds_back_tells_nothing() -> None:
    found = Concurrency(most=64)
    for number in range(1000):
        found.answered(number, number + 1.0, 1)
    assert found.limit == 4


def course(latency_s: Callable[[int], float], *, rounds: int = 60, most: int = 100) -> list[int]:
    """How many are allowed, change by change; an answer takes as long as so many in flight make it."""
    found, now = Concurrency(most=most), 0.0
    limits, under_way = [found.limit], deque[tuple[float, float]]()
    while len(limits) < rounds and now < 10_000 * latency_s(1):
        while len(under_way) < found.limit:
            under_way.append((now + latency_s(len(under_way) + 1), now))
        under_way = deque(sorted(under_way))
        in_flight = len(under_way)
        now, began = under_way.popleft()
        found.answered(began, now, in_flight)
        if found.limit != limits[-1]:
            limits.append(found.limit)
    return limits


@pytest.mark.parametrize("bears", [8, 32, 80])
@pytest.mark.parametrize("answer_s", [0.02, 0.05, 0.2])
def test_a_rise_that_brings_no_throughput_is_taken_back(bears: int, answer_s: float) -> None:
    """The run stays at what the service bears, and tries one more now and then."""
    limits = course(lambda count: answer_s * max(1.0, count / bears) ** 2)
    assert set(limits[-10:]) == {bears, bears + 1}


@pytest.mark.parametrize("spread", [0.02, 0.1])
@pytest.mark.parametrize("bears", [8, 32])
def test_a_server_that_slows_down_gives_94_percent_of_what_it_bears(bears: int, spread: float) -> None:
    found, _ = throughput(lambda count: min(1, (bears / count) ** 2), spread=spread, answers=400 * bears)
    assert found >= 0.94 * bears / LATENCY_S


@pytest.mark.parametrize("spread", [0.02, 0.3])
@pytest.mark.parametrize("seed", range(8))
def test_a_server_that_bears_all_is_soon_sent_as_many_as_allowed(spread: float, seed: int) -> None:
    """Answers that vary much do not make a good rise look bad: 100 in flight within thirty answers' time."""
    found, _ = throughput(lambda n: 1, answers=3000, spread=spread, seed=seed)
    assert found >= 0.6 * 100 / LATENCY_S
