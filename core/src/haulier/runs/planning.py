"""The plan before sending: how many requests, how many bytes, how long at the limits. No network."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from haulier.io.transports.choose import transport_name
from haulier.model.expression import RunFacts
from haulier.model.request import Request
from haulier.runs.accounts import known_account, learned, over_quota
from haulier.runs.builtins import load_registry
from haulier.runs.describing import first_stage_alone
from haulier.runs.intake import Intake, RecordsLike
from haulier.runs.preview import PREVIEW_RUN_ID, chain_warnings, planned
from haulier.runs.resolve import resolve_stages
from haulier.runs.resolved import Resolved, warnings_of
from haulier.runs.site import DestinationLike, site_of

__all__ = ["Plan", "plan"]

_LEAST_FILL = 0.5


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would send. records: read; rejected: those that cannot be sent as they are; bytes: of all bodies.

    seconds: least time at `limits.requests_per_second`; None where nothing limits it. first_rejections: a few reasons.
    fill: how full batches are on average, 1 is full: in records or in bytes, whichever bound is nearer; None without.
    way: how records are read, `untouched`, `shallow` or `full`; transport: who would send, `http1` or `httpx`.
    """

    records: int
    requests: int
    rejected: int
    bytes: int
    largest_bytes: int
    seconds: float | None
    fill: float | None
    way: str
    transport: str
    first_rejections: tuple[str, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"shape": 1, **{name: getattr(self, name) for name in self.__struct_fields__}}


def plan(
    destination: DestinationLike,
    records: RecordsLike,
    *,
    params: Mapping[str, str] | None = None,
    base_url: str | None = None,
    format: str | None = None,
    limit: int | None = None,
) -> Plan:
    """Make every request of a run and count them; nothing is sent or kept."""
    site = site_of(destination)
    registry = load_registry()
    stages = resolve_stages(site.destination, registry, base_url=base_url)
    resolved = stages[0]
    account = known_account(site)
    resolved = learned(resolved, account)
    facts = RunFacts(PREVIEW_RUN_ID, time.time(), dict(params or {}))
    read = requests = rejected = total = largest = 0
    reasons: list[str] = []
    intake = Intake(records, format=format, limit=limit, readers=registry.readers.values())
    filled = 0.0
    planner = resolved.planner(facts)
    for piece in planned(stages, facts, intake, site.root, planner, twice=False):
        for request in piece.requests:
            requests += 1
            read += len(request.positions)
            total += request.length
            largest = max(largest, request.length)
            filled += _fill(request, resolved)
        rejected += len(piece.rejected)
        reasons += [record.told for record in piece.rejected[: max(0, 5 - len(reasons))]]
    rate = resolved.limits.requests_per_second
    fill = filled / requests if requests and _bounded(resolved) else None
    return Plan(
        records=read + rejected,
        requests=requests,
        rejected=rejected,
        bytes=total,
        largest_bytes=largest,
        seconds=max(0, requests - 1) / rate if rate else None,
        fill=fill,
        way=resolved.way,
        transport=transport_name(resolved.destination.transport, resolved.address.origin),
        first_rejections=tuple(reasons),
        warnings=(
            *warnings_of(stages),
            *_unfetched(resolved),
            *first_stage_alone(stages),
            *chain_warnings(stages, intake),
            *planner.remarks(),
            *intake.hints(),
            *over_quota(account, requests),
            *_scattered(resolved, fill, requests, read),
        ),
    )


def _bounded(resolved: Resolved) -> bool:
    return resolved.batching is not None and not resolved.pieces.whole


def _unfetched(resolved: Resolved) -> tuple[str, ...]:
    if resolved.fetch is None:
        return ()
    return ("files that records name by URL are fetched when they are sent; `bytes` leaves them out",)


def _fill(request: Request, resolved: Resolved) -> float:
    """The share of its batch that a request carries, by the bound that is nearest."""
    batching = resolved.batching
    if batching is None:
        return 0.0
    in_bytes = request.length / batching.max_bytes if batching.max_bytes else 0.0
    return min(1.0, max(len(request.positions) / batching.size, in_bytes))


def _scattered(resolved: Resolved, fill: float | None, requests: int, records: int) -> tuple[str, ...]:
    """What to do where batches go out half empty because their records differ."""
    batching = resolved.batching
    if batching is None or fill is None or fill >= _LEAST_FILL or requests <= -(-records // batching.size):
        return ()
    apart = [f"`{name}`" for name in batching.group_by]
    if resolved.address.needs_record:
        apart.append("their address")
    if not apart:
        return ()
    return (
        f"batches are {fill:.0%} full on average, as records that differ in {' or '.join(apart)} never share one: sort "
        "the records by it, group by less, or take a smaller batching.size",
    )
