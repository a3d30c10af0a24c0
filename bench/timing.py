"""How long calls take, one after the other in one process."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["best"]


def best(rounds: int, *calls: Callable[[], object]) -> list[float]:
    """The shortest time of each call, seconds; the calls take turns."""
    found = [float("inf")] * len(calls)
    for _ in range(rounds):
        for index, call in enumerate(calls):
            began = time.perf_counter()
            call()
            found[index] = min(found[index], time.perf_counter() - began)
    return found
