"""For all tests: how they share the machine when several run at once, and what is told at the end."""

from __future__ import annotations

import fcntl
import gc
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# How long an example takes is the machine's matter. All else stays as it is, also where hypothesis sees a CI.
hypothesis.settings.register_profile("patient", parent=hypothesis.settings.default, deadline=None)
hypothesis.settings.load_profile("patient")

# A shell that starts the tests in the background may have them ignore it, and every command they start would, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """What is collected stays to the end: some hundred thousand objects, of which none is garbage. To look through them
    again and again took most of the time of collecting, and much of that of the tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest is begun first: no worker is left with it when the others have nothing more to do. What runs
    alone comes last: by then nobody waits for it, and it for nobody."""
    items.sort(key=lambda item: ("long" not in item.keywords) + 2 * ("alone" in item.keywords))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    """A test marked `alone` measures real time: no other one runs beside it, and nothing is made for one."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    with _turn(item.config._tmp_path_factory.getbasetemp().parent, alone="alone" in item.keywords):
        return (yield)


@contextmanager
def _turn(folder: Path, *, alone: bool) -> Iterator[None]:
    """Each test holds a lock, shared, and one that runs alone holds it exclusively. Who wants it waits at a gate, so
    that one that runs alone is not passed by others for ever."""
    with (folder / "gate.lock").open("w") as gate, (folder / "turn.lock").open("w") as turn:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(turn, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the crash tests came to, wherever they ran."""
    reports = [one for found in terminalreporter.stats.values() for one in found]
    told = [
        value
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == "crash"
    ]
    if told:
        terminalreporter.section("crash tests")
        terminalreporter.write_line(_table(sorted(told, key=lambda one: (not one["seed"], one["scenario"]))))


def _summed(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One for each scenario."""
    found: dict[str, dict[str, Any]] = {}
    for one in told:
        if (whole := found.setdefault(one["scenario"], one)) is not one:
            for name in ("kills", "lost", "repeated", "in_doubt"):
                whole[name] += one[name]
            whole["phases"] = Counter(whole["phases"]) + Counter(one["phases"])
    return list(found.values())


def _table(told: list[dict[str, Any]]) -> str:
    columns = ("kills", "lost", "repeated", "in_doubt")
    lines = [f"{'scenario':44}{'kills':>8}{'lost':>8}{'repeated':>10}{'in doubt':>10}   seed"]
    told = _summed(told)
    total = {name: sum(one[name] for one in told) for name in columns}
    for one in [*told, {"scenario": "total", "seed": "", **total}]:
        counts = f"{one['kills']:8}{one['lost']:8}{one['repeated']:10}{one['in_doubt']:10}"
        lines.append(f"{one['scenario']:44}{counts}   {one['seed']}".rstrip())
    phases: Counter[str] = Counter()
    for one in told:
        phases.update(one["phases"])
    most = max(phases.values(), default=1)
    if phases:
        lines += ["", "killed while it was"]
    lines += [f"  {name:16}{count:5} {'#' * -(-40 * count // most)}" for name, count in phases.most_common()]
    return "\n".join(lines)
