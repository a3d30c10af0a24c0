"""The page `docs/benchmarks.md`, from the results. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cases import Goal, Workload
from figures import MOST_SPREAD, Outcome, Series
from measuring import MOST_OTHERS, Measured
from pacing import Paced
from starting import STARTS

__all__ = ["Beside", "page"]

_HEAD = """\
# Benchmarks

Written by `make bench`; what is measured and how is in [bench/README.md](../bench/README.md).

All tools send the same records over the loopback to one nginx that reads each body whole before it answers, on the
cores that they share with it. Rates are of whole processes, from start to end, and each round measures every tool
once. The server counted the requests and bytes of every tool: a tool that skips work ends the bench.
"""


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What was measured beside the rounds. starts: milliseconds beyond `python -c pass`, by what was started."""

    starts: Mapping[str, Series]
    paced: Sequence[Paced]


def page(
    facts: Iterable[tuple[str, str]],
    versions: Mapping[str, str],
    workloads: Sequence[Workload],
    goals: Sequence[tuple[Goal, Outcome]],
    results: Mapping[tuple[str, str], Sequence[Measured]],
    beside: Beside | None,
    *,
    scale: int,
    comparable: bool,
) -> str:
    """The page as Markdown. versions: by tool, empty for absent ones. comparable: the server was nginx."""
    parts = [_HEAD]
    if scale != 1:
        parts.append(
            f"**All sizes were divided by {scale}: this shows that the bench works, and no speed.**\n"
        )
    if not comparable:
        parts.append(
            "**A stand-in took the place of nginx: this shows that the bench works, and no speed.**\n"
        )
    parts.append(
        _table("## Goals", ("goal", "against", "at least", "median", "spread", "holds"), map(_goal, goals))
    )
    if beside is not None:
        parts.append(_beside(beside))
    columns = ("tool", "records/s", "lowest", "highest", "spread", "requests", "peak memory", "rounds")
    for workload in workloads:
        rows = [_rate(tool, versions, results.get((workload.name, tool), ())) for tool in workload.tools]
        parts.append(_table(f"## {workload.title[0].upper()}{workload.title[1:]}", columns, rows))
    shown = [(f"version of {tool}", version or "absent") for tool, version in versions.items()]
    parts.append(_table("## Machine and versions", ("what", "fact"), [*facts, *shown]))
    parts.append(_remarks(results))
    return "\n".join(parts)


def _beside(beside: Beside) -> str:
    starts = [
        (name, f"{STARTS[name]:.0f} ms", f"{series.median:.0f} ms", _within(series.median, STARTS[name]))
        for name, series in beside.starts.items()
    ]
    paced = [(one.title, one.wanted, one.figure, one.holds) for one in beside.paced]
    columns = ("start-up beyond `python -c pass`", "at most", "median", "holds")
    return "\n".join(
        (
            _table("## Start-up", columns, starts),
            _table("## Pacing", ("server", "goal", "seen by the server", "holds"), paced),
        )
    )


def _within(figure: float, most: float) -> str:
    return "yes" if figure <= most else "no"


def _goal(row: tuple[Goal, Outcome]) -> Sequence[str]:
    goal, outcome = row
    if goal.most_mb:
        wanted, figure = f"under {goal.most_mb:,.0f} MB", _or_dash(outcome.figure, "{:,.0f} MB")
    elif goal.against is None and not goal.possible:
        wanted, figure = f"{goal.at_least:,.0f}", _or_dash(outcome.figure, "{:,.0f}")
    else:
        wanted, figure = f"{goal.at_least:.2f} x", _or_dash(outcome.figure, "{:.2f} x")
    against = goal.against[1] if goal.against is not None else ""
    if goal.possible:
        against = f"the {goal.possible:,.0f} a second that are possible"
    return goal.title, against, wanted, figure, _or_dash(outcome.spread, "{:.0%}"), outcome.holds


def _rate(tool: str, versions: Mapping[str, str], measured: Sequence[Measured]) -> Sequence[str]:
    if not measured:
        return tool, "absent" if not versions.get(tool) else "not run", "", "", "", "", "", ""
    rates = Series(tuple(one.rate for one in measured))
    spread = f"{rates.spread:.0%}" + (" (not measurable here)" if rates.spread > MOST_SPREAD else "")
    peak = max(one.peak_bytes for one in measured) / 1e6
    requests = f"{measured[-1].requests:,}"
    low, high = f"{min(rates.values):,.0f}", f"{max(rates.values):,.0f}"
    return tool, f"{rates.median:,.0f}", low, high, spread, requests, f"{peak:,.0f} MB", str(len(measured))


def _remarks(results: Mapping[tuple[str, str], Sequence[Measured]]) -> str:
    every = [one for measured in results.values() for one in measured]
    disturbed = sum(one.others > MOST_OTHERS for one in every)
    return (
        f"Of {len(every)} measurements {disturbed} were kept although others took more than {MOST_OTHERS:.0%} of the "
        "CPU each of the three times they were tried. Spread is highest less lowest as a share of the median, of "
        "ratios round by round; a row above "
        f"{MOST_SPREAD:.0%} counts as not measurable here. Where a tool is absent, its rows count as not reached. "
        "A tool that takes less memory than the bench itself is shown with the peak of the bench.\n"
    )


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [title, "", f"| {' | '.join(columns)} |", f"| {' | '.join('---' for _ in columns)} |"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _or_dash(value: float | None, shape: str) -> str:
    return "-" if value is None else shape.format(value)
