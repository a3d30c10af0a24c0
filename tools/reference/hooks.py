"""hooks.md: the hooks, and the protocols of what they return."""

from __future__ import annotations

import inspect

import msgspec
from pydantic import BaseModel

from haulier.model import answers, connector, parts
from haulier.plugins import hookspecs
from reference.destination import section_address
from reference.markdown import code, docstring, page, signature, table
from reference.settings import Links, settings_table

__all__ = ["HOOKS", "hooks_page"]

_MODELS: tuple[type[BaseModel], ...] = (
    connector.Connector,
    connector.EndpointTemplate,
    connector.Parameter,
    connector.Following,
)
HOOKS = tuple(sorted(name for name in hookspecs.__all__ if name.startswith("haulier_")))
_INTRO = """\
A plugin is a module (or object) that a distribution names in the entry point group `haulier`. It answers the hooks
below; a hook that it leaves out brings nothing. [Writing a plugin](../writing-a-plugin.md) shows how. Everything named
here is imported from `haulier.authoring`."""


def hooks_page() -> str:
    """Every hook with its exact signature, and what hooks return."""
    told = ["## Hooks"]
    for name in HOOKS:
        hook = getattr(hookspecs, name)
        told += [f"### `{name}`", code(f"def {signature(name, hook)}", "python"), docstring(hook)]
    told += ["## What hooks return"]
    links: Links = {model: f"[`{model.__name__}`]({address})" for model, address in _described().items()}
    for model in _MODELS:
        told += [
            f"### `{model.__name__}`",
            docstring(model),
            settings_table(model, head="field", links=links),
        ]
    for name in parts.__all__:
        thing = getattr(parts, name)
        if isinstance(thing, type) and issubclass(thing, msgspec.Struct):
            told += [f"### `{name}`", docstring(thing), _fields(thing)]
    told += ["## Protocols: the objects that work"]
    for name in parts.__all__:
        thing = getattr(parts, name)
        if getattr(thing, "_is_protocol", False):
            told += [f"### `{name}`", docstring(thing), *_methods(thing)]
    return page("Hooks", _INTRO, *told)


def _described() -> dict[type[BaseModel], str]:
    """Models that fields hold -> where their tables stand."""
    here = {model: f"#{model.__name__.lower()}" for model in _MODELS}
    there = (answers.Condition, answers.OutcomeMapping)
    return {**here, **{model: section_address(model, page="destination.md") for model in there}}


def _fields(kind: type[msgspec.Struct]) -> str:
    rows = []
    for field in msgspec.structs.fields(kind):
        default = getattr(field.default, "__name__", repr(field.default))
        if field.default_factory is not msgspec.NODEFAULT:
            default = "{}"
        written = "**required**" if field.required else f"`{default}`"
        rows.append((f"`{field.name}`", f"`{kind.__annotations__[field.name]}`", written))
    return table(("field", "type", "default"), rows)


def _methods(protocol: type) -> list[str]:
    told = []
    for name, method in vars(protocol).items():
        if inspect.isfunction(method) and not name.startswith("_"):
            told += [code(f"def {signature(name, method)}", "python"), docstring(method)]
    return told
