"""Requests start evenly spaced, never in bursts, and nobody starts while the service asks for rest."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.delivery.pacing import Pacing


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


def test_without_a_limit_nothing_waits() -> None:
    assert starts(Pacing(), [5.0] * 10) == [5.0] * 10


def test_a_rate_spaces_the_very_first_two() -> None:
    assert starts(Pacing(interval_s=0.5), [100.0] * 5) == [100.0, 100.5, 101.0, 101.5, 102.0]


def test_idle_time_is_not_saved_up_for_a_burst() -> None:
    assert starts(Pacing(interval_s=1.0), [10.0, 11.0, 500.0, 500.0, 500.0]) == [
        10.0,
        11.0,
        500.0,
        501.0,
        502.0,
    ]


@given(st.lists(st.floats(0, 5), min_size=2, max_size=20), st.sampled_from([0.1, 1.0]))
def test_in_any_second_no_more_than_the_rate_start(gaps: list[float], interval: float) -> None:
    """A timer that fires a little late may be made up for; half an interval never is."""
    arrivals = [100 + sum(gaps[: index + 1]) for index in range(len(gaps))]
    found = starts(Pacing(interval_s=interval), arrivals)
    for before, after in pairwise(found):
        assert after - before >= interval * 0.5


def test_rest_asked_for_holds_everybody_and_the_longest_counts() -> None:
    pacing = Pacing()
    pacing.asked(10.0, 5.0)
    pacing.asked(11.0, 1.0)
    assert pacing.wait(12.0) == pytest.approx(3.0)
    assert pacing.wait(15.0) <= 0
    pacing.asked(16.0, 0.0)
    assert pacing.wait(16.0) <= 0


def test_after_a_rest_starts_are_spaced_again() -> None:
    pacing = Pacing(interval_s=1.0)
    pacing.asked(10.0, 5.0)
    assert starts(pacing, [10.0, 10.0, 10.0]) == [15.0, 16.0, 17.0]
