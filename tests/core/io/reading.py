"""What tests of readers share."""

from __future__ import annotations

from collections.abc import Iterable

from haulier.errors import InputError
from haulier.model.block import Block


def read_until_error(blocks: Iterable[Block]) -> tuple[list[bytes], str]:
    """(the records before the error, the error)."""
    lines: list[bytes] = []
    try:
        for block in blocks:
            lines += block.records
    except InputError as error:
        return lines, str(error)
    raise AssertionError("the input was read to its end")
