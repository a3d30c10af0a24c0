"""Markdown from values: headings, tables, signatures, docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["bullets", "code", "docstring", "page", "sentence", "signature", "table"]

_NOTE = "<!-- Made from the code by `make docs`; change the code, not this page. -->"
_WIDEST_SIGNATURE = 100
_ITEM = re.compile(r"([a-z_]+): ")


def page(title: str, intro: str, *parts: str) -> str:
    """A whole page."""
    return "\n\n".join([_NOTE, f"# {title}", intro, *(part for part in parts if part)]) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; empty where there are no rows."""
    lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(heads)} |", f"| {' | '.join('---' for _ in heads)} |", *lines])


def code(text: str, language: str = "") -> str:
    """A fenced block."""
    return f"```{language}\n{text.rstrip()}\n```"


def bullets(items: Iterable[str]) -> str:
    """A list, one item a line."""
    return "\n".join(f"* {item}" for item in items)


def sentence(text: str) -> str:
    """A description as a sentence of its own."""
    text = " ".join(text.split())
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".") if text else ""


def docstring(thing: object) -> str:
    """A docstring as Markdown; what is indented below `::` becomes a block of code."""
    text = inspect.getdoc(thing) or ""
    paragraphs: list[str] = []
    for part in re.split(r"\n\s*\n", text):
        if part.startswith("    "):
            paragraphs.append(code(inspect.cleandoc(part), "python"))
        else:
            paragraphs.append(_items(part.removesuffix("::") + ":" if part.endswith("::") else part))
    return "\n\n".join(paragraphs)


def _items(paragraph: str) -> str:
    """A paragraph of `name: what it is` lines as a list; any other as it is."""
    if not _ITEM.match(paragraph):
        return paragraph
    items: list[str] = []
    for line in paragraph.splitlines():
        if _ITEM.match(line):
            items.append(_ITEM.sub(r"`\1`: ", line))
        else:
            items[-1] += f" {line.strip()}"
    return bullets(items)


def signature(name: str, function: Any) -> str:
    """`name(argument: type = default, ...) -> type`, an argument a line where it is long."""
    found = inspect.signature(function)
    shown: list[str] = []
    keyword_only = False
    for parameter in found.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            shown.append("*")
        shown.append(_parameter(parameter))
    result = _annotation(found.return_annotation)
    arrow = f" -> {result}" if result and not inspect.isclass(function) else ""
    line = f"{name}({', '.join(shown)}){arrow}"
    if len(line) <= _WIDEST_SIGNATURE:
        return line
    return f"{name}(\n" + "".join(f"    {one},\n" for one in shown) + f"){arrow}"


def _parameter(parameter: inspect.Parameter) -> str:
    stars = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
    annotation = _annotation(parameter.annotation)
    text = f"{stars}{parameter.name}" + (f": {annotation}" if annotation else "")
    if parameter.default is parameter.empty:
        return text
    return f"{text}{' = ' if annotation else '='}{_default(parameter.default)}"


def _default(value: Any) -> str:
    return f"{value.__name__}" if inspect.isclass(value) else re.sub(r"<factory>|<[^>]*>", "...", repr(value))


def _annotation(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    if isinstance(annotation, str):
        return annotation.strip("'\"")
    text = inspect.formatannotation(annotation)
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Za-z])", "", text)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
