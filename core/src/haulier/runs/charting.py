"""Charting: from settings to the course that a driver keeps."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from haulier.delivery.pacing import Pace
from haulier.delivery.retry import Policy
from haulier.io.activation import activation
from haulier.runs.course import Course
from haulier.runs.ordered import lane_of
from haulier.runs.orders import Orders
from haulier.runs.outputs import answers_are_kept
from haulier.runs.resolved import Resolved
from haulier.runs.sharing import share_of
from haulier.runs.stored import store

__all__ = ["course_of"]

_MOST_TIMEOUTS = 10.0  # an answer that drips is waited for so many times `timeout_s`
_MOST_IN_FLIGHT = 100  # where neither connector nor destination says; fewer as the service bears


def course_of(orders: Orders, run_key: str, *, spooled: bool) -> Course:
    """How a run is to go, from its event loop. spooled: what it reads is kept beside the ledger, to be read again."""
    resolved = orders.resolved
    limits, retry = resolved.limits, resolved.destination.retry
    in_flight = limits.max_in_flight or _MOST_IN_FLIGHT
    parks = resolved.destination.unanswered == "park"
    since = activation(orders.state_dir).since

    def paused() -> bool:
        """Whether a person paused the destination after this began; sending to a paused one is the caller's act."""
        now: Any = activation(orders.state_dir)
        return bool(now.state == "paused" and now.since != since)

    judging = resolved.judging(body_kept=answers_are_kept(resolved, orders.registry))
    if orders.authority.stored:
        judging = msgspec.structs.replace(judging, credential=orders.authority.name)
    return Course(
        judging=judging,
        policy=Policy(attempts=retry.attempts, base_s=retry.base_s, cap_s=retry.cap_s, park=parks),
        max_in_flight=in_flight,
        pace=Pace(
            requests_per_second=limits.requests_per_second or 0.0,
            most_in_flight=in_flight,
            told=limits.max_in_flight is not None,
            patience_s=limits.patience_s,
            base_s=retry.base_s,
            cap_s=retry.cap_s,
            quota_headers=resolved.connector.quota_headers,
            wall_s=time.time() - asyncio.get_running_loop().time(),
        ),
        patience_s=limits.patience_s,
        longest_s=_MOST_TIMEOUTS * resolved.destination.timeout_s,
        authorize=orders.authority.authorize(),
        stored=_nothing if (orders.intake.repeatable or spooled) and _remakes(resolved) else store,
        paused=paused,
        lane=lane_of(resolved.destination),
        share=share_of(orders.state_dir.parent, resolved.origin, orders.authority),
        run_key=run_key,
        max_rejected=resolved.destination.max_rejected,
        # Under `park` a crash leaves intents without outcome in doubt: no more of them than may be in flight.
        window=min(256, in_flight if parks else max(4, 4 * in_flight)),
        ahead=in_flight if parks else 0,
    )


def _remakes(resolved: Resolved) -> bool:
    return resolved.algorithm is None or resolved.algorithm.remakes


def _nothing(_: object) -> None:
    return None
