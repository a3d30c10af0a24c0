"""Which outputs a line goes to: those whose condition it meets, and those that have none."""

from __future__ import annotations

from collections.abc import Sequence

from haulier.delivery.outcomes import is_met
from haulier.model.answers import Condition
from haulier.model.json_value import decoded

__all__ = ["Routing"]


class Routing:
    """conditions: which lines each output wants, None for all, in their order. first: number of the first of them."""

    def __init__(self, conditions: Sequence[Condition | None], first: int = 0) -> None:
        self._conditions = {output: one for output, one in enumerate(conditions, first) if one is not None}

    def wanting(self, outputs: list[int], line: bytes) -> list[int]:
        """Those of the outputs that want this line, which is read only where one of them asks for something in it."""
        if not self._conditions or not any(output in self._conditions for output in outputs):
            return outputs
        said = decoded(line)
        return [
            output
            for output in outputs
            if (condition := self._conditions.get(output)) is None or is_met(condition, said)
        ]
