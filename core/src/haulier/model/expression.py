"""Expressions: `{record.url}`, `{now:%Y-%m-%d}`, `{run.id}`, `{param.x}` in text that a person wrote.

One grammar everywhere. An expression is parsed once, the facts of the run are filled in once, and what is
left is rendered over whole blocks of records. What cannot be rendered is a `Fault` of that record alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from haulier.errors import ConfigurationError, ExpressionError
from haulier.model.column import (
    INTO_LISTS,
    Column,
    Escape,
    Fault,
    Record,
    join_columns,
    path_text,
    texts_at,
    values_at,
)

__all__ = [
    "Expression",
    "Fault",
    "Reference",
    "RunFacts",
    "compile_render",
    "first_expression",
    "parse",
    "render_block",
    "value_block",
]

_ALLOWED = (
    'write {record.NAME}, {record["NAME"]}, {now}, {now:%Y-%m-%d}, {run.id} or {param.NAME}, '
    "and {{ or }} for a brace"
)
_TOKEN = re.compile(r"\{\{|\}\}|\{|\}|[^{}]+")
_STEP = r'(?:\.[\w$@-]+|\["(?:[^"\\]|\\.)*"\])'
_STEPS = re.compile(_STEP)
_ELEMENT = re.compile(r"\{record.*\[-?[0-9*]*\]")
_REFERENCE = re.compile(rf"\{{([A-Za-z]+)({_STEP}*)(?::([^{{}}]*))?\}}")
# Only those that read the same in every locale and on every platform.
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
_DIRECTIVES = frozenset("YmdHMSfjyGVuwzZs%")
_LONGEST_SHOWN = 40


class RunFacts(msgspec.Struct, frozen=True):
    """What a run knows before its first record.

    started: Unix seconds. params: given with `--param name=value`; ConfigurationError for one that is no text.
    """

    run_id: str
    started: float
    params: Mapping[str, str] = {}

    def __post_init__(self) -> None:
        for name, value in self.params.items():
            if not isinstance(value, str):
                raise ConfigurationError(
                    f"params: `{name}` is of type {type(value).__name__}, and a parameter is a text; give it as one"
                )


class Reference(msgspec.Struct, frozen=True, gc=False):
    """One `{...}`.

    path: attribute names, outermost first; or the one parameter name. format: strftime's, for `now`.
    """

    kind: Literal["now", "param", "record", "run"]
    path: tuple[str, ...] = ()
    format: str = ""

    def __str__(self) -> str:
        """As it is written."""
        if self.kind == "now":
            return f"{{now:{self.format}}}" if self.format else "{now}"
        return f"{{{self.kind}{path_text(self.path)}}}"


class Expression(msgspec.Struct, frozen=True, gc=False):
    """Text with references in it. place: where it was written, for messages: `params.image_url`."""

    parts: tuple[str | Reference, ...]
    place: str

    @property
    def is_constant(self) -> bool:
        """Whether it is text alone, without any reference."""
        return all(isinstance(part, str) for part in self.parts)

    @property
    def is_whole_value(self) -> bool:
        """Whether it is exactly one record reference, so that it can stand for the value itself."""
        return len(self.parts) == 1 and self.needs_record

    @property
    def needs_record(self) -> bool:
        """Whether it reads from records."""
        return bool(self.record_paths)

    @property
    def record_paths(self) -> tuple[tuple[str, ...], ...]:
        """The attribute paths it reads, in the order written."""
        return tuple(reference.path for reference in self._references() if reference.kind == "record")

    @property
    def varies(self) -> bool:
        """Whether it differs from run to run by itself: it uses the run's start or id."""
        return any(reference.kind in {"now", "run"} for reference in self._references())

    @property
    def names_params(self) -> frozenset[str]:
        """The names it expects from `--param`."""
        return frozenset(reference.path[0] for reference in self._references() if reference.kind == "param")

    def __str__(self) -> str:
        """As it is written."""
        return "".join(
            part.replace("{", "{{").replace("}", "}}") if isinstance(part, str) else str(part)
            for part in self.parts
        )

    def text(self) -> str:
        """The text of a constant expression; ExpressionError where references are left."""
        for reference in self._references():
            raise ExpressionError(f"{self.place}: {reference} has no value here; write the text itself")
        return "".join(str(part) for part in self.parts)

    def resolve(self, facts: RunFacts, escape: Escape | None = None) -> Expression:
        """The same with text for `now`, `run.id` and params, passed through `escape`.

        Only references to records are left. ExpressionError names a param that was not given.
        """
        parts: list[str | Reference] = []
        for part in self.parts:
            if isinstance(part, str) or part.kind == "record":
                parts.append(part)
            else:
                text = self._fact(part, facts)
                escaped = escape(text) if escape else text
                if isinstance(escaped, Fault):
                    raise ExpressionError(f"{self.place}: {part} {escaped.reason}")
                parts.append(escaped)
        return Expression(_merged(parts), self.place)

    def with_literals(self, change: Callable[[str], str]) -> Expression:
        """The same with every stretch of written text changed."""
        return Expression(
            tuple(change(part) if isinstance(part, str) else part for part in self.parts), self.place
        )

    def _references(self) -> Iterator[Reference]:
        return (part for part in self.parts if isinstance(part, Reference))

    def _fact(self, reference: Reference, facts: RunFacts) -> str:
        if reference.kind == "run":
            return facts.run_id
        if reference.kind == "now":
            return _moment(facts.started, reference.format)
        name = reference.path[0]
        if name not in facts.params:
            raise ExpressionError(f"{self.place}: {reference} was not given; add --param {name}=VALUE")
        return facts.params[name]


