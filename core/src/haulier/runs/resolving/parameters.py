"""The parameters of an endpoint template held against what a destination gives them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from haulier.errors import DestinationError
from haulier.model.closest import closest
from haulier.model.connector import EndpointTemplate, Parameter
from haulier.model.destination import ParamValue
from haulier.model.expression import Expression, parse
from haulier.model.wording import clause
from haulier.model.written_number import as_written
from haulier.pipeline.spec import Constant

__all__ = ["check_parameters", "outside", "text_expression", "value_expression"]

_LONGEST_SHOWN = 60
_KINDS = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}
# As people write numbers; Python reads more than that: 1_000, nan, and spaces around.
_WRITTEN = {
    "integer": r"[+-]?[0-9]+",
    "number": r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?",
}


def check_parameters(template: EndpointTemplate, given: Mapping[str, ParamValue]) -> dict[str, Any]:
    """The given parameters as they go out, less those that are null: `1e9` as 1000000000, `en, es` as `en,es`.

    DestinationError for unknown, missing, excess or wrong ones.
    """
    known = {parameter.name: parameter for parameter in template.parameters}
    for name in given:
        if name not in known:
            close = closest(name, known)
            hint = f"did you mean {close[0]}?" if close else f"it has: {', '.join(known) or 'none'}"
            raise DestinationError(f"params.{name}: endpoint {template.name} has no such parameter; {hint}")
    values = {name: _fitting(known[name], value) for name, value in given.items() if value is not None}
    for parameter in template.parameters:
        if parameter.required and parameter.name not in values:
            example = f", such as {parameter.example}" if parameter.example else ""
            raise DestinationError(
                f"params.{parameter.name} is missing: {clause(parameter.description)}; "
                f"write a value or `{{record.NAME}}`{example}"
            )
    for group in template.one_of:
        found = [name for name in group if name in values]
        if len(found) != 1:
            told = f"{' and '.join(found)} are given" if found else "none is given"
            raise DestinationError(
                f"params: endpoint {template.name} takes exactly one of {', '.join(group)}; {told}"
            )
    return values


def _fitting(parameter: Parameter, value: Any) -> Any:
    """A constant as it goes out, held against its parameter; what comes from records is known later."""
    place = f"params.{parameter.name}"
    written = value
    if isinstance(written, str):
        expression = parse(written, place=place)
        if not expression.is_constant:
            return written
        written = expression.text()
        if written == "" and (parameter.required or parameter.place == "path"):
            raise DestinationError(f"{place} is empty; write a value or `{{record.NAME}}`")
    if isinstance(written, list) and parameter.type != "list":
        takes = "text: join the words by commas" if parameter.several else _KINDS.get(parameter.type, "text")
        raise DestinationError(f"{place}: a list does not fit; it takes {takes}")
    if parameter.type in ("integer", "number"):
        value = written = _number(parameter, written, place)
    if (
        parameter.type == "boolean"
        and not isinstance(written, bool)
        and str(written) not in ("0", "1", "true", "false")
    ):
        raise DestinationError(f"{place}: {written!r} does not fit; write true or false")
    if parameter.choices:
        words = str(written).split(",") if parameter.several else [str(written)]
        listed = written if isinstance(written, list) else words
        chosen = [_chosen(parameter, str(word).strip(), place) for word in listed]
        return chosen if isinstance(written, list) else ",".join(chosen)
    if why := _misspelt(parameter, str(written)):
        raise _refusal(parameter, f"{place}: {written!r} {why}")
    return value


def _refusal(parameter: Parameter, told: str) -> DestinationError:
    """What is told of a constant outside of bounds; of those that are not certain, with the way around them."""
    if parameter.certain:
        return DestinationError(told)
    end = "" if told.endswith("?") else "."
    return DestinationError(
        f"{told}{end} Should the service take it by now, write `{{param.x}}` there and give it with --param x=..."
    )


def outside(parameter: Parameter, text: str) -> str:
    """Why what a record gives for a parameter is outside of its bounds, naming the value; empty where it is not."""
    shown = repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}...")
    if parameter.choices:
        words = [word.strip() for word in text.split(",")] if parameter.several else [text]
        wrong = next((word for word in words if word not in parameter.choices), None)
        return f"{shown} is not allowed; {_hint(parameter, wrong)}" if wrong is not None else ""
    if why := _misspelt(parameter, text):
        return f"{shown} {why}"
    if parameter.minimum is None and parameter.maximum is None:
        return ""
    if re.fullmatch(_WRITTEN["number"], text) is None:
        return f"{shown} is no number"
    beyond = _beyond(parameter, float(text))
    return f"{shown} {beyond}" if beyond else ""


def _misspelt(parameter: Parameter, text: str) -> str:
    if not parameter.pattern or re.fullmatch(parameter.pattern, text) is not None:
        return ""
    return f"does not fit; write it as {parameter.example}"


def _chosen(parameter: Parameter, word: str, place: str) -> str:
    if word in parameter.choices:
        return word
    raise _refusal(parameter, f"{place}: {word!r} is not allowed; {_hint(parameter, word)}")


def _hint(parameter: Parameter, word: str) -> str:
    close = closest(word, parameter.choices)
    return f"did you mean {close[0]}?" if close else f"it takes: {', '.join(parameter.choices)}"


def _beyond(parameter: Parameter, number: float) -> str:
    if parameter.minimum is not None and number < parameter.minimum:
        return f"is less than {parameter.minimum:g}, the least it takes"
    if parameter.maximum is not None and number > parameter.maximum:
        return f"is more than {parameter.maximum:g}, the most it takes"
    return ""


def _number(parameter: Parameter, value: Any, place: str) -> int | float | str:
    """A number within its bounds; whole ones without a point or an exponent, a text as it was written."""
    wanted = _KINDS[parameter.type]
    text = isinstance(value, str)
    if isinstance(value, bool) or (text and re.fullmatch(_WRITTEN[parameter.type], value) is None):
        raise DestinationError(f"{place}: {value!r} does not fit; write {wanted}, in digits")
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or (parameter.type == "integer" and number != int(number)):
        raise DestinationError(f"{place}: {value!r} does not fit; write {wanted}")
    if beyond := _beyond(parameter, number):
        raise _refusal(parameter, f"{place}: {value} {beyond}")
    return int(value) if parameter.type == "integer" and not text else value


def text_expression(value: Any, place: str, booleans: str) -> Expression:
    """A value as an expression that renders text, for URL, headers and file paths."""
    if isinstance(value, bool):
        text = str(int(value)) if booleans == "digits" else str(value).lower()
    elif isinstance(value, list):
        text = ",".join(str(item) for item in value)
    elif isinstance(value, str):
        return parse(value, place=place)
    else:
        text = str(value)
    return Expression((text,) if text else (), place)


def value_expression(value: Any, place: str) -> Expression | Constant:
    """A value for the body: text is an expression; everything else is itself."""
    return parse(value, place=place) if isinstance(value, str) else Constant(as_written(value))
