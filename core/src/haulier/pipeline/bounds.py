"""What records give for parameters, held against what those take: a certain bound refuses, any other is told of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from haulier.model.column import Column, Fault
from haulier.model.expression import Expression, RunFacts, compile_render

__all__ = ["Bounded", "Bounds"]

_MOST_KEPT = 10_000  # values that are known to be within bounds


class Bounded(msgspec.Struct, frozen=True):
    """A parameter with bounds and the expression that fills it. outside: why a text is not within, in words, or empty.

    certain: the service is known to refuse what is outside.
    """

    name: str
    expression: Expression
    outside: Callable[[str], str]
    certain: bool

    def resolve(self, facts: RunFacts) -> Bounded:
        """The same with the facts of a run filled in."""
        return msgspec.structs.replace(self, expression=self.expression.resolve(facts))


class Bounds:
    """Looks at blocks of records on their way; remembers what was outside and is sent all the same."""

    def __init__(self, asked: Sequence[Bounded]) -> None:
        self._looked_at = [_LookedAt(one) for one in asked]

    def look(self, items: Sequence[Any], faults: dict[int, str]) -> None:
        """Add to the faults each record whose value is outside of certain bounds."""
        records = [item if item is not None else {} for item in items]
        for one in self._looked_at:
            one.look(one.column(records), faults)

    def remarks(self) -> tuple[str, ...]:
        """Of each parameter of which a value was outside of bounds that are not certain, in words."""
        return tuple(
            f"params.{one.asked.name}: the service may refuse the value of {_records(one.outside)} sent; the first: "
            f"{one.first}"
            for one in self._looked_at
            if one.outside
        )


class _LookedAt:
    """One parameter. outside: how many records had a value outside, first: why the first one is."""

    def __init__(self, asked: Bounded) -> None:
        self.asked = asked
        self.column: Column = compile_render(asked.expression)
        self.outside = 0
        self.first = ""
        self._within: set[str | Fault] = set()

    def look(self, texts: Sequence[str | Fault], faults: dict[int, str]) -> None:
        within = self._within
        if within.issuperset(texts):
            return
        if len(within) > _MOST_KEPT:
            within.clear()
        for index, text in enumerate(texts):
            # Why a record has no value is told where the value is to stand.
            if text in within or isinstance(text, Fault):
                continue
            if not (why := self.asked.outside(text)):
                within.add(text)
            elif self.asked.certain:
                faults.setdefault(index, f"params.{self.asked.name}: {why}")
            else:
                self.first = self.first or why
                self.outside += 1


def _records(count: int) -> str:
    return "1 record, which is" if count == 1 else f"{count:,} records, which are"
