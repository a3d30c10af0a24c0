"""How messages tell what there is, so that a misspelt name is mended at once."""

from __future__ import annotations

from collections.abc import Iterable

from haulier.model.closest import closest

__all__ = ["known"]

_MOST = 20  # names in a message


def known(name: str, names: Iterable[str]) -> str:
    """`did you mean 'json'? known: form, json`; no question where no name is close."""
    there = sorted(names)
    close = closest(name, there)
    question = f"did you mean {close[0]!r}? " if close else ""
    more = f" and {len(there) - _MOST:,} more" if len(there) > _MOST else ""
    return f"{question}known: {', '.join(there[:_MOST]) or 'none'}{more}"
