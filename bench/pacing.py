"""Pacing for real: servers with limits, and what a run makes of them. By virtual clock it is tested elsewhere.

`make bench` runs it after the rounds; by itself: .venv/bin/python bench/pacing.py [--scale 50]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from records import Records, make_records

__all__ = ["Paced", "measure_pacing"]

_CHILDREN = Path(__file__).resolve().parent / "children"
_REQUESTS, _MANY = 1_000, 6_000
_PER_SECOND = 50
_LONGEST_S = 300


@dataclass(frozen=True, kw_only=True)
class Paced:
    """One goal of pacing and what came of it; figures as shown."""

    title: str
    wanted: str
    figure: str
    holds: str


def measure_pacing(records: Records, folder: Path, *, scale: int = 1) -> Sequence[Paced]:
    """Run all cases; those with a limit in time beside each other, as they mostly wait."""
    requests, many = max(20, _REQUESTS // scale), max(20, _MANY // scale)
    with ThreadPoolExecutor() as pool:
        told = pool.submit(_carry, "window", records, requests, folder / "told", _PER_SECOND)
        header = pool.submit(_carry, "headers", records, requests, folder / "headers", 0)
        learned = pool.submit(_carry, "window", records, requests, folder / "learned", 0)
        limited = [told.result(), header.result(), learned.result()]
    best = _carry("degrade", records, many, folder / "best", 0, in_flight=32)
    unaided = _carry("degrade", records, many, folder / "unaided", 0)
    shortest_s = (requests - 1) / _PER_SECOND
    return [
        _strict("told its limit of 50 requests/s by a setting", limited[0], shortest_s),
        _strict("told its limit of 50 requests/s by headers", limited[1], shortest_s),
        _learned("not told its limit of 50 requests/s", limited[2], shortest_s),
        _degraded(best, unaided),
    ]


def _strict(title: str, seen: Mapping[str, float], shortest_s: float) -> Paced:
    ratio, refused = seen["seconds"] / shortest_s, int(seen["refused"])
    return Paced(
        title=title,
        wanted="within 1.05 of the shortest time, none refused",
        figure=f"{ratio:.3f}, {refused} refused",
        holds=_yes(ratio <= 1.05 and not refused),
    )


def _learned(title: str, seen: Mapping[str, float], shortest_s: float) -> Paced:
    ratio = seen["seconds"] / shortest_s
    share = seen["refused_late"] / (seen["accepted"] + seen["refused"])
    return Paced(
        title=title,
        wanted="within 1.25 of the shortest time, at most 5 % refused after the first second",
        figure=f"{ratio:.3f}, {share:.1%} refused",
        holds=_yes(ratio <= 1.25 and share <= 0.05),
    )


def _degraded(best: Mapping[str, float], unaided: Mapping[str, float]) -> Paced:
    share = best["seconds"] / unaided["seconds"]
    return Paced(
        title="a server that degrades beyond 32 in flight, unaided",
        wanted="90 % of its best throughput, which is that of a run told 32",
        figure=f"{share:.0%}",
        holds=_yes(share >= 0.9),
    )


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def _carry(
    kind: str, records: Records, requests: int, folder: Path, per_second: int, *, in_flight: int = 0
) -> Mapping[str, float]:
    """What the server saw of a run that carries so many records one by one; 0: nobody tells it."""
    folder.mkdir()
    part = folder / "records.jsonl"
    with records.path.open() as whole:
        part.write_text("".join(line for _, line in zip(range(requests), whole, strict=False)))
    server = subprocess.Popen(
        [sys.executable, str(_CHILDREN / "limited_server.py"), kind], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/records"
        argv = [sys.executable, str(_CHILDREN / "send.py"), str(part), "1", url, str(folder / "state")]
        argv += ["--in-flight", str(in_flight), "--per-second", str(per_second)]
        subprocess.run(argv, check=True, timeout=_LONGEST_S)
    finally:
        server.terminate()
    seen: dict[str, float] = json.loads(server.stdout.readline())
    server.wait()
    if seen["accepted"] != requests:
        raise SystemExit(f"{kind}: {seen['accepted']} of {requests} records arrived")
    return seen


def main() -> None:
    """Print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        records = make_records(Path(name) / "records.jsonl", max(20, _MANY // options.scale))
        for paced in measure_pacing(records, Path(name), scale=options.scale):
            print(f"{paced.title}: {paced.figure} (wanted: {paced.wanted}): {paced.holds}")


if __name__ == "__main__":
    main()
