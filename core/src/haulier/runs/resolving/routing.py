"""The outputs of a destination, held against their types and against each other before a run begins."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from haulier.errors import DestinationError
from haulier.model.destination import OutputChoice
from haulier.model.parts import Settings
from haulier.plugins.registry import Registry
from haulier.runs.resolving.written import written_settings

__all__ = ["check_outputs"]


def check_outputs(choices: Sequence[OutputChoice], registry: Registry) -> None:
    """DestinationError where an output's settings are wrong, it would never get a line, or two write one file."""
    files: dict[str, str] = {}
    for choice in choices:
        place = f"outputs {choice.to}"
        settings = written_settings(registry.output(choice.to).settings, choice.settings, place)
        _check_condition(settings, place)
        path = getattr(settings, "path", None)
        if not isinstance(path, str):
            continue
        file = posixpath.normpath(path)
        if file in files:
            raise DestinationError(
                f"{place}.path: {path} is the file of another output ({files[file]}), and their lines would mix; "
                "give each a file of its own"
            )
        files[file] = path


def _check_condition(settings: Settings, place: str) -> None:
    at = getattr(getattr(settings, "when", None), "at", "")
    if at.startswith("header:"):
        raise DestinationError(
            f"{place}.when.at: {at} is a header, and lines have none, so none would ever match; name a JSON pointer "
            "into the line such as `/state`"
        )
