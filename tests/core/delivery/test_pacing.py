"""Requests start evenly spaced, never in bursts, and nobody starts while the service asks for rest."""

from __future__ import annotations

import timeit
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.delivery.pacing import MARGIN, Pace, Pacing
from haulier.delivery.spacing import Spacing
from haulier.model.request import Response

OK = Response(status=200)


def starts(pacing: Pacing, arrivals: list[float]) -> list[float]:
    """When each request starts that wants to at these times, one after the other."""
    now, found = 0.0, []
    for at in arrivals:
        now = max(now, at)
        if (wait := pacing.wait(now)) > 0:
            now += wait
        pacing.started(now)
        found.append(now)
    return found


def told(per_second: float) -> Pacing:
    return Pacing(Pace(requests_per_second=per_second))


def test_without_a_limit_nothing_waits() -> None:
    assert starts(Pacing(Pace()), [5.0] * 10) == [5.0] * 10


def test_a_rate_spaces_the_very_first_two_a_little_wider_than_told() -> None:
    """Two percent, as requests do not travel equally long: exactly as told, some would arrive in less time."""
    found = starts(told(2), [100.0] * 5)
    assert found == pytest.approx([100 + number * 0.5 * MARGIN for number in range(5)])


def test_idle_time_is_not_saved_up_for_a_burst() -> None:
    found = starts(told(1), [10.0, 12.0, 500.0, 500.0, 500.0])
    assert found == pytest.approx([10.0, 12.0, 500.0, 500.0 + MARGIN, 500.0 + 2 * MARGIN])


def test_the_second_request_is_not_at_the_heels_of_a_first_one_that_was_long_on_its_way() -> None:
    pacing = told(10)
    pacing.started(5.0)
    pacing.answered(5.0, 5.09, OK)
    assert pacing.wait(5.09) == pytest.approx(0.1 * MARGIN)


def test_a_late_timer_is_made_up_for() -> None:
    spacing = Spacing()
    assert not spacing.started(10.0, 1.0)
    assert spacing.started(11.3, 1.0)
    assert spacing.next_start == 12.0


@given(st.lists(st.floats(0, 5), min_size=2, max_size=20), st.sampled_from([1.0, 10.0]))
def test_in_any_second_no_more_than_the_rate_start(gaps: list[float], per_second: float) -> None:
    """A timer that fires a little late may be made up for; half an interval never is."""
    arrivals = [100 + sum(gaps[: index + 1]) for index in range(len(gaps))]
    for before, after in pairwise(starts(told(per_second), arrivals)):
        assert after - before >= 0.5 / per_second


def test_rest_asked_for_holds_everybody_and_the_longest_counts() -> None:
    pacing = Pacing(Pace())
    pacing.asked(10.0, 5.0)
    pacing.asked(11.0, 1.0)
    assert pacing.wait(12.0) == pytest.approx(3.0)
    assert pacing.wait(15.0) <= 0
    pacing.asked(16.0, 0.0)
    assert pacing.wait(16.0) <= 0


def test_after_a_rest_starts_are_spaced_again() -> None:
    pacing = told(1)
    pacing.asked(10.0, 5.0)
    assert starts(pacing, [10.0, 10.0, 10.0]) == pytest.approx([15.0, 15.0 + MARGIN, 15.0 + 2 * MARGIN])


def test_where_nothing_limits_pacing_costs_next_to_nothing() -> None:
    """3 us a request, on an idle machine; twelve here, as others may be at work."""
    headers = tuple(
        (name, "x") for name in ("content-type", "date", "content-length", "server", "etag", "vary")
    )
    reply, pacing = Response(status=200, headers=headers), Pacing(Pace(told=False, most_in_flight=100))

    def one() -> None:
        pacing.wait(1.0)
        assert pacing.limit
        pacing.started(1.0)
        pacing.answered(1.0, 1.02, reply)

    assert min(timeit.repeat(one, number=2000, repeat=5)) / 2000 < 12e-6


def limits_of_rounds(*, together: bool) -> list[int]:
    """How many may be in flight in each round of a service that answers in 50 ms however many there are."""
    pacing, limits = Pacing(Pace(told=False, most_in_flight=100)), []
    for _ in range(pacing.limit):
        pacing.started(0.0)
    for number in range(1, 60):
        came = pacing.in_flight
        limits.append(came)
        for beside in range(came):
            pacing.answered(
                (number - 1) * 0.05, number * 0.05, Response(status=200), beside=together * beside
            )
            if not together:
                pacing.started(number * 0.05)
        while pacing.in_flight < pacing.limit:
            pacing.started(number * 0.05)
    return limits


def test_answers_that_come_at_once_were_all_in_flight() -> None:
    """Told one after the other before anything follows them, they let as many more start as if each were followed."""
    limits = limits_of_rounds(together=True)
    assert limits == limits_of_rounds(together=False)
    assert limits[-1] >= 90
