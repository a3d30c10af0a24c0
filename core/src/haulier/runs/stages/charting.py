"""Charting: from settings to the course that a driver keeps, and to the limits that stages have in common."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import msgspec

from haulier.delivery.pacing import Pace
from haulier.delivery.retry import Policy
from haulier.io.activation import activation
from haulier.runs.credentials.sharing import share_of
from haulier.runs.driving.course import Course
from haulier.runs.driving.joint import Joint
from haulier.runs.driving.orders import Orders
from haulier.runs.inputs.fetching import FetchedFiles
from haulier.runs.inputs.stored import store
from haulier.runs.outputs.opened import answers_are_kept
from haulier.runs.resolving.keyless import key_search_of
from haulier.runs.resolving.ordered import lane_of
from haulier.runs.resolving.resolved import Resolved

__all__ = ["course_of", "joints_of"]

_MOST_TIMEOUTS = 10.0  # an answer that drips is waited for so many times `timeout_s`
_WINDOWS_AHEAD = 5  # the loop never waits for one, and a crash leaves no more to be asked about
_MOST_IN_FLIGHT = 100  # where neither connector nor destination says; fewer as the service bears


def course_of(
    orders: Orders, at: int, run_key: str, *, spooled: bool, fetched: FetchedFiles | None
) -> Course:
    """How a stage of a run is to go. spooled: what it reads is kept beside the ledger, to be read again.

    fetched: the files that are fetched for it, which nobody can make again.
    """
    resolved = orders.stages[at]
    retry, in_flight = resolved.destination.retry, _in_flight(resolved)
    parks = resolved.destination.unanswered == "park"
    # What a later stage reads is in the ledger, and can always be read again.
    again = at > 0 or spooled or orders.intake.repeatable
    last = at == len(orders.stages) - 1
    judging = resolved.judging(body_kept=not last or answers_are_kept(resolved, orders.registry))
    authority = orders.authorities[at]
    judging = msgspec.structs.replace(judging, unaccepted=authority.unaccepted)
    # Under `park` a crash leaves intents without outcome in doubt: no more of them than may be in flight.
    window = min(256, in_flight if parks else max(4, 4 * in_flight))
    return Course(
        judging=judging,
        policy=Policy(attempts=retry.attempts, base_s=retry.base_s, cap_s=retry.cap_s, park=parks),
        max_in_flight=in_flight,
        told=resolved.limits.max_in_flight is not None,
        patience_s=resolved.limits.patience_s,
        longest_s=_MOST_TIMEOUTS * resolved.destination.timeout_s,
        authorize=authority.authorize(),
        stored=fetched.stored if fetched is not None else _nothing if again and _remakes(resolved) else store,
        paused=_pause_of(orders),
        lane=lane_of(resolved.destination),
        # What comes to a later stage, or with its files, comes record by record: one alone says nothing of the others.
        unfit=key_search_of(judging, at_once=at == 0 and fetched is None and orders.intake.repeatable),
        run_key=run_key,
        max_rejected=resolved.destination.max_rejected,
        window=window,
        ahead=in_flight if parks else _WINDOWS_AHEAD * window,
    )


def _remakes(resolved: Resolved) -> bool:
    return resolved.algorithm is None or resolved.algorithm.remakes


def joints_of(orders: Orders) -> list[Joint]:
    """The limits of each stage, from the event loop: one object for all with the same origin and credential."""
    groups: dict[Hashable, list[int]] = {}
    for at, (resolved, authority) in enumerate(zip(orders.stages, orders.authorities, strict=True)):
        kind = authority.type.name if authority.type is not None else ""
        groups.setdefault((resolved.origin, authority.name, kind), []).append(at)
    found: dict[int, Joint] = {}
    for stages in groups.values():
        pace = _pace([orders.stages[at] for at in stages])
        first = stages[0]
        share = share_of(orders.state_dir.parent, orders.stages[first].origin, orders.authorities[first])
        found.update(dict.fromkeys(stages, Joint(pace, share)))
    return [found[at] for at in range(len(orders.stages))]


def _pace(stages: Sequence[Resolved]) -> Pace:
    """One pace for all: where they say different things, what asks least of the service."""
    limits = [resolved.limits for resolved in stages]
    retry = stages[0].destination.retry
    headers = {name: kind for resolved in stages for name, kind in resolved.connector.quota_headers.items()}
    return Pace(
        requests_per_second=min(
            (one.requests_per_second for one in limits if one.requests_per_second), default=0.0
        ),
        most_in_flight=min(map(_in_flight, stages)),
        told=any(one.max_in_flight is not None for one in limits),
        patience_s=min(one.patience_s for one in limits),
        base_s=retry.base_s,
        cap_s=retry.cap_s,
        quota_headers=headers,
        wall_s=time.time() - asyncio.get_running_loop().time(),
    )


def _in_flight(resolved: Resolved) -> int:
    return resolved.limits.max_in_flight or _MOST_IN_FLIGHT


def _pause_of(orders: Orders) -> Callable[[], bool]:
    since = activation(orders.state_dir).since

    def paused() -> bool:
        """Whether a person paused the destination after this began; sending to a paused one is the caller's act."""
        now: Any = activation(orders.state_dir)
        return bool(now.state == "paused" and now.since != since)

    return paused


def _nothing(_: object) -> None:
    return None
