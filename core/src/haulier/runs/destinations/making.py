"""Making a destination: from what a person chose to a checked file, whichever of the two ways it is configured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from haulier.errors import DestinationError
from haulier.io.destinations import destination_from, dump_destination, save_new
from haulier.io.project import Project
from haulier.model.connector import EndpointTemplate
from haulier.model.destination import Destination
from haulier.runs.destinations.adjusting import apply_changes, value_of
from haulier.runs.destinations.untried import untried
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.resolve import resolve

__all__ = ["Choices", "Made", "make_destination"]

_MANUAL = ("url", "method", "content_format", "headers")


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen; None and empty: not. outputs: `jsonl:out/answers.jsonl`; changes: further settings by path."""

    name: str
    description: str | None = None
    connector: str | None = None
    endpoint: str | None = None
    url: str | None = None
    method: str | None = None
    content_format: str | None = None
    headers: str | None = None
    credential: str | None = None
    key: str | None = None
    params: Mapping[str, str] = {}
    exclude: Sequence[str] = ()
    batch_size: int | None = None
    grouping: str | None = None
    grouping_settings: Mapping[str, str] = {}
    item: str | None = None
    outputs: Sequence[str] = ()
    files_root: str | None = None
    base_url: str | None = None
    changes: Mapping[str, str] = {}


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A new destination and what its author should know. path: its file; None where it was not saved."""

    destination: Destination
    text: str
    path: Path | None
    warnings: tuple[str, ...]


def make_destination(choices: Choices, *, save: bool = True) -> Made:
    """Check what was chosen against what is installed, and write the file of a new destination.

    Raises DestinationError or ConfigurationError for what does not hold, and writes nothing then.
    """
    project = Project.find()
    registry = load_registry()
    template = None
    if choices.endpoint is not None:
        template = registry.endpoint(choices.connector or "http", choices.endpoint)
    destination = destination_from({"name": choices.name, **_written(choices, template)})
    resolved = resolve(destination, registry)
    path = save_new(project, destination) if save else None
    warnings = (*resolved.warnings, *untried(destination, [resolved]))
    return Made(destination=destination, text=dump_destination(destination), path=path, warnings=warnings)


def _written(choices: Choices, template: EndpointTemplate | None) -> dict[str, Any]:
    """The choices as a destination file says them."""
    params = {name: _param(template, name, text) for name, text in choices.params.items()}
    written: dict[str, Any] = {
        **{name: getattr(choices, name) for name in ("description", "connector", "endpoint")},
        **_call(choices, template),
        **{name: getattr(choices, name) for name in ("credential", "key")},
        "params": params or None,
        "exclude": list(choices.exclude) or None,
        "batching": _batching(choices) or None,
        "outputs": [_output(text) for text in choices.outputs] or None,
        **{name: getattr(choices, name) for name in ("files_root", "base_url")},
    }
    written = {name: value for name, value in written.items() if value is not None}
    apply_changes(written, choices.changes)
    return written


def _call(choices: Choices, template: EndpointTemplate | None) -> dict[str, Any]:
    """What says which request is made, beside the name of an endpoint."""
    if choices.url is not None:
        if template is not None:
            raise DestinationError("--endpoint and --url are two ways to the same thing; choose one of them")
        return {
            "request": {
                name: getattr(choices, name) for name in _MANUAL if getattr(choices, name) is not None
            }
        }
    if template is None:
        raise DestinationError(
            "name an endpoint with --endpoint (see: haulier endpoints CONNECTOR), or a --url"
        )
    if choices.method is not None:
        raise DestinationError(
            f"--method: endpoint {template.name} is a {template.method} by itself; leave it out"
        )
    return {"content_format": choices.content_format, "headers": choices.headers}


def _param(template: EndpointTemplate | None, name: str, text: str) -> Any:
    """A typed value, by the type of the parameter."""
    kinds = (
        {parameter.name: parameter.type for parameter in template.parameters} if template is not None else {}
    )
    if kinds.get(name, "text") == "text":
        return text
    value = value_of(text)
    return value if isinstance(value, bool | int | float | list) else text


def _batching(choices: Choices) -> dict[str, Any]:
    batching: dict[str, Any] = {"size": choices.batch_size, "item": choices.item}
    if choices.grouping is not None or choices.grouping_settings:
        settings = {name: value_of(text) for name, text in choices.grouping_settings.items()}
        batching["grouping"] = {"name": choices.grouping or "array", **settings}
    return {name: value for name, value in batching.items() if value is not None}


def _output(text: str) -> dict[str, Any]:
    name, colon, path = text.partition(":")
    if not colon or not path:
        raise DestinationError(
            f"--output {text!r}: write TYPE:PATH or TYPE:URL, such as jsonl:out/answers.jsonl"
        )
    return {"to": name, "url" if path.startswith(("http://", "https://")) else "path": path}
