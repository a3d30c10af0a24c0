"""Ids of rows: a run and a number in one integer, so that the rows of a run lie together, in the order of the numbers.

A number is that of a request, the position of a record of a later stage, or the place of a line among those owed.
"""

from __future__ import annotations

__all__ = ["NUMBER", "row_id", "row_ids"]

_BITS = 40
NUMBER = (1 << _BITS) - 1  # the number is what an id has in common with it


def row_id(run: int, number: int) -> int:
    """The id of the row of a run that has this number."""
    return run << _BITS | number


def row_ids(run: int) -> tuple[int, int]:
    """The lowest and the highest id that a row of a run can have."""
    return run << _BITS, run << _BITS | NUMBER
