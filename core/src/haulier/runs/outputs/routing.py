"""Which outputs a line goes to: those whose condition it meets, and those that have none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from haulier.delivery.outcomes import is_met
from haulier.model.answers import Condition
from haulier.model.json_value import decoded
from haulier.model.pointer import nothing_at, pick

__all__ = ["Routing"]


class Routing:
    """conditions: which lines each output wants, None for all, in their order. first: number of the first of them."""

    def __init__(self, conditions: Sequence[Condition | None], first: int = 0) -> None:
        self._conditions = {output: one for output, one in enumerate(conditions, first) if one is not None}
        # Places below a name that lines have: whether anything stands there only lines tell.
        self._unseen = {
            one.at for one in self._conditions.values() if one.at.count("/") > 1 and not one.absent
        }
        self._last: Any = None

    def wanting(self, outputs: list[int], line: bytes) -> list[int]:
        """Those of the outputs that want this line, which is read only where one of them asks for something in it."""
        if not self._conditions or not any(output in self._conditions for output in outputs):
            return outputs
        said = decoded(line)
        if self._unseen:
            self._last = said
            self._unseen = {at for at in self._unseen if pick(said, at) is None}
        return [
            output
            for output in outputs
            if (condition := self._conditions.get(output)) is None or is_met(condition, said)
        ]

    def remarks(self) -> tuple[str, ...]:
        """In words, each place at which no line so far had anything; nothing before the first line."""
        if self._last is None:
            return ()
        return tuple(
            f"outputs: no line had anything at {at} (`when.at`); of the last one, {nothing_at(self._last, at)}"
            for at in sorted(self._unseen)
        )
