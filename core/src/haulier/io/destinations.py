"""Destinations on disk: read with a message for every key that does not hold, written so that they read well.

Whether a destination came from an endpoint template or was made by hand, it is the same kind of object and
the same kind of file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError

from haulier.errors import ConfigurationError, DestinationError
from haulier.io.destination_faults import faults_of
from haulier.io.destination_text import dump_destination
from haulier.io.project import Project, check_name, file_name, shown
from haulier.io.yaml_file import Document, load_yaml
from haulier.model.destination import Destination

__all__ = [
    "ListedDestination",
    "destination_from",
    "destination_schema",
    "dump_destination",
    "list_destinations",
    "load_destination",
    "save_new",
]


class ListedDestination(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a listing: the destination, or why its file does not hold."""

    name: str
    path: Path
    destination: Destination | None = None
    error: str = ""


def load_destination(path: Path) -> Destination:
    """Read one destination file; its name is the file's name without ending.

    Raises DestinationError with a line `file:line: what is wrong; the way out` for every key that is wrong.
    """
    document = load_yaml(path)
    if not isinstance(document.value, dict):
        raise DestinationError(f"{document.place(())}: not a mapping; write one `key: value` a line")
    return _validated(document.value, file_name(path), document)


def destination_from(value: Destination | Mapping[str, Any] | str | os.PathLike[str]) -> Destination:
    """Return a destination given in any way a caller may have it.

    A mapping says what a file would say and its `name` besides, under which its state is kept. A path (ending
    in .yaml, or PathLike) is read as it is; any other text is a name in the project of the current folder.
    """
    if isinstance(value, Destination):
        return value
    if isinstance(value, Mapping):
        written = dict(value)
        name = written.pop("name", None)
        if not isinstance(name, str):
            raise DestinationError(
                "a destination given as a mapping needs a `name`: state and reports are kept under it"
            )
        check_name("destination", name)
        return _validated(written, name)
    text = os.fspath(value)
    if isinstance(value, os.PathLike) or text.endswith((".yaml", ".yml")):
        return load_destination(Path(text))
    return load_destination(Project.find().locate(text).path)


def list_destinations(project: Project) -> tuple[ListedDestination, ...]:
    """Return every destination of a project by name; a file that does not hold hides none of the others."""
    listed = []
    for path in project.files():
        try:
            project.check_alone(path.stem)
            listed.append(ListedDestination(name=path.stem, path=path, destination=load_destination(path)))
        except ConfigurationError as error:
            listed.append(ListedDestination(name=path.stem, path=path, error=str(error)))
    return tuple(listed)


def save_new(project: Project, destination: Destination) -> Path:
    """Write a new destination file and return its path; never writes over one that is there."""
    path = project.destinations / f"{destination.name}.yaml"
    for there in project.files():
        if there.stem == destination.name:
            raise DestinationError(
                f"destination `{destination.name}` is there already: edit {shown(there)}, or take another name"
            )
    text = dump_destination(destination)
    try:
        path.parent.mkdir(exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise DestinationError(f"{shown(path)}: cannot be written: {error.strerror}") from None
    return path


def destination_schema() -> dict[str, Any]:
    """The JSON Schema of a destination file, for editors."""
    schema = Destination.model_json_schema()
    del schema["properties"]["name"]
    schema["required"] = [key for key in schema.get("required", ()) if key != "name"]
    if not schema["required"]:
        del schema["required"]
    # What validators allow besides: a grouping by its name alone, and one of two ways to say where.
    grouping = schema["$defs"]["Batching"]["properties"]["grouping"]
    grouping["anyOf"] = [{"type": "string"}, {"$ref": grouping.pop("$ref")}]
    ways = [_given("endpoint"), _given("request")]
    schema["$defs"]["Stage"]["oneOf"] = ways
    schema["oneOf"] = [*ways, _given("stages")]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Haulier destination",
        **schema,
    }


def _given(key: str) -> dict[str, Any]:
    return {"required": [key], "properties": {key: {"not": {"type": "null"}}}}


def _validated(written: Mapping[str, Any], name: str, document: Document | None = None) -> Destination:
    if document is not None and "name" in written:
        raise DestinationError(
            f"{document.place(('name',))}: unknown key `name`: the file's own name is the name"
        )
    try:
        return Destination.model_validate({**written, "name": name})
    except ValidationError as error:
        faults = faults_of(error, written)
    if document is None:
        raise DestinationError("\n".join(f"destination `{name}`: {said}" for _, said in faults))
    in_order = sorted(faults, key=lambda fault: document.line_of(fault[0]))
    raise DestinationError("\n".join(f"{document.place(path)}: {said}" for path, said in in_order))
