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
    from haulier.runs.delivered import Delivered
    from haulier.runs.following import follow
    from haulier.runs.planning import Plan, plan
    from haulier.runs.preview import Preview, Sample, preview
    from haulier.runs.pushing import Run, open_run
    from haulier.runs.replay import replay
    from haulier.runs.report import Report
    from haulier.runs.sending import asend, send
    from haulier.runs.trust import trusting_code
    from haulier.runs.trying import Checked, TestAnswer, check, test_send

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
    "haulier.runs.delivered": ("Delivered",),
    "haulier.runs.following": ("follow",),
    "haulier.runs.planning": ("Plan", "plan"),
    "haulier.runs.preview": ("Preview", "Sample", "preview"),
    "haulier.runs.pushing": ("Run", "open_run"),
    "haulier.runs.replay": ("replay",),
    "haulier.runs.report": ("Report",),
    "haulier.runs.sending": ("asend", "send"),
    "haulier.runs.trust": ("trusting_code",),
    "haulier.runs.trying": ("Checked", "TestAnswer", "check", "test_send"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'haulier' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF.get(name, "haulier.errors")), name)


def __dir__() -> list[str]:
    return __all__
