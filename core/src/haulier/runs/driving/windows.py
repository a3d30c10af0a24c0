"""Windows: the way of a delivery from its plan to the crew. It may leave once the commit with its intent is durable.

Where requests are to keep their order, the intent of one is in no earlier commit than the outcome of the one before it
in its lane. So that outcome is durable before it leaves, and a crash finds one intent without outcome in each lane.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from haulier.io.ledger.rows import Commit
from haulier.runs.driving.book import Book
from haulier.runs.driving.course import Course
from haulier.runs.driving.delivery import Delivery
from haulier.runs.driving.lanes import Lanes

__all__ = ["Windows"]

_FLUSH_S = 0.1  # outcomes without a new window wait at most this long for their commit
_MOST_BYTES = 16 << 20  # of bodies and texts, and of what waits for the ledger to hash or keep it
_MOST_COMMITS = 8  # on their way to the disk


class Windows:
    """write: takes a commit to the ledger. outstanding: how many requests are to be brought to rest in this round.

    All methods belong to the loop's thread.
    """

    def __init__(
        self,
        book: Book,
        course: Course,
        *,
        write: Callable[[Commit], None],
        outstanding: Callable[[], int],
    ) -> None:
        self._book = book
        self._course = course
        self._write = write
        self._outstanding = outstanding
        self._loop = asyncio.get_running_loop()
        self._lanes = Lanes(course.lane) if course.lane is not None else None
        self._backlog: deque[Delivery] = deque()
        self._window: list[Delivery] = []
        self._uncommitted: deque[tuple[Commit, list[Delivery]]] = deque()
        self._written = 0
        self._durable = 0
        self._bytes = 0
        self._room = asyncio.Event()
        self._flush_at: asyncio.Handle | None = None
        self._hurried = False

    def intend(self, deliveries: Sequence[Delivery]) -> None:
        """Bring deliveries that the book expects on their way, as soon as no more intents than wanted are without
        outcome, and none of its lane is before it.
        """
        self._hold(deliveries)
        self._backlog.extend(deliveries if self._lanes is None else filter(self._lanes.enter, deliveries))
        self._begin()

    def intend_again(self, delivery: Delivery) -> None:
        """Bring a delivery of an earlier sitting on its way: however many there are, where the ledger may say that it
        is under way already. A stop then says of each that it is not.
        """
        if self._course.policy.park:
            self.intend([delivery])  # what was under way is in doubt, so this one waited
            return
        self._hold([delivery])
        if self._lanes is None or self._lanes.enter(delivery):
            self._add([delivery])
        else:
            self._put_off(delivery)
        self._begin()

    def follow(self, delivery: Delivery, whole: Delivery, reason: str = "") -> None:
        """Bring what goes on in place of another delivery on its way, whatever else is: a part of it, or all once more.

        reason: why it goes on, for the ledger where it waits.
        With the commit that says what came of the other, never cut in two: the input is not asked again for what was
        in a request, so after a stop or a crash nobody would know of a part that is not in the ledger. And what is held
        up until it comes to rest may fill all the room there is.
        """
        self._hold([delivery])
        if self._lanes is not None and self._lanes.follow(delivery, whole):
            self._put_off(delivery, reason)
        else:
            self._add([delivery])

    def settled(self, delivery: Delivery) -> None:
        """This one came to rest, as the next commit says: the next one of its lane waits for no other any more."""
        following = self._lanes.leave(delivery) if self._lanes is not None else None
        if following is not None:
            self._backlog.append(following)

    def commit(self, *, always: bool = False) -> None:
        """Send the window on to the ledger, with all outcomes so far."""
        if not (always or self._window or self._book.anything_new):
            return
        window, self._window = self._window, []
        commit = self._book.turn()
        self._bytes += _kept_bytes(commit)
        self._uncommitted.append((commit, window))
        self._written += 1
        self._write(commit)

    def commit_soon(self) -> None:
        """Commit after a moment, in which more may come up; at once where a later stage waits for it."""
        hurries = self._book.hurries
        if self._flush_at is not None and hurries and not self._hurried:
            self._flush_at.cancel()
            self._flush_at = None
        if self._flush_at is None:
            self._hurried = hurries
            later = (
                self._loop.call_soon(self._flush) if hurries else self._loop.call_later(_FLUSH_S, self._flush)
            )
            self._flush_at = later

    def durable(self, count: int) -> Iterator[tuple[Commit, list[Delivery]]]:
        """`count` commits are durable since the start: those of them that were not told before, with their windows."""
        while self._uncommitted and self._durable < count:
            self._durable += 1
            commit, window = self._uncommitted.popleft()
            self._bytes -= _input_bytes(window) + _kept_bytes(commit)
            yield commit, window
        self.look_for_room()

    @property
    def on_the_way(self) -> int:
        """Deliveries that the crew has not been given yet."""
        return len(self._backlog) + len(self._window) + sum(len(window) for _, window in self._uncommitted)

    @property
    def all_durable(self) -> bool:
        """Whether everything written is durable."""
        return self._durable >= self._written

    def rested(self, *deliveries: Delivery) -> None:
        """These came to rest, or were laid aside: they are held no longer."""
        self._bytes -= _held_bytes(deliveries)

    def go_on(self) -> None:
        """Something came to rest: what waited for that is brought on its way."""
        if self._backlog and self._begin():
            self.commit()

    def look_for_room(self) -> None:
        """Let `until_room` return where there is room again."""
        if not self._room.is_set() and self._has_room(3):
            self._room.set()

    def let_go(self) -> None:
        """Let `until_room` look again: the run stops."""
        self._room.set()

    async def until_room(self) -> None:
        """Wait until fewer requests than four windows hold, and not too many bytes, are on their way.

        And until the first commit is durable: its thread would wait for the interpreter behind the planning of all
        that is taken in meanwhile, and so would the first request, on whose success the others wait.
        """
        while not self._has_room(4):
            if self._window:
                self.commit()
            self._room.clear()
            await self._room.wait()

    def left(self) -> Iterator[Delivery]:
        """Deliveries whose intents were written and that were not given to the crew."""
        for _, window in self._uncommitted:
            yield from window
        yield from self._window

    def close(self) -> None:
        """Commit nothing more by itself."""
        if self._flush_at is not None:
            self._flush_at.cancel()

    def _begin(self) -> bool:
        """Intend what there is room for, and whether that was anything.

        By whole windows, where there is room for more than one: each costs a transaction.
        """
        backlog, course, begun = self._backlog, self._course, False
        while True:
            if len(self._window) >= course.window:
                self.commit()
            whole = min(course.window - len(self._window), len(backlog))
            kept = self._lanes.kept if self._lanes is not None else 0
            room = course.ahead - (self._outstanding() - len(backlog) - kept)
            if not whole or room < (whole if course.ahead >= 2 * course.window else 1):
                return begun
            self._add([backlog.popleft() for _ in range(min(whole, room))])
            begun = True

    def _add(self, deliveries: Sequence[Delivery]) -> None:
        self._book.intend([delivery.request for delivery in deliveries], self._course.stored)
        self._window += deliveries

    def _hold(self, deliveries: Sequence[Delivery]) -> None:
        """Count what these hold, and what the input holds of them, which the commit is to hash."""
        self._bytes += _held_bytes(deliveries) + _input_bytes(deliveries)

    def _put_off(self, delivery: Delivery, reason: str = "") -> None:
        """Have the ledger know of one that waits in its lane as of one that is not on its way."""
        self._book.intend([delivery.request], self._course.stored)
        self._book.put_back(delivery.request, reason, 0, delivery.left_status)

    def _flush(self) -> None:
        self._flush_at = None
        self.commit()

    def _has_room(self, windows: int) -> bool:
        """Whether fewer requests than that many windows hold, and not too many bytes, are on their way."""
        return (
            (self._durable > 0 or not self.on_the_way)
            and self._outstanding() <= windows * self._course.window
            and self._bytes < _MOST_BYTES
            and len(self._uncommitted) < _MOST_COMMITS
        )


def _held_bytes(deliveries: Sequence[Delivery]) -> int:
    return sum([delivery.request.held for delivery in deliveries])


def _input_bytes(deliveries: Sequence[Delivery]) -> int:
    """Of the texts of their records; those that stand in a body are nearly all of it."""
    return sum([len(delivery.request.texts) or delivery.request.length for delivery in deliveries])


def _kept_bytes(commit: Commit) -> int:
    """Of the texts of rejected and in-doubt records that a commit keeps."""
    return sum([len(row[-1] or b"") for row in commit.records])
