"""Order: of all that have a key in common, one at a time and in the order they came."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

__all__ = ["Ordering"]

Item = TypeVar("Item", bound=Hashable)


class Ordering(Generic[Item]):
    """The first one of a key may go; the next one once it has left. Keys that have nobody left are forgotten."""

    def __init__(self) -> None:
        self._queues: dict[Hashable, deque[Item]] = {}
        self._expected: set[Item] = set()

    def enter(self, key: Hashable, item: Item) -> bool:
        """One comes; whether it may go at once."""
        queue = self._queues.setdefault(key, deque())
        queue.append(item)
        return queue[0] == item

    def expect(self, key: Hashable, item: Item) -> None:
        """One will come in place of the first one of its key, and before all that came after that."""
        queue = self._queues[key]
        at = 1
        while at < len(queue) and queue[at] in self._expected:
            at += 1
        queue.insert(at, item)
        self._expected.add(item)

    def arrive(self, key: Hashable, item: Item) -> bool:
        """One that was expected has come; whether it may go at once."""
        self._expected.discard(item)
        return self._queues[key][0] == item

    def leave(self, key: Hashable) -> Item | None:
        """The first one has gone for good; the one that may go now, if it has come already."""
        queue = self._queues[key]
        queue.popleft()
        if not queue:
            del self._queues[key]
            return None
        return None if queue[0] in self._expected else queue[0]

    def kept(self) -> Iterator[Item]:
        """Those that have come and may not go yet."""
        for queue in self._queues.values():
            for at, item in enumerate(queue):
                if at and item not in self._expected:
                    yield item
