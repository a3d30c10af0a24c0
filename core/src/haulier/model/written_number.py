"""Numbers as a person wrote them: `1.10` is sent as `1.10`, and not as the double that it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Self, TypeAlias

from msgspec import Raw
from pydantic import JsonValue, WrapValidator

__all__ = [
    "KeptNumber",
    "WrittenJson",
    "WrittenNumber",
    "as_written",
    "number_of",
    "number_text",
    "with_numbers",
]


class WrittenNumber(float):
    """A number with the text it was written with; in calculations and comparisons the double that this says."""

    text: str

    def __new__(cls, text: str) -> Self:
        """text: a JSON number."""
        made = super().__new__(cls, text)
        made.text = text
        return made

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]  # what a copy is made of
        return (self.text,)


def number_of(text: str) -> float:
    """The number that a JSON number says, as a WrittenNumber where the double alone would be written otherwise."""
    value = float(text)
    return value if repr(value) == text else WrittenNumber(text)


def as_written(value: Any) -> Any:
    """The same JSON-like value, each WrittenNumber in it as msgspec.Raw, which is how bodies carry exact text."""
    if isinstance(value, WrittenNumber):
        return Raw(value.text.encode())
    if isinstance(value, dict):
        return {name: as_written(one) for name, one in value.items()}
    if isinstance(value, list):
        return list(map(as_written, value))
    return value


def number_text(value: Any) -> Raw:
    """What msgspec's encoders write of a WrittenNumber; TypeError for anything else that they do not know."""
    if isinstance(value, WrittenNumber):
        return Raw(value.text.encode())
    raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")


def with_numbers(value: Any, written: Any) -> Any:
    """A JSON-like value, made of another that may have been written by a person, with the numbers of that one."""
    if isinstance(written, WrittenNumber):
        return written
    if isinstance(value, dict) and isinstance(written, dict):
        return {name: with_numbers(one, written.get(name)) for name, one in value.items()}
    if isinstance(value, list) and isinstance(written, list):
        return [with_numbers(one, other) for one, other in zip(value, written, strict=True)]
    return value


def _checked(value: Any, check: Callable[[Any], Any]) -> Any:
    check(value)
    return value


# A JSON value in a model; pydantic's own would make plain floats of the numbers.
WrittenJson: TypeAlias = Annotated[JsonValue, WrapValidator(_checked)]
# A number in a model.
KeptNumber: TypeAlias = Annotated[float, WrapValidator(_checked)]
