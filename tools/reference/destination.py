"""destination.md and the JSON Schema of a destination file."""

from __future__ import annotations

import json

from pydantic import BaseModel

from haulier.io.destinations import destination_schema
from haulier.model.answers import Condition, OutcomeMapping
from haulier.model.destination import (
    Batching,
    Call,
    Destination,
    GroupingChoice,
    Limits,
    ManualRequest,
    OutputChoice,
    Retry,
    Stage,
)
from haulier.model.fetch import Fetch
from reference.markdown import docstring, page
from reference.settings import Links, settings_table

__all__ = ["destination_page", "destination_schema_text", "section_address"]

_SECTIONS: dict[type[BaseModel], tuple[str, str]] = {
    ManualRequest: ("request", "`request`"),
    Batching: ("batching", "`batching`"),
    GroupingChoice: ("batchinggrouping", "`batching.grouping`"),
    Limits: ("limits", "`limits`"),
    Retry: ("retry", "`retry`"),
    Fetch: ("fetch", "`fetch`"),
    OutputChoice: ("outputs", "`outputs`"),
    Condition: ("success_when", "`success_when`"),
    OutcomeMapping: ("outcomes", "`outcomes`"),
    Stage: ("stages", "`stages`"),
}
_BELOW: dict[type[BaseModel], str] = {
    GroupingChoice: "Beside `name` stand the settings of the algorithm: see [groupings](groupings.md).",
    OutputChoice: "Beside `to` stand the settings of the output: see [readers and outputs](readers-and-outputs.md).",
    Condition: "An output's `when` has the same settings; its `at` points into the line. Examples: see "
    "[answers](../answers.md).",
    OutcomeMapping: "Examples: see [answers](../answers.md).",
    Stage: "A stage has all other settings of a destination too, but `stages`. What they mean together: see "
    "[chains](../chains.md).",
}
_INTRO = """\
One YAML file in `destinations/` is one destination; the file's name is the destination's name. It is read by the rules
of [YAML 1.2](https://yaml.org/spec/1.2.2/) (the core schema): `no` is a word, `0123` is refused rather than guessed.
Keys that stand twice, aliases and merge keys are refused. A fault in the file's form is told with file and line, one in
its meaning with the setting it stands in.

A [JSON Schema](destination.schema.json) of the file is there for editors. With the YAML language server
(<https://github.com/redhat-developer/yaml-language-server>) a first line
`# yaml-language-server: $schema=PATH/destination.schema.json` is enough.

Write `endpoint`, `request` or `stages`, one of the three. Every other setting may be left out. Text marked with `{...}`
in `params`, `headers` and `request` is an [expression](../concepts.md#expressions)."""


def destination_page() -> str:
    """Every setting of a destination file."""
    links: Links = {model: f"[mapping]({section_address(model)})" for model in _SECTIONS}
    parts = ["## Settings", settings_table(Destination, leave_out=frozenset({"name"}), links=links)]
    for model, (_, title) in _SECTIONS.items():
        leave_out = frozenset(Call.model_fields) - {"name"} if model is Stage else frozenset()
        parts += [f"## {title}", docstring(model), settings_table(model, leave_out=leave_out, links=links)]
        parts += [_BELOW.get(model, "")]
    return page("Destination files", _INTRO, *parts)


def section_address(model: type[BaseModel], *, page: str = "") -> str:
    """Where the table of a nested model stands. page: this one's name, where it is told on another one."""
    return f"{page}#{_SECTIONS[model][0]}"


def destination_schema_text() -> str:
    """The schema as the file has it."""
    return json.dumps(destination_schema(), indent=2, ensure_ascii=False) + "\n"
