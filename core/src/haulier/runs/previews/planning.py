"""The plan before sending: how many requests, how many bytes, how long at the limits. No network."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from haulier.io.transports.choose import transport_name
from haulier.model.expression import RunFacts
from haulier.model.request import Request
from haulier.pipeline.planner import Planned
from haulier.runs.credentials.accounts import known_account, learned, over_quota
from haulier.runs.inputs.guarded_readers import readers_of
from haulier.runs.inputs.intake import Intake, RecordsLike
from haulier.runs.previews.describing import first_stage_alone
from haulier.runs.previews.preview import attribute_warnings, planned
from haulier.runs.resolving.arguments import check_arguments
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.remarks import warnings_of
from haulier.runs.resolving.resolve import resolve_stages
from haulier.runs.resolving.resolved import PREVIEW_RUN_ID, Resolved
from haulier.runs.resolving.site import DestinationLike, site_of

__all__ = ["Plan", "plan"]

_LEAST_FILL = 0.5
_MOST_REASONS = 5


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
        return {"shape": 1, **msgspec.structs.asdict(self)}


class _Count:
    """What was planned so far. filled: sum of the shares of their batches that requests carry. reasons: the first."""

    def __init__(self) -> None:
        self.records = self.requests = self.rejected = self.bytes = self.largest = 0
        self.filled = 0.0
        self.reasons: list[str] = []

    def add(self, piece: Planned, resolved: Resolved) -> None:
        for request in piece.requests:
            self.requests += 1
            self.records += len(request.positions)
            self.bytes += request.length
            self.largest = max(self.largest, request.length)
            self.filled += _fill(request, resolved)
        self.rejected += len(piece.rejected)
        self.reasons += [
            record.told for record in piece.rejected[: max(0, _MOST_REASONS - len(self.reasons))]
        ]


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
    check_arguments(params=params, base_url=base_url, format=format, limit=limit)
    site = site_of(destination)
    registry = load_registry()
    stages = resolve_stages(site.destination, registry, base_url=base_url)
    resolved = stages[0]
    account = known_account(site)
    resolved = learned(resolved, account)
    facts = RunFacts(PREVIEW_RUN_ID, time.time(), dict(params or {}))
    intake = Intake(records, format=format, limit=limit, readers=readers_of(registry))
    planner = resolved.planner(facts)
    count = _Count()
    for piece in planned(stages, facts, intake, site.root, planner, twice=False):
        count.add(piece, resolved)
    rate = resolved.limits.requests_per_second
    fill = count.filled / count.requests if count.requests and _bounded(resolved) else None
    return Plan(
        records=count.records + count.rejected,
        requests=count.requests,
        rejected=count.rejected,
        bytes=count.bytes,
        largest_bytes=count.largest,
        seconds=max(0, count.requests - 1) / rate if rate else None,
        fill=fill,
        way=resolved.way,
        transport=transport_name(resolved.destination.transport, resolved.address.origin),
        first_rejections=tuple(count.reasons),
        warnings=(
            *warnings_of(stages),
            *_unfetched(resolved),
            *first_stage_alone(stages),
            *attribute_warnings(stages, intake),
            *planner.remarks(),
            *intake.hints(),
            *over_quota(account, count.requests),
            *_scattered(resolved, fill, count.requests, count.records),
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
    if resolved.address.url_needs_record:
        apart.append("their address")
    apart += [f"their header `{name}`" for name in resolved.address.record_headers]
    if not apart:
        return ()
    return (
        f"batches are {fill:.0%} full on average, as records that differ in {' or '.join(apart)} never share one: sort "
        "the records by it, group by less, or take a smaller batching.size",
    )
