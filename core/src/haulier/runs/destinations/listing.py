"""Destinations for people: listed, shown with what their settings come to, and checked, broken ones too."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from haulier.errors import ConfigurationError
from haulier.io.activation import activation, settings_of
from haulier.io.credentials import masked
from haulier.io.destinations import list_destinations
from haulier.io.project import Project
from haulier.model.destination import Destination
from haulier.model.written_number import WrittenNumber
from haulier.runs.destinations.trying import Checked, check
from haulier.runs.previews.describing import sends_text
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.remarks import warnings_of
from haulier.runs.resolving.resolve import resolve_stages
from haulier.runs.resolving.resolved import Resolved
from haulier.runs.resolving.site import site_of

__all__ = ["Listed", "Shown", "check_destinations", "listed_destinations", "show_destination"]

_NO_LEDGER = "new"


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a listing. error: why its file does not hold, else empty."""

    name: str
    activation: str = ""
    goes_to: str = ""
    credential: str = ""
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return msgspec.structs.asdict(self)


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A destination and what its settings come to. settings: as written, secrets masked."""

    name: str
    activation: str
    since: str
    sends: str
    credential: str
    records: str
    limits: str
    way: str
    settings: Mapping[str, Any]
    warnings: tuple[str, ...]

    @property
    def settings_lines(self) -> list[str]:
        """One line a setting: `params.language: "no"`."""
        return list(_lines("", self.settings))

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return msgspec.structs.asdict(self)


def _lines(prefix: str, settings: Mapping[str, Any]) -> Iterator[str]:
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _lines(f"{prefix}{name}.", value)
        else:
            shown = value.text if isinstance(value, WrittenNumber) else json.dumps(value, ensure_ascii=False)
            yield f"{prefix}{name}: {shown}"


def listed_destinations(*, state: str | None = None) -> tuple[Listed, ...]:
    """Every destination of the project by name; a file that does not hold hides none of the others."""
    project = Project.find(state=state)
    listed = []
    for one in list_destinations(project):
        if one.destination is None:
            listed.append(Listed(name=one.name, error=one.error))
            continue
        folder = project.state / one.name
        listed.append(
            Listed(
                name=one.name,
                activation=activation(folder).state if folder.is_dir() else _NO_LEDGER,
                goes_to=_goes_to(one.destination),
                credential=one.destination.credential or "",
            )
        )
    return tuple(listed)


def show_destination(
    destination: str, *, base_url: str | None = None, state: str | os.PathLike[str] | None = None
) -> Shown:
    """A destination held against what is installed; raises ConfigurationError where it does not hold."""
    site = site_of(destination, state=state)
    stages = resolve_stages(site.destination, load_registry(), base_url=base_url)
    now = activation(site.state_dir())
    return Shown(
        name=site.destination.name,
        activation=now.state,
        since=now.since,
        sends=_of_each(stages, sends_text),
        credential=_of_each(stages, lambda one: one.destination.credential or ""),
        records=_of_each(stages, _records),
        limits=_of_each(stages, _limits),
        way=_of_each(stages, lambda one: one.way),
        settings=_masked(settings_of(site.destination)),
        warnings=warnings_of(stages),
    )


def _of_each(stages: Sequence[Resolved], told: Callable[[Resolved], str]) -> str:
    """What is told of each stage, once where it is the same of all."""
    found = [told(one) for one in stages]
    if len(set(found)) == 1:
        return found[0]
    return "; ".join(f"{one.name}: {said}" for one, said in zip(stages, found, strict=True))


def check_destinations(
    names: Sequence[str] = (), *, base_url: str | None = None, params: Mapping[str, str] | None = None
) -> tuple[Checked, ...]:
    """Check the named destinations, or all of the project; a file that does not hold is a problem of its own."""
    wanted: Sequence[str] = names or Project.find().names()
    found = []
    for name in wanted:
        try:
            found.append(check(name, base_url=base_url, params=params))
        except ConfigurationError as error:
            found.append(Checked(destination=name, problems=(str(error),), warnings=()))
    return tuple(found)


def _masked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without what may be a secret by its name; `key` and `credential` are names, not secrets."""
    return {
        name: value if isinstance(value, str) and name != "headers" else masked({name: value})[name]
        for name, value in settings.items()
    }


def _goes_to(destination: Destination) -> str:
    if destination.stages is not None:
        return " > ".join(stage.name for stage in destination.stages)
    if destination.request is not None:
        return f"{destination.request.method} {destination.request.url}"
    return f"{destination.connector} / {destination.endpoint}"


def _records(resolved: Resolved) -> str:
    if resolved.pieces.whole:
        return "one call for the whole input"
    if resolved.batching is None or resolved.algorithm is None:
        return "one a request"
    batching = resolved.batching
    told = [f"up to {batching.size:,} a request"]
    told += [f"{batching.max_bytes:,} bytes at most"] if batching.max_bytes else []
    told += [f"those of one {' and '.join(batching.group_by)} together"] if batching.group_by else []
    told += [f"after {batching.max_wait:g} s at the latest"] if batching.max_wait else []
    return ", ".join([*told, f"grouping {resolved.algorithm.name}"])


def _limits(resolved: Resolved) -> str:
    limits = resolved.limits
    rate = f"{limits.requests_per_second:g} requests a second" if limits.requests_per_second else "no rate"
    flight = f", {limits.max_in_flight} in flight" if limits.max_in_flight else ""
    return f"{rate}{flight}"
