"""Requests of some of the records of another: of what was refused whole, or asked for again in part."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import msgspec

from haulier.errors import HaulierError
from haulier.model.block import Block
from haulier.model.request import Request
from haulier.pipeline.making import Waiting
from haulier.pipeline.planner import Planner
from haulier.runs.inputs.positions import stretches
from haulier.runs.stages.working import Crowd

__all__ = ["awaited_parts", "made_parts"]


def made_parts(planner: Planner, request: Request, places: Sequence[Sequence[int]]) -> list[Request] | None:
    """Requests of the records at each of `places`, as the planner makes them; None where they do not all make one.

    For groupings that do not wait.
    """
    found: list[Request] = []
    for making in _makings(planner, request, places):
        try:
            making.send(None)
        except StopIteration as end:
            if not end.value:
                return None
            found += end.value
        else:
            return None
    return _children(request, found)


async def awaited_parts(
    crowd: Crowd, planner: Planner, request: Request, places: Sequence[Sequence[int]]
) -> list[Request] | None:
    """The same where a grouping waits; crowd: carries out what it waits for."""
    found: list[Request] = []
    try:
        for making in _makings(planner, request, places):
            made = await crowd.through(making)
            if not made:
                return None
            found += made
    except HaulierError:
        return None
    return _children(request, found)


def _makings(
    planner: Planner, request: Request, places: Sequence[Sequence[int]]
) -> list[Generator[Waiting, Any, list[Request]]]:
    return [planner.remake(_blocks_of(request, some)) for some in places]


def _blocks_of(request: Request, places: Sequence[int]) -> list[Block]:
    """Some records of a request again."""
    positions = [request.positions[at] for at in places]
    records = request.records
    lines = {request.positions[at]: records[at] for at in places}
    return [
        Block(first=stretch.start, lines=[lines[position] for position in stretch])
        for stretch in stretches(positions)
    ]


def _children(request: Request, found: list[Request]) -> list[Request]:
    return [msgspec.structs.replace(part, parent=request.number) for part in found]
