"""Interleaved rounds: each round measures every case once, so that what drifts drifts for all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from cases import Goal
from figures import Outcome, Series, missing, outcome_of
from measuring import MOST_OTHERS, Measured
from turns import companies, in_turns

__all__ = ["Case", "Results", "outcomes", "run_rounds"]

Case: TypeAlias = tuple[str, str]
Results: TypeAlias = dict[Case, list[Measured]]


def run_rounds(
    cases: Sequence[Case],
    goals: Sequence[Goal],
    measure: Callable[[Case], Measured],
    *,
    rounds: int,
    more: int,
    times: int,
    fewer: Mapping[str, int],
) -> Results:
    """Measure all cases in so many `rounds`; then those of goals that are close, in up to `more` rounds again.

    times: how often, within a round, what is over soon is measured in turns with what it is compared with.
    fewer: workloads that are measured in so many rounds only.
    """
    results: Results = {case: [] for case in cases}

    def measure_round(title: str, due: Sequence[Case]) -> None:
        print(title, file=sys.stderr)
        for company in companies(due, [goal.cases for goal in goals]):
            found = in_turns(company, measure, times=times, seconds=_seconds, rate=_rate)
            for case, measured in found.items():
                results[case].append(measured)
                _tell(case, measured)

    for number in range(rounds):
        turned = number % len(cases)  # nobody always runs after the same one
        due = [case for case in (*cases[turned:], *cases[:turned]) if number < fewer.get(case[0], rounds)]
        measure_round(f"round {number + 1} of {rounds}", due)
    for number in range(more):
        close = [goal for goal, outcome in zip(goals, outcomes(goals, results), strict=True) if outcome.close]
        again = {case for goal in close for case in goal.cases}
        if not again:
            break
        measure_round(f"close, {number + 1} of {more} at most", [case for case in cases if case in again])
    return results


def outcomes(goals: Sequence[Goal], results: Mapping[Case, Sequence[Measured]]) -> list[Outcome]:
    """What came of each goal."""
    return [_outcome(goal, results) for goal in goals]


def _outcome(goal: Goal, results: Mapping[Case, Sequence[Measured]]) -> Outcome:
    if absent := [case[1] for case in goal.cases if not results.get(case)]:
        return missing(absent)
    measured = results[goal.of]
    if goal.most_mb:
        beside = results[goal.beside] if goal.beside is not None else []
        less = min((one.peak_bytes for one in beside), default=0)
        return outcome_of(
            Series(tuple((one.peak_bytes - less) / 1e6 for one in measured)), at_most=goal.most_mb
        )
    series = Series(tuple(one.rate / (goal.possible or 1.0) for one in measured))
    if goal.against is not None:
        # A case of several goals may have had more rounds than the other.
        other = [one.rate for one in results[goal.against]]
        both = min(len(measured), len(other))
        series = Series(series.values[:both]).over(Series(tuple(other[:both])))
    return outcome_of(series, at_least=goal.at_least)


def _tell(case: Case, measured: Measured) -> None:
    disturbed = f", others took {measured.others:.0%} of the CPU" if measured.others > MOST_OTHERS else ""
    told = f"{measured.rate:12,.0f} records/s  {measured.peak_bytes / 1e6:5.0f} MB"
    print(f"  {case[0]:18} {case[1]:26} {told}{disturbed}", file=sys.stderr, flush=True)


def _seconds(measured: Measured) -> float:
    return measured.seconds


def _rate(measured: Measured) -> float:
    return measured.rate
