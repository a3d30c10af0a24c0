"""What nobody knows of a service before it was tried, and whether a run has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import msgspec

from haulier.errors import ConfigurationError, LedgerError
from haulier.io.activation import settings_of
from haulier.io.ledger.view import LedgerView
from haulier.model.destination import Destination
from haulier.model.json_value import decoded
from haulier.model.written_number import as_written
from haulier.runs.reports.finding import ledgers_of
from haulier.runs.resolving.resolved import Resolved

__all__ = ["untried"]

# Of the settings: to what, and how, bodies go out.
_OF_BODIES = ("base_url", "connector", "endpoint", "request", "compress")


def untried(destination: Destination, stages: Sequence[Resolved]) -> tuple[str, ...]:
    """What its author should try, each with the stage it is about; nothing once a run has delivered with it."""
    told = tuple(
        f"stage `{one.name}`: {one.pieces.untried}" if one.name else one.pieces.untried
        for one in stages
        if one.pieces.untried
    )
    return () if told and _was_delivered(destination) else told


def _was_delivered(destination: Destination) -> bool:
    """Whether each stage has delivered something in one run; not where that cannot be read."""
    wanted = _calls(settings_of(destination))
    try:
        for _, folder in ledgers_of(destination.name, None):
            with closing(LedgerView.open(folder)) as view:
                for run in view.runs():
                    each = (run, *view.stages(run))
                    if all(one.delivered for one in each) and _calls(decoded(run.settings)) == wanted:
                        return True
    except (ConfigurationError, LedgerError):
        return False
    return False


def _calls(settings: Mapping[str, Any]) -> bytes:
    """What each stage sends its bodies to, and whether compressed, as text to compare."""
    stages: Sequence[Mapping[str, Any]] = settings.get("stages") or [{}]
    calls = [{name: {**settings, **stage}.get(name) for name in _OF_BODIES} for stage in stages]
    return msgspec.json.encode(as_written(calls), order="deterministic")
