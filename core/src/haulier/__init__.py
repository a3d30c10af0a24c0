"""Haulier carries records to any HTTP API and can prove what happened to each one.

This is the door for programs that embed it. Plugin authors use `haulier.authoring`. Names are loaded when they are
first used, so that importing the package costs next to nothing and loads no HTTP client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from haulier.errors import (
        ConfigurationError,
        CredentialError,
        DestinationError,
        ExpressionError,
        HaulierError,
        InputError,
        LedgerError,
        OutputBusy,
        PluginError,
        RecordError,
        RunStopped,
        TransportError,
    )
    from haulier.model.delivery import State
    from haulier.model.destination import Destination
    from haulier.runs.destinations.trying import Checked, TestAnswer, check, test_send
    from haulier.runs.driving.delivered import Delivered
    from haulier.runs.jobs.following import follow
    from haulier.runs.previews.planning import Plan, plan
    from haulier.runs.previews.preview import Preview, Sample, preview
    from haulier.runs.previews.trust import trusting_code
    from haulier.runs.replays.replay import replay
    from haulier.runs.reports.report import Report
    from haulier.runs.sittings.calls import asend, send
    from haulier.runs.sittings.pushing import Run, open_run

__all__ = [
    "Checked",
    "ConfigurationError",
    "CredentialError",
    "Delivered",
    "Destination",
    "DestinationError",
    "ExpressionError",
    "HaulierError",
    "InputError",
    "LedgerError",
    "OutputBusy",
    "Plan",
    "PluginError",
    "Preview",
    "RecordError",
    "Report",
    "Run",
    "RunStopped",
    "Sample",
    "State",
    "TestAnswer",
    "TransportError",
    "asend",
    "check",
    "follow",
    "open_run",
    "plan",
    "preview",
    "replay",
    "send",
    "test_send",
    "trusting_code",
]
__version__ = "0.1.0"

_HOMES = {
    "haulier.model.delivery": ("State",),
    "haulier.model.destination": ("Destination",),
    "haulier.runs.driving.delivered": ("Delivered",),
    "haulier.runs.jobs.following": ("follow",),
    "haulier.runs.previews.planning": ("Plan", "plan"),
    "haulier.runs.previews.preview": ("Preview", "Sample", "preview"),
    "haulier.runs.sittings.pushing": ("Run", "open_run"),
    "haulier.runs.replays.replay": ("replay",),
    "haulier.runs.reports.report": ("Report",),
    "haulier.runs.sittings.calls": ("asend", "send"),
    "haulier.runs.previews.trust": ("trusting_code",),
    "haulier.runs.destinations.trying": ("Checked", "TestAnswer", "check", "test_send"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'haulier' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF.get(name, "haulier.errors")), name)


def __dir__() -> list[str]:
    return __all__
