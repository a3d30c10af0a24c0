"""Open batches: records waiting for company, in order, with the positions they came from."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Hashable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from haulier.model.block import Block
from haulier.model.request import Positions
from haulier.pipeline.address import Address
from haulier.pipeline.payload import ReadBlock

__all__ = ["Batches", "Cut", "OpenBatch", "Weights", "positions_of"]

_MOST_HELD = 10_000  # records that wait for company, over all batches
_MOST_HELD_BYTES = 16 << 20  # of their texts


class Cut(NamedTuple):
    """Records that are to travel together, taken out of an open batch."""

    address: Address
    positions: Positions
    items: list[Any]
    records: list[bytes]

    def part(self, places: Sequence[int]) -> Cut:
        """Some of its records, by ascending index."""
        if isinstance(places, range) and places.step == 1:
            start, stop = places.start, places.stop
            return Cut(
                self.address, self.positions[start:stop], self.items[start:stop], self.records[start:stop]
            )
        positions = [self.positions[at] for at in places]
        return Cut(
            self.address,
            positions_of([range(position, position + 1) for position in positions]),
            [self.items[at] for at in places],
            [self.records[at] for at in places],
        )


class Weights(NamedTuple):
    """How long a body becomes: `base`, the length of each item, and `between` two of them. most: bytes at most."""

    base: int
    between: int
    most: int

    @property
    def room(self) -> int:
        """For records, each counted with what stands between it and the next."""
        return self.most - self.base + self.between


class OpenBatch:
    """Records of one key that still wait for their batch to fill; taken out from the front, in order.

    since: when the oldest of them came, by the clock of `feed`. size_bytes: of the records' texts,
    kept where there may be many open batches.
    """

    __slots__ = ("_spans", "address", "items", "records", "since", "size_bytes")

    def __init__(self, address: Address, since: float = 0.0) -> None:
        self.address = address
        self.since = since
        self.items: list[Any] = []
        self.records: list[bytes] = []
        self.size_bytes = 0
        self._spans: list[range] = []

    def __len__(self) -> int:
        return len(self.items)

    def add(self, first: int, items: list[Any], records: list[bytes]) -> None:
        """Append consecutive records, the first of them at position `first`."""
        self.items += items
        self.records += records
        last = self._spans[-1] if self._spans else None
        if last is not None and last.stop == first:
            self._spans[-1] = range(last.start, first + len(items))
        else:
            self._spans.append(range(first, first + len(items)))

    def take(self, count: int, start: int) -> Cut:
        """The `count` records from index `start` on; `forget` lets go of them afterwards, once for many takes."""
        stop = start + count
        return Cut(
            self.address, self._positions(start, stop), self.items[start:stop], self.records[start:stop]
        )

    def forget(self, count: int) -> None:
        """Let go of the first `count` records."""
        if self.size_bytes:
            self.size_bytes -= sum(map(len, self.records[:count]))
        del self.items[:count]
        del self.records[:count]
        if len(self._spans) == 1:
            only = self._spans[0][count:]
            self._spans = [only] if only else []
            return
        left: list[range] = []
        for span in self._spans:
            if count >= len(span):
                count -= len(span)
            else:
                left.append(span[count:])
                count = 0
        self._spans = left

    def first_position(self) -> int:
        """Position of the oldest record held; only where there is one."""
        return self._spans[0].start

    def _positions(self, start: int, stop: int) -> Positions:
        if len(self._spans) == 1:
            return self._spans[0][start:stop]
        found: list[range] = []
        for span in self._spans:
            if start < len(span):
                found.append(span[start : min(stop, len(span))])
            start, stop = max(0, start - len(span)), stop - len(span)
            if stop <= 0:
                break
        return positions_of(found)


class Batches:
    """All open batches of a plan, by address and by what they are grouped by.

    size: records that close a batch, 0: only the end does. weights: what bounds it in bytes. max_wait: seconds a
    record waits at most. However many batches are open, no more than 10,000 records (or two batches of them) and 16 MiB
    of their texts wait: then the fullest ones go. What is taken out together comes by its oldest record.
    """

    def __init__(self, size: int, *, weights: Weights | None = None, max_wait: float | None = None) -> None:
        self._size = size
        self._weights = weights
        self._max_wait = max_wait
        self._most_held = max(_MOST_HELD, 2 * size)
        self._open: dict[Hashable, OpenBatch] = {}
        self._touched: dict[Hashable, OpenBatch] = {}

    def add(self, block: Block, read: ReadBlock, now: float) -> None:
        """Add the good records of a block, stretch by stretch of those with one key."""
        items, addresses, faults, keys = read
        if isinstance(addresses, Address) and not faults and keys is None:
            self._batch(addresses, None, now).add(block.first, items, block.lines)
            return
        for start, stop in _stretches(read):
            address = addresses if isinstance(addresses, Address) else addresses[start]
            assert isinstance(address, Address)
            batch = self._batch(address, keys[start] if keys is not None else None, now)
            lines = block.lines[start:stop]
            batch.add(block.first + start, items[start:stop], lines)
            batch.size_bytes += sum(map(len, lines))

    def full(self, now: float) -> list[Cut]:
        """What is full, taken out; and the fullest batches where too much is held in many."""
        cuts: list[Cut] = []
        if not self._size:
            return cuts
        for place, batch in self._touched.items():
            if taken := self._cut(batch, cuts):
                batch.forget(taken)
                batch.since = (
                    now  # what is left came with the last block: all older ones were in the first cut
                )
            if not len(batch):
                del self._open[place]
        self._touched.clear()
        if len(self._open) > 1:
            self._make_room(cuts)
        return _by_age(cuts)

    def due(self, now: float) -> list[Cut]:
        """What has waited as long as it may."""
        if self._max_wait is None:
            return []
        late = now - self._max_wait
        places = [place for place, batch in self._open.items() if batch.since <= late]
        return _by_age([_whole(self._open.pop(place)) for place in places])

    def rest(self) -> list[Cut]:
        """All that is held."""
        cuts = [_whole(batch) for batch in self._open.values() if len(batch)]
        self._open.clear()
        self._touched.clear()
        return _by_age(cuts)

    def deadline(self) -> float | None:
        """When something will be due; None where nothing waits for the time."""
        if self._max_wait is None or not self._open:
            return None
        return min(batch.since for batch in self._open.values()) + self._max_wait

    def first_position(self) -> int | None:
        """Position of the oldest record held, None where none is."""
        return min((batch.first_position() for batch in self._open.values() if len(batch)), default=None)

    def _batch(self, address: Address, key: Hashable, now: float) -> OpenBatch:
        place: Hashable = address if key is None else (address, key)
        batch = self._open.get(place)
        if batch is None:
            batch = self._open[place] = OpenBatch(address, now)
        self._touched[place] = batch
        return batch

    def _cut(self, batch: OpenBatch, cuts: list[Cut]) -> int:
        """Add what is full in this batch to the cuts; how many records that is."""
        size, weights, start = self._size, self._weights, 0
        if weights is None:
            while start + size <= len(batch):
                cuts.append(batch.take(size, start))
                start += size
            return start
        ends = list(accumulate(len(item) + weights.between for item in batch.items))
        while start < len(ends):
            fits = bisect_right(ends, (ends[start - 1] if start else 0) + weights.room, start)
            stop = min(max(fits, start + 1), start + size)
            if fits == len(ends) and stop - start < size:
                break  # all of it fits, and more may
            cuts.append(batch.take(stop - start, start))
            start = stop
        return start

    def _make_room(self, cuts: list[Cut]) -> None:
        """Memory stays flat however many batches are open: too much held, and the fullest go."""
        held = sum(map(len, self._open.values()))
        held_bytes = sum(batch.size_bytes for batch in self._open.values())
        if held <= self._most_held and held_bytes <= _MOST_HELD_BYTES:
            return
        by_fullness = sorted(
            self._open.items(),
            key=lambda pair: max(len(pair[1]) / self._most_held, pair[1].size_bytes / _MOST_HELD_BYTES),
            reverse=True,
        )
        for place, batch in by_fullness:
            held -= len(batch)
            held_bytes -= batch.size_bytes
            cuts.append(_whole(batch))
            del self._open[place]
            if held <= self._most_held // 2 and held_bytes <= _MOST_HELD_BYTES // 2:
                break


def _whole(batch: OpenBatch) -> Cut:
    return batch.take(len(batch), 0)


def _by_age(cuts: list[Cut]) -> list[Cut]:
    return sorted(cuts, key=_first) if len(cuts) > 1 else cuts


def _first(cut: Cut) -> int:
    return cut.positions[0]


def _stretches(read: ReadBlock) -> Iterator[tuple[int, int]]:
    """Index ranges of neighbours that are without fault and have one address and one key."""
    items, addresses, faults, keys = read
    start, count = 0, len(items)
    while start < count:
        if start in faults:
            start += 1
            continue
        stop = start + 1
        while (
            stop < count
            and stop not in faults
            and (isinstance(addresses, Address) or addresses[stop] == addresses[start])
            and (keys is None or keys[stop] == keys[start])
        ):
            stop += 1
        yield start, stop
        start = stop


def positions_of(spans: list[range]) -> Positions:
    """Ascending spans as positions: a range where they are one stretch, else an array of 64-bit integers."""
    if not spans:
        return range(0)
    if len(spans) == 1:
        return spans[0]
    if all(before.stop == after.start for before, after in pairwise(spans)):
        return range(spans[0].start, spans[-1].stop)
    return array("q", [position for span in spans for position in span])
