"""The word that somebody may have meant who wrote another one."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["closest"]


def closest(word: str, known: Iterable[str], alike: float = 0.6, most: int = 1) -> list[str]:
    """The known words that are most like `word`, at most so many, the best first; an empty list where none is.

    alike: how much they have in common with it at least, from 0 to 1.
    """
    from difflib import get_close_matches  # noqa: PLC0415 - for messages alone, and every start would pay for it

    return get_close_matches(word, list(known), most, alike)
