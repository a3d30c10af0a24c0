"""The outputs of a destination, held against their types and against each other before a run begins."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from haulier.errors import DestinationError
from haulier.model.closest import closest
from haulier.model.connector import EndpointTemplate
from haulier.model.destination import OutputChoice
from haulier.model.parts import Settings
from haulier.plugins.registry import Registry
from haulier.runs.resolving.written import written_settings

__all__ = ["LineNames", "check_outputs", "names_of_chain", "names_of_stage"]

# What an output is told, by its settings: the names that its lines can have; None where they are not all known.
LineNames: TypeAlias = Callable[[Settings], Sequence[str] | None]
_OF_ALL = ("id", "run", "positions", "state", "status", "attempts", "reason", "ticket", "text")


def names_of_stage(template: EndpointTemplate | None, *, single: bool) -> LineNames:
    """Of the lines of one call. single: requests carry one record each."""
    of_records = ("key", "record") if single else ("keys", "records")

    def names(settings: Settings) -> Sequence[str] | None:
        if template is not None and template.follow is not None and template.follow.spread is not None:
            return None  # a plugin's code names what each record gets of a result
        answer = ("answer",) if getattr(settings, "answer", False) else ()
        return (*_OF_ALL, "request", "file", *of_records, *_taken(template), *answer)

    return names


def names_of_chain(templates: Iterable[EndpointTemplate | None]) -> LineNames:
    """Of the lines of all stages together."""
    taken = [name for template in templates for name in _taken(template)]

    def names(settings: Settings) -> Sequence[str]:
        answers = ("answers",) if getattr(settings, "answer", False) else ()
        return (*_OF_ALL, "stage", "places", "key", "record", *taken, *answers)

    return names


def _taken(template: EndpointTemplate | None) -> Iterable[str]:
    return template.takes if template is not None else ()


def check_outputs(choices: Sequence[OutputChoice], registry: Registry, names: LineNames) -> None:
    """DestinationError where an output's settings are wrong, it would never get a line, or two write one file."""
    files: dict[str, str] = {}
    for choice in choices:
        place = f"outputs {choice.to}"
        settings = written_settings(registry.output(choice.to).settings, choice.settings, place)
        _check_condition(settings, place, names(settings))
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


def _check_condition(settings: Settings, place: str, names: Sequence[str] | None) -> None:
    condition = getattr(settings, "when", None)
    at = getattr(condition, "at", "")
    if at.startswith("header:"):
        raise DestinationError(
            f"{place}.when.at: {at} is a header, and lines have none, so none would ever match; name a JSON pointer "
            "into the line such as `/state`"
        )
    name = at.removeprefix("/").partition("/")[0]
    if names is None or not name or name in names:
        return
    close = closest(name, names)
    hint = f"did you mean `/{close[0]}`?" if close else f"lines have: {', '.join(sorted(names))}"
    comes_of_it = "all would match" if getattr(condition, "absent", False) else "none would ever match"
    raise DestinationError(f"{place}.when.at: no line has `{name}`, so {comes_of_it}; {hint}")
