"""`property`: the records as the value of one property of a JSON object, beside other properties."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isfinite
from typing import Any

from pydantic import Field, field_validator, model_validator

from haulier.authoring import (
    GroupingAlgorithm,
    Settings,
    WrittenJson,
    as_written,
    first_expression,
    number_of,
)

__all__ = ["PROPERTY", "Property", "PropertySettings"]


class PropertySettings(Settings):
    """Settings of `property`."""

    property_name: str = Field(
        description="name of the property that holds the list of records, such as `records`"
    )
    other_props: dict[str, WrittenJson] = Field(
        default_factory=dict,
        description="properties that stand in every body, before the records: a mapping, or JSON text",
    )

    @field_validator("property_name")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("property_name is empty: name the property that holds the records")
        return value

    @field_validator("other_props", mode="before")
    @classmethod
    def _read_text(cls, value: Any) -> Any:
        return _object(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _hold(self) -> PropertySettings:
        if self.property_name in self.other_props:
            raise ValueError(
                f"other_props has {self.property_name!r}, too, where the records go: take it out, or "
                "choose another property_name"
            )
        if fault := _unsayable(self.other_props):
            raise ValueError(f"other_props {fault}")
        if found := first_expression(self.other_props):
            raise ValueError(
                f"other_props holds {found!r}, but nothing is filled in there; write it in `request.body`, whose "
                "values stand beside the records as well"
            )
        return self


class Property:
    """Shapes a batch into an object: the other properties in their order, then the records."""

    def __init__(self, settings: PropertySettings) -> None:
        """Take the checked settings; the other properties are copied into each payload as they are."""
        self._name = settings.property_name
        self._others = as_written(settings.other_props)

    def build(self, items: Sequence[Any]) -> dict[str, Any]:
        """Return `{..., property_name: [item, item, ...]}`."""
        return {**self._others, self._name: list(items)}


def _object(text: str) -> dict[str, Any]:
    """The JSON object a text says; raises ValueError for anything else, and for a name that stands twice."""
    try:
        value = json.loads(
            text, object_pairs_hook=_without_doubles, parse_float=_finite, parse_constant=_no_constant
        )
    except RecursionError:
        raise ValueError("other_props is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(
            f"other_props is no JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004 - pydantic turns a ValueError into a message with its place
            f'other_props is a JSON {_JSON_NAMES[type(value)]}, not an object such as {{"source": "catalog"}}'
        )
    return value


_JSON_NAMES = {
    list: "array",
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"other_props names {name!r} twice")
        found[name] = value
    return found


def _finite(text: str) -> float:
    value = number_of(text)
    if not isfinite(value):
        raise ValueError(f"other_props holds {text}, which is beyond a double: write it as a text")
    return value


def _no_constant(text: str) -> Any:
    raise ValueError(f"other_props holds {text}, which is no JSON")


def _unsayable(value: dict[str, Any]) -> str:
    """Why a value cannot be written as JSON, or an empty text; `1e999` reads as an infinity."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "holds half a surrogate pair, which is no character"
    except ValueError:
        return "holds NaN or an infinity, which JSON cannot say"
    except RecursionError:
        return "is nested too deeply"
    return ""


PROPERTY = GroupingAlgorithm(
    name="property",
    title="Property Inside JSON Object",
    description=(
        "The body is an object in which one property holds the list of records, beside other properties "
        'that are the same in every body: `{"source": "catalog", "records": [record, record, ...]}`.'
    ),
    factory=Property,
    settings=PropertySettings,
    anywhere=True,
)
