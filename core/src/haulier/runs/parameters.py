"""The parameters of an endpoint template held against what a destination gives them."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from haulier.errors import DestinationError
from haulier.model.connector import EndpointTemplate, Parameter
from haulier.model.destination import ParamValue
from haulier.model.expression import Expression, parse
from haulier.pipeline.spec import Constant

__all__ = ["check_parameters", "text_expression", "value_expression"]

_KINDS = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}


def check_parameters(template: EndpointTemplate, given: Mapping[str, ParamValue]) -> dict[str, Any]:
    """The given parameters less those that are null; DestinationError for unknown, missing, excess or wrong ones."""
    known = {parameter.name: parameter for parameter in template.parameters}
    for name in given:
        if name not in known:
            close = get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}?" if close else f"it has: {', '.join(known) or 'none'}"
            raise DestinationError(f"params.{name}: endpoint {template.name} has no such parameter; {hint}")
    values = {name: value for name, value in given.items() if value is not None}
    for parameter in template.parameters:
        if parameter.required and parameter.name not in values:
            example = f", such as {parameter.example}" if parameter.example else ""
            raise DestinationError(
                f"params.{parameter.name} is missing: {parameter.description}; "
                f"write a value or `{{record.NAME}}`{example}"
            )
        if parameter.name in values:
            _check_value(parameter, values[parameter.name])
    for group in template.one_of:
        found = [name for name in group if name in values]
        if len(found) != 1:
            told = f"{' and '.join(found)} are given" if found else "none is given"
            raise DestinationError(
                f"params: endpoint {template.name} takes exactly one of {', '.join(group)}; {told}"
            )
    return values


def _check_value(parameter: Parameter, value: Any) -> None:
    """A constant must fit its parameter; what comes from records is known later."""
    place = f"params.{parameter.name}"
    if isinstance(value, str):
        expression = parse(value, place=place)
        if not expression.is_constant:
            return
        value = expression.text()
        if value == "" and (parameter.required or parameter.place == "path"):
            raise DestinationError(f"{place} is empty; write a value or `{{record.NAME}}`")
    if isinstance(value, list) and parameter.type != "list":
        raise DestinationError(f"{place}: a list does not fit; it takes {_KINDS.get(parameter.type, 'text')}")
    if parameter.type in ("integer", "number"):
        _check_number(parameter, value, place)
    if (
        parameter.type == "boolean"
        and not isinstance(value, bool)
        and str(value) not in ("0", "1", "true", "false")
    ):
        raise DestinationError(f"{place}: {value!r} does not fit; write true or false")
    if parameter.choices:
        for word in value if isinstance(value, list) else str(value).split(","):
            if word.strip() not in parameter.choices:
                close = get_close_matches(word.strip(), parameter.choices, 1)
                hint = f"did you mean {close[0]}?" if close else f"it takes: {', '.join(parameter.choices)}"
                raise DestinationError(f"{place}: {word.strip()!r} is not allowed; {hint}")


def _check_number(parameter: Parameter, value: Any, place: str) -> None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise DestinationError(f"{place}: {value!r} does not fit; write {_KINDS[parameter.type]}") from None
    if isinstance(value, bool) or (parameter.type == "integer" and number != int(number)):
        raise DestinationError(f"{place}: {value!r} does not fit; write {_KINDS[parameter.type]}")
    if parameter.minimum is not None and number < parameter.minimum:
        raise DestinationError(f"{place}: {value} is less than {parameter.minimum:g}, the least it takes")
    if parameter.maximum is not None and number > parameter.maximum:
        raise DestinationError(f"{place}: {value} is more than {parameter.maximum:g}, the most it takes")


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
    return parse(value, place=place) if isinstance(value, str) else Constant(value)
