"""What a series of measurements comes to."""

from __future__ import annotations

import pytest
from bench.figures import Outcome, Series, missing, outcome_of


def test_one_bad_round_moves_no_median() -> None:
    assert Series((100.0, 101.0, 99.0, 30.0, 100.0)).median == 100.0


def test_spread_is_highest_less_lowest_over_the_median() -> None:
    assert Series((90.0, 100.0, 110.0)).spread == pytest.approx(0.2)


def test_ratios_are_taken_round_by_round() -> None:
    """A machine that is half as fast for a round halves both, and the ratio stays."""
    assert Series((200.0, 100.0)).over(Series((100.0, 50.0))) == Series((2.0, 2.0))


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ((2.0, 2.0, 2.0), Outcome(figure=2.0, spread=0.0, holds="yes")),
        ((1.0, 1.0, 1.0), Outcome(figure=1.0, spread=0.0, holds="no")),
        ((1.55, 1.55, 1.55), Outcome(figure=1.55, spread=0.0, holds="yes", close=True)),
        (
            (1.5, 1.0, 2.0),
            Outcome(figure=1.5, spread=pytest.approx(2 / 3), holds="not measurable here", close=True),
        ),
    ],
)
def test_goal_of_a_rate(values: tuple[float, ...], outcome: Outcome) -> None:
    """Below the goal is no; a wide spread is no answer; what is close asks for more rounds."""
    assert outcome_of(Series(values), at_least=1.5) == outcome


def test_goal_of_memory_is_held_by_the_highest() -> None:
    assert outcome_of(Series((60.0, 101.0)), at_most=100) == Outcome(figure=101.0, spread=None, holds="no")


def test_absent_tool_is_not_reached() -> None:
    assert missing(["syslog-ng"]) == Outcome(figure=None, spread=None, holds="not reached: no syslog-ng here")
