"""Blocks of the input for the event loop: taken in place where they are at hand, else read ahead by a thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable

from haulier.model.block import Block

__all__ = ["Feed"]

_MOST_BLOCKS = 8
_BLOCK_BYTES = 64 << 10  # a longer one counts for several
_SLOW_S = 0.05
_CLOSE = 64  # blocks between two that kept the loop waiting; one alone may be a core that was not to be had


class Feed:
    """Blocks of an iterable that may block, read ahead by at most 8 blocks or 512 KiB, and one that waits for room.

    at_hand: it hardly ever blocks, as the lines of a file. Then the loop takes them in place, until two of 64 have kept
    it waiting: what goes from thread to thread is cold in the caches, and both wait for the interpreter.
    What the iterable raises is raised from the iteration, after the blocks that came before it.
    """

    def __init__(self, blocks: Iterable[Block], *, at_hand: bool = False) -> None:
        self._blocks = iter(blocks)
        self._loop = asyncio.get_running_loop()
        self._ready: deque[tuple[Block, int]] = deque()
        self._room = threading.Semaphore(_MOST_BLOCKS)
        self._wake: asyncio.Future[None] | None = None
        self._ended = False
        self._closed = False
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self._at_hand = at_hand
        if not at_hand:
            self._read_ahead()

    @property
    def empty(self) -> bool:
        """Whether taking the next block would wait for the reader now."""
        return not self._ready and not self._at_hand

    @property
    def ready(self) -> bool:
        """Whether a block, or the end, is there to be taken without waiting."""
        return bool(self._ready) or self._ended or self._at_hand

    async def wait(self, seconds: float | None) -> None:
        """Return when a block or the end is there, after so many seconds (None: however long), or when nudged."""
        with self._lock:
            if self.ready:
                return
            wake = self._wake = self._loop.create_future()
        # uvloop makes a wait below a millisecond a handle that does not tell when it is due.
        timer = None if seconds is None else self._loop.call_later(max(seconds, 0.001), _set, wake)
        try:
            await wake
        finally:
            self._wake = None
            if timer is not None:
                timer.cancel()

    def nudge(self) -> None:
        """End a `wait`: something else has come up. In the loop's thread."""
        if self._wake is not None:
            _set(self._wake)

    def close(self) -> None:
        """Stop reading; a block being read is dropped."""
        self._closed = True
        self._room.release()

    async def __aiter__(self) -> AsyncIterator[Block]:
        async for block in self._in_place():
            yield block
        while True:
            if self._ready:
                block, room = self._ready.popleft()
                self._room.release(room)
                yield block
                continue
            with self._lock:
                if not self._ready and not self._ended:
                    self._wake = self._loop.create_future()
                wake = self._wake
            if wake is not None:
                await wake
                self._wake = None
            elif not self._ready:
                break
        if self._error is not None:
            raise self._error

    async def _in_place(self) -> AsyncIterator[Block]:
        """Blocks while they are at hand: to the end, or until a thread reads ahead."""
        since = _CLOSE  # blocks since the last that kept the loop waiting
        while self._at_hand:
            await asyncio.sleep(0)  # a stretch of records that make no request would hold the loop else
            began = time.monotonic()
            at_hand = next(self._blocks, None)
            if at_hand is None:
                self._ended, self._at_hand = True, False
                return
            since += 1
            if time.monotonic() - began > _SLOW_S:
                if since <= _CLOSE:
                    self._at_hand = False
                    self._read_ahead()
                since = 0
            yield at_hand

    def _read_ahead(self) -> None:
        threading.Thread(target=self._read, name="haulier-reader", daemon=True).start()

    def _read(self) -> None:
        try:
            for block in self._blocks:
                room = _room(block)
                for _ in range(room):
                    self._room.acquire()
                    if self._closed:
                        return
                self._ready.append((block, room))
                self._tell()
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever iterates, in another thread
            self._error = error
        finally:
            self._ended = True
            self._tell()

    def _tell(self) -> None:
        with self._lock:
            wake = self._wake
            if wake is None or wake.done():
                return
        try:
            self._loop.call_soon_threadsafe(_set, wake)
        except RuntimeError:
            return  # the loop is closed: nobody listens any more


def _room(block: Block) -> int:
    """For how many blocks this one counts, 1 to 8."""
    size = sum(map(len, block.lines if block.text is None else block.text))
    return min(max(1, size // _BLOCK_BYTES), _MOST_BLOCKS)


def _set(wake: asyncio.Future[None]) -> None:
    if not wake.done():
        wake.set_result(None)
