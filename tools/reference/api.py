"""api.md: the public names of `haulier` and `haulier.authoring`."""

from __future__ import annotations

import enum
import inspect
from types import ModuleType
from typing import Any

import msgspec
from pydantic import BaseModel

import haulier
import haulier.authoring
from reference.markdown import code, docstring, page, signature, table

__all__ = ["api_page"]

_INTRO = """\
`haulier` is for programs that embed it, `haulier.authoring` for plugins. What is not listed here is private and may
change without notice. Which errors there are: see [errors](errors.md). Settings of a destination: see
[destination files](destination.md). [Embedding](../embedding.md) shows how the functions are used."""
_ELSEWHERE = {"Destination": "[destination files](destination.md)"}


def api_page() -> str:
    """The page."""
    told = ["## `haulier`", *_names(haulier)]
    told += ["## `haulier.authoring`", _first_paragraph(haulier.authoring), *_names(haulier.authoring)]
    return page("The Python API", _INTRO, *told)


def _names(module: ModuleType) -> list[str]:
    told: list[str] = []
    elsewhere: list[tuple[str, str]] = []
    for name in module.__all__:
        thing = getattr(module, name)
        if place := _place(module, name, thing):
            elsewhere.append((f"`{name}`", place))
            continue
        told += [f"### `{module.__name__}.{name}`", *_described(name, thing)]
    return [table(("name", "described in"), elsewhere), *told]


def _place(module: ModuleType, name: str, thing: Any) -> str:
    """Where else a name is described; empty where here."""
    if inspect.isclass(thing) and issubclass(thing, BaseException):
        return "[errors](errors.md)"
    if name in _ELSEWHERE and module is haulier:
        return _ELSEWHERE[name]
    home = getattr(thing, "__module__", "")
    if home in ("haulier.model.parts", "haulier.model.connector") and inspect.isclass(thing):
        return (
            ""
            if issubclass(thing, BaseModel) and thing.__module__ == "haulier.model.parts"
            else "[hooks](hooks.md)"
        )
    return ""


def _described(name: str, thing: Any) -> list[str]:
    if inspect.isclass(thing) and issubclass(thing, enum.Enum):
        members = ", ".join(f"`{member.name}` ({member.value})" for member in thing)
        return [docstring(thing), f"Members: {members}."]
    if inspect.isclass(thing) and issubclass(thing, msgspec.Struct):
        return [code(_struct(name, thing), "python"), docstring(thing), *_methods(thing)]
    if inspect.isclass(thing):
        return [docstring(thing), *_methods(thing)]
    if inspect.isroutine(thing):
        word = "async def" if inspect.iscoroutinefunction(thing) else "def"
        return [code(f"{word} {signature(name, thing)}", "python"), docstring(thing)]
    return [_value(thing)]


def _struct(name: str, kind: type[msgspec.Struct]) -> str:
    """A struct with its fields, as written; its own signature would have to follow every annotation."""
    fields, defaults = kind.__struct_fields__, kind.__struct_defaults__
    without = len(fields) - len(defaults)
    shown = []
    for index, field in enumerate(fields):
        text = f"{field}: {kind.__annotations__[field]}"
        if index >= without and defaults[index - without] is not msgspec.NODEFAULT:
            text += f" = {defaults[index - without]!r}"
        shown.append(text)
    line = f"{name}({', '.join(shown)})"
    return line if len(line) <= 100 else f"{name}(\n" + "".join(f"    {one},\n" for one in shown) + ")"


def _methods(kind: type) -> list[str]:
    told: list[str] = []
    for name, method in vars(kind).items():
        if name.startswith("_"):
            continue
        if inspect.isfunction(method):
            told += [code(f"def {signature(name, method)}", "python"), docstring(method)]
        elif isinstance(method, property):
            told += [f"`{name}`: {docstring(method)}"]
    return told


def _value(thing: Any) -> str:
    shown = repr(thing)
    if "HookimplMarker" in shown:
        return "Stands above each hook of a plugin: `@hookimpl`."
    if "Annotated[str" in shown:
        told = "The type of a setting that is a media type, parameters included; anything else is refused in words."
        return told + (" So is a charset other than UTF-8." if "_in_utf8" in shown else "")
    if "Annotated[JsonValue" in shown:
        return (
            "The type of a setting that is a JSON value, whose numbers keep the text they are written with."
        )
    if "Callable[" in shown:
        return "A function `(request, response)` that gives a `Verdict`, a `Stop`, or None: the default rules decide."
    return f"`{shown}`"


def _first_paragraph(module: ModuleType) -> str:
    return (inspect.getdoc(module) or "").partition("\n\n")[0]
