"""Order: of all that have a key in common, one at a time and in the order they came."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["Ordering"]

Item = TypeVar("Item")


class Ordering(Generic[Item]):
    """The first one of a key may go; the next one once it has left. Keys that have nobody left are forgotten.

    kept: how many may not go yet.
    """

    def __init__(self) -> None:
        self._queues: dict[Hashable, deque[Item]] = {}
        self._followers: dict[Hashable, int] = {}
        self.kept = 0

    def enter(self, key: Hashable, item: Item) -> bool:
        """One comes; whether it may go at once."""
        queue = self._queues.get(key)
        if queue is None:
            self._queues[key] = deque((item,))
            return True
        queue.append(item)
        self.kept += 1
        return False

    def follow(self, key: Hashable, item: Item) -> None:
        """One goes on in place of the first one of its key: behind those that do so already, before all others."""
        before = self._followers.get(key, 0)
        self._queues[key].insert(1 + before, item)
        self._followers[key] = before + 1
        self.kept += 1

    def leave(self, key: Hashable) -> Item | None:
        """The first one has gone for good; the one that may go now."""
        queue = self._queues[key]
        queue.popleft()
        self._followers.pop(key, None)
        if not queue:
            del self._queues[key]
            return None
        self.kept -= 1
        return queue[0]
