"""What a settings model complains of, in words for people: the one place where pydantic's own are turned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["KINDS", "fault_words"]

# What a value must be, by the kind of the complaint. https://docs.pydantic.dev/latest/errors/validation_errors/
KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "mapping_type": "a mapping of keys",
}
_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}
_LENGTHS = {
    "string_too_short": ("at least", "min_length", "character"),
    "string_too_long": ("at most", "max_length", "character"),
    "too_short": ("at least", "min_length", "value"),
    "too_long": ("at most", "max_length", "value"),
}
_SAID = {
    "missing": "is missing; write it",
    "extra_forbidden": "is not known",
    "string_pattern_mismatch": "is not written as it must be (pattern {pattern})",
}


def _plain(bound: Any) -> Any:
    """A bound as people write it: 86400, not 86400.0."""
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


def fault_words(fault: Mapping[str, Any]) -> str:
    """One of pydantic's error dicts as words that follow the name of the setting; never holds the input."""
    kind, context, said = fault["type"], fault.get("ctx", {}), str(fault["msg"])
    if kind in KINDS:
        return f"must be {KINDS[kind]}"
    if kind in _BOUNDS and _BOUNDS[kind][1] in context:
        words, name = _BOUNDS[kind]
        return f"must be {words} {_plain(context[name])}"
    if kind in _LENGTHS and _LENGTHS[kind][1] in context:
        words, name, thing = _LENGTHS[kind]
        count = context[name]
        return f"must have {words} {count} {thing}{'' if count == 1 else 's'}"
    if kind in _SAID:
        return _SAID[kind].format(**context)
    return (
        said.removeprefix("Value error, ").replace("Input should be", "must be").replace(" a valid ", " a ")
    )
