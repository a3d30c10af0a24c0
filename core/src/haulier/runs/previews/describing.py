"""Stages in words: where each sends, and what of it comes from answers that are not there yet."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec

from haulier.model.json_value import members
from haulier.runs.resolving.keyless import no_such_key
from haulier.runs.resolving.resolved import Resolved

__all__ = ["LaterStage", "first_stage_alone", "later_stages", "sends_text", "unknown_attributes"]


class LaterStage(msgspec.Struct, frozen=True, kw_only=True):
    """A stage that is called with what others answered. sends: method, address and body format; values: as written."""

    name: str
    after: str
    each: str | None
    sends: str
    values: dict[str, Any]


def later_stages(stages: Sequence[Resolved]) -> tuple[LaterStage, ...]:
    """All stages of a chain but the first; none of a destination without stages."""
    found = []
    for resolved in stages[1:]:
        assert resolved.stage is not None
        written = resolved.destination
        values: dict[str, Any] = dict(written.params)
        if written.request is not None:
            values = {"url": written.request.url, **written.request.body}
        found.append(
            LaterStage(
                name=resolved.name,
                after=resolved.stage.after,
                each=resolved.stage.each,
                sends=sends_text(resolved),
                values=values,
            )
        )
    return tuple(found)


def unknown_attributes(stages: Sequence[Resolved], lines: Sequence[bytes]) -> tuple[str, ...]:
    """A warning for each `key`, and each attribute that a later stage reads, that none of these records has.

    In a later stage the names of those before it are attributes, too.

    lines: some records as read; where one is no JSON object, nothing is said.
    """
    known: set[str] = set()
    try:
        for line in lines:
            known |= members(line).keys()
    except msgspec.DecodeError:
        return ()
    found = _unknown_key(stages[0], known, len(lines))
    for before, resolved in pairwise(stages):
        known.add(before.name)
        if resolved.destination.key != stages[0].destination.key:
            found += _unknown_key(resolved, known, len(lines))
        found += (
            f"stage `{resolved.name}`: {{record.{'.'.join(path)}}}: `{path[0]}` is no earlier stage, and none of the "
            f"first {len(lines):,} records has an attribute of that name"
            for path in resolved.record_paths
            if path[0] not in known
        )
    return tuple(found)


def _unknown_key(resolved: Resolved, known: set[str], count: int) -> list[str]:
    key = resolved.destination.key
    if key is None or key in known:
        return []
    place = f"stage `{resolved.name}`: " if resolved.name else ""
    return [f"{place}{no_such_key(key, known, count)}"]


def first_stage_alone(stages: Sequence[Resolved]) -> tuple[str, ...]:
    """A sentence for what knows no answers: what is told is of the first stage."""
    if len(stages) == 1:
        return ()
    later = ", ".join(stage.name for stage in stages[1:])
    return (f"of stage `{stages[0].name}` alone: what comes to {later} depends on the answers",)


def sends_text(resolved: Resolved) -> str:
    """Method, address and body format, parameters in the path by their names."""
    address = resolved.address
    path = "".join(
        piece if isinstance(piece, str) else "{" + piece.name.strip("{}") + "}" for piece in address.path
    )
    form = "" if resolved.encoder.name == "none" else f", body {resolved.encoder.name}"
    return f"{resolved.method} {address.origin}{address.base_path}{path}{form}"
