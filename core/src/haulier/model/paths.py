"""Paths of attributes as people write them in `exclude`, `rename` and the like: `sku`, `a.b`, `["a.b"]`."""

from __future__ import annotations

from haulier.errors import DestinationError, ExpressionError
from haulier.model.column import path_text
from haulier.model.expression import parse

__all__ = ["attribute_path", "written_path"]


def attribute_path(text: str, *, place: str) -> tuple[str, ...]:
    """The names that a path leads through, outermost first; DestinationError where it is none.

    The grammar is that of `{record.a.b}` without the braces; a name without dots, brackets and braces stands for
    itself.
    """
    if text and not set('.[]{}"') & set(text):
        return (text,)
    try:
        expression = parse("{record" + (text if text.startswith("[") else f".{text}") + "}", place=place)
    except ExpressionError:
        expression = None
    if expression is None or not expression.is_whole_value:
        raise DestinationError(
            f'{place}: {text!r} names no attribute; write NAME, NAME.NAME, or ["NAME"] for a name with dots or spaces'
        )
    return expression.record_paths[0]


def written_path(path: tuple[str, ...]) -> str:
    """A path as it is written."""
    return path_text(path).removeprefix(".")
