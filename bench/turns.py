"""Who is measured beside whom, and in turns with it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

__all__ = ["SHORT_S", "companies", "in_turns", "middle"]

C = TypeVar("C")
M = TypeVar("M")

SHORT_S = 4.0  # what takes less meets the machine in one of its moods


def companies(cases: Sequence[C], compared: Iterable[Iterable[C]]) -> list[list[C]]:
    """The cases, those together that are compared, also by way of others; in the order of the first of each."""
    found: list[list[C]] = [[case] for case in cases]
    for linked in map(set, compared):
        meant = [company for company in found if not linked.isdisjoint(company)]
        if len(meant) > 1:
            found = [company for company in found if company not in meant]
            found.append(sorted((case for company in meant for case in company), key=cases.index))
    return sorted(found, key=lambda company: cases.index(company[0]))


def in_turns(
    cases: Sequence[C],
    measure: Callable[[C], M],
    *,
    times: int,
    seconds: Callable[[M], float],
    rate: Callable[[M], float],
) -> dict[C, M]:
    """Measure each case; those that are over soon so many `times`, one after the other and all again.

    Of these the measurement with the middle rate counts. So a quick and a slow minute of the machine are shared by all
    that are compared.
    """
    found: dict[C, list[M]] = {case: [measure(case)] for case in cases}
    for _ in range(times - 1):
        for case in cases:
            if seconds(found[case][0]) < SHORT_S:
                found[case].append(measure(case))
    return {case: middle(measured, rate) for case, measured in found.items()}


def middle(found: Sequence[M], by: Callable[[M], float]) -> M:
    """The one with the middle figure; of an even number of them the higher of the two."""
    return sorted(found, key=by)[len(found) // 2]