def parse(text: str, *, place: str) -> Expression:
    """Read text with expressions in it.

    ExpressionError names place, expression, column (from 1) and what is allowed; never more of the text,
    which may hold a secret.
    """
    parts: list[str | Reference] = []
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        assert token is not None  # the four alternatives cover every character
        if token[0] == "{":
            reference, at = _read_reference(text, at, place)
            parts.append(reference)
            continue
        if token[0] == "}":
            raise ExpressionError(
                f"{place}: the `}}` at column {at + 1} closes nothing; write }}}} for a brace"
            )
        parts.append(token[0][0] if token[0] in {"{{", "}}"} else token[0])
        at = token.end()
    return Expression(_merged(parts), place)


def _read_reference(text: str, at: int, place: str) -> tuple[Reference, int]:
    """The reference that begins at an opening brace, and where it ends."""
    end = text.find("}", at) + 1 or len(text)
    found = _REFERENCE.match(text, at)
    shown = found[0] if found else text[at:end][:_LONGEST_SHOWN]
    where = f"{place}: `{shown}` at column {at + 1}"
    if found is None:
        if _ELEMENT.match(text, at, end):
            raise ExpressionError(f"{where} names an element of a list; {INTO_LISTS}")
        raise ExpressionError(f"{where} is no expression; {_ALLOWED}")
    root, form = found[1], found[3]
    try:
        path = tuple(_step(step) for step in _STEPS.findall(found[2]))
    except msgspec.DecodeError:
        raise ExpressionError(f"{where} holds a name that is no JSON text; {_ALLOWED}") from None
    if root == "now" and not path:
        return Reference("now", (), _checked_format(form or "", where)), found.end()
    if form is None:
        if root == "record" and path:
            return Reference("record", path), found.end()
        if (root == "param" and len(path) == 1) or (root == "run" and path == ("id",)):
            return Reference("param" if root == "param" else "run", path), found.end()
    raise ExpressionError(f"{where} is not known; {_hint(root, path) or _ALLOWED}")


def _hint(root: str, path: tuple[str, ...]) -> str:
    if root == "env":
        return "the environment is not read: secrets come from a credential, other values from {param.NAME}"
    if not path and root not in {"param", "record", "run"}:
        return f"write {{record.{root}}} for the attribute of that name, or {{{{ for a brace"
    return ""


def _step(step: str) -> str:
    return step[1:] if step.startswith(".") else msgspec.json.decode(step[1:-1], type=str)


def _checked_format(form: str, where: str) -> str:
    for directive in _DIRECTIVE.findall(form):
        if directive not in _DIRECTIVES or not directive:
            known = " ".join(f"%{letter}" for letter in sorted(_DIRECTIVES))
            raise ExpressionError(f"{where} has the unknown directive `%{directive}`; known are {known}")
    return form


def _moment(started: float, form: str) -> str:
    """A time in UTC; `%s` is whole Unix seconds, the others are strftime's."""
    when = datetime.fromtimestamp(started, UTC)
    return _DIRECTIVE.sub(
        lambda found: str(math.floor(started)) if found[1] == "s" else when.strftime(found[0]),
        form or "%Y-%m-%dT%H:%M:%SZ",
    )


def _merged(parts: Sequence[str | Reference]) -> tuple[str | Reference, ...]:
    merged: list[str | Reference] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        elif part != "":
            merged.append(part)
    return tuple(merged)


def render_block(
    expression: Expression,
    records: Sequence[Record],
    *,
    escape: Escape | None = None,
    booleans: str = "words",
) -> list[str | Fault]:
    """One text or fault for each record; see `compile_render`."""
    return compile_render(expression, escape=escape, booleans=booleans)(records)


def compile_render(
    expression: Expression, *, escape: Escape | None = None, booleans: str = "words"
) -> Column:
    """A function from a block of records to one text or fault for each.

    Values read as `texts_at` says; `booleans`: "words" or "digits". `escape` is applied to what records give,
    not to written text. The expression was resolved before.
    """
    columns: list[str | Column] = []
    for part in expression.parts:
        if isinstance(part, str):
            columns.append(part)
        elif part.kind == "record":
            columns.append(texts_at(part.path, escape, digits=booleans == "digits"))
        else:
            raise ExpressionError(
                f"{expression.place}: {part} was not filled in; resolve the expression first"
            )
    return join_columns(columns)


def value_block(expression: Expression, records: Sequence[Record]) -> list[Any]:
    """For each record the value itself (msgspec.Raw, or as decoded; null too) or a fault.

    That is for an expression which is one record reference; any other gives its text.
    """
    if not expression.is_whole_value:
        return list(render_block(expression, records))
    return values_at(expression.record_paths[0])(records)


def first_expression(value: Any) -> str:
    """The first text in a JSON-like value that has an expression in it; empty where there is none.

    Braces that are no expression belong to something else.
    """
    if isinstance(value, str):
        try:
            return "" if parse(value, place="").is_constant else value
        except ExpressionError:
            return ""
    within = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return next((found for one in within if (found := first_expression(one))), "")
