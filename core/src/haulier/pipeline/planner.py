"""The planner: a pure push object that turns blocks of records into requests.

Preview, runs and `write()/flush()` use this very object; there is no second code path. It opens nothing and knows no
clock: what the time decides is handed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from haulier.errors import RecordError
from haulier.model.block import Block, RejectedRecord
from haulier.model.request import FilePart, Positions, Request
from haulier.pipeline.address import Address
from haulier.pipeline.batches import OpenBatch, positions_of
from haulier.pipeline.encoding import digest_of, length_of
from haulier.pipeline.payload import Payloads
from haulier.pipeline.places import check_places
from haulier.pipeline.spec import PlanSpec

if TYPE_CHECKING:
    import hashlib

__all__ = ["Planned", "Planner", "idempotency_key"]


_Hash: TypeAlias = "hashlib._Hash"  # noqa: SLF001 - the name type stubs give it
_MOST_HELD = 10_000  # records that wait for company, over all addresses


class Planned(msgspec.Struct, frozen=True, gc=False):
    """What came of feeding a block: requests in order, and the records that cannot be sent as they are."""

    requests: list[Request]
    rejected: list[RejectedRecord]


def idempotency_key(run_id: str, positions: Positions, digest: bytes) -> str:
    """32 hexadecimal digits that belong to one exact body of one run."""
    return _key(sha256(run_id.encode()), positions, digest)


def _key(run: _Hash, positions: Positions, digest: bytes) -> str:
    if isinstance(positions, range):
        told = b"\n%d-%d\n" % (positions.start, positions.stop)
    else:
        told = b"\n%s\n" % b",".join([b"%d" % position for position in positions])
    whole = run.copy()
    whole.update(told + digest)
    return whole.hexdigest()[:32]


class Planner:
    """Turns blocks into requests. `feed` blocks in order, then `close`; `rebuild` remakes one request."""

    def __init__(self, spec: PlanSpec) -> None:
        self._spec = spec
        self._payloads = Payloads(spec)
        self._run = sha256(spec.run_id.encode())
        self._number = 0
        self._open: dict[Address, OpenBatch] = {}
        # What stands beside the records of a batch is the same for all of them.
        self._beside = (
            {value.name: value.column([{}])[0] for value in spec.body} if spec.grouping is not None else {}
        )

    def feed(self, block: Block, now: float = 0.0) -> Planned:
        """Plan a block; records that still wait for company are held. `now`: Unix seconds, for bounds in time."""
        rejected: list[RejectedRecord] = []
        items, addresses, faults = self._payloads.read(block)
        if self._spec.grouping is None:
            return Planned(self._units(block, items, addresses, faults, rejected), rejected)
        self._hold(block, items, addresses, faults)
        _tell(block, faults, rejected)
        requests: list[Request] = []
        if self._spec.size:
            for address, batch in self._open.items():
                self._cut(address, batch, requests, rejected)
            if len(self._open) > 1:
                self._make_room(requests, rejected)
        return Planned(requests, rejected)

    def flush(self, now: float = 0.0) -> Planned:
        """Requests for all records held, full or not; but for a call over the whole input, which `close` ends."""
        return self._rest() if self._spec.size else Planned([], [])

    def close(self) -> Planned:
        """Requests for all records still held; nothing is fed after this."""
        return self._rest()

    def deadline(self) -> float | None:
        """When `flush` is due, Unix seconds; None while nothing waits for the time."""
        return None

    def held(self) -> int | None:
        """Position of the oldest record held, None where none is."""
        return min((batch.first_position() for batch in self._open.values() if len(batch)), default=None)

    def rebuild(self, number: int, blocks: Sequence[Block]) -> Request | None:
        """The request with these very records, as it was planned before; None where they no longer make one."""
        batch, found = OpenBatch(), None
        for block in blocks:
            items, addresses, faults = self._payloads.read(block)
            if faults:
                return None
            if self._spec.grouping is None:
                self._number = number
                requests = self._units(block, items, addresses, faults, [])
                return requests[0] if requests else None
            found = addresses if isinstance(addresses, Address) else addresses[0]
            batch.add(block.first, items, block.lines)
        if not isinstance(found, Address):
            return None
        self._number = number
        rejected: list[RejectedRecord] = []
        return self._batch_request(found, batch, 0, len(batch), rejected)

    def unseen(self) -> tuple[str, ...]:
        """What the destination asks for attributes that no record has had so far, in words."""
        return self._payloads.unseen()

    @property
    def next_number(self) -> int:
        """The number the next request will have."""
        return self._number

    def start_at(self, number: int) -> None:
        """Number the next request so: a resumed run goes on counting."""
        self._number = number

    # -- one record a request ------------------------------------------------------------------------------------

    def _units(
        self,
        block: Block,
        items: list[Any],
        addresses: Any,
        faults: dict[int, str],
        rejected: list[RejectedRecord],
    ) -> list[Request]:
        shared = addresses if isinstance(addresses, Address) else None
        requests: list[Request] = []
        for index, item in enumerate(items):
            if faults and index in faults:
                continue
            position = block.first + index
            try:
                request = self._request(
                    shared or addresses[index], range(position, position + 1), item, [block.lines[index]]
                )
            except RecordError as error:
                faults[index] = str(error)
                continue
            requests.append(request)
        _tell(block, faults, rejected)
        return requests

    # -- many records a request ----------------------------------------------------------------------------------

    def _hold(self, block: Block, items: list[Any], addresses: Any, faults: dict[int, str]) -> None:
        """Add the good records of a block to the open batches of their addresses, stretch by stretch."""
        if isinstance(addresses, Address) and not faults:
            self._batch(addresses).add(block.first, items, block.lines)
            return
        start, count = 0, len(items)
        while start < count:
            if start in faults:
                start += 1
                continue
            address = addresses if isinstance(addresses, Address) else addresses[start]
            stop = start + 1
            while (
                stop < count and stop not in faults and (addresses is address or addresses[stop] == address)
            ):
                stop += 1
            self._batch(address).add(block.first + start, items[start:stop], block.lines[start:stop])
            start = stop

    def _batch(self, address: Address) -> OpenBatch:
        batch = self._open.get(address)
        if batch is None:
            batch = self._open[address] = OpenBatch()
        return batch

    def _cut(
        self, address: Address, batch: OpenBatch, requests: list[Request], rejected: list[RejectedRecord]
    ) -> None:
        """Requests for as many full batches as there are."""
        size, start = self._spec.size, 0
        while start + size <= len(batch):
            request = self._batch_request(address, batch, start, size, rejected)
            if request is not None:
                requests.append(request)
            start += size
        if start:
            batch.forget(start)

    def _make_room(self, requests: list[Request], rejected: list[RejectedRecord]) -> None:
        """Memory stays flat however many addresses there are: too many records held, and the fullest batches go."""
        held = sum(map(len, self._open.values()))
        if held > _MOST_HELD:
            for address, batch in sorted(self._open.items(), key=lambda pair: -len(pair[1])):
                request = self._batch_request(address, batch, 0, len(batch), rejected)
                requests += [request] if request is not None else []
                held -= len(batch)
                batch.forget(len(batch))
                if held <= _MOST_HELD // 2:
                    break
        for address in [address for address, batch in self._open.items() if not len(batch)]:
            del self._open[address]

    def _rest(self) -> Planned:
        requests: list[Request] = []
        rejected: list[RejectedRecord] = []
        for address, batch in self._open.items():
            if not len(batch):
                continue
            request = self._batch_request(address, batch, 0, len(batch), rejected)
            if request is not None:
                requests.append(request)
        self._open.clear()
        return Planned(requests, rejected)

    def _batch_request(
        self, address: Address, batch: OpenBatch, start: int, count: int, rejected: list[RejectedRecord]
    ) -> Request | None:
        """One request for `count` held records; where they make none, each is rejected with the reason."""
        return self._made(address, *batch.take(count, start), rejected)

    def _made(
        self,
        address: Address,
        positions: Positions,
        items: list[Any],
        records: list[bytes],
        rejected: list[RejectedRecord],
    ) -> Request | None:
        """A request for these records; the ones that an encoder finds at fault are rejected, the rest goes on."""
        grouping = self._spec.grouping
        assert grouping is not None
        try:
            self._check_count(len(items))
            payload = grouping.build(items)
            if self._spec.opaque:
                check_places(payload, items)
            if self._beside:
                payload = {**payload, **self._beside}
            return self._request(address, positions, payload, records)
        except RecordError as error:
            mine = set(map(id, items))
            reasons = {id(item): reason for item, reason in error.each if id(item) in mine}
            left: list[int] = []
            for index, item in enumerate(items):
                reason = reasons.get(id(item)) if reasons else str(error)
                if reason is None:
                    left.append(index)
                else:
                    rejected.append(
                        RejectedRecord(position=positions[index], reason=reason, line=records[index])
                    )
            if not left:
                return None
            places = positions_of([range(positions[index], positions[index] + 1) for index in left])
            return self._made(
                address,
                places,
                [items[index] for index in left],
                [records[index] for index in left],
                rejected,
            )

    def _check_count(self, count: int) -> None:
        least = self._spec.minimum
        if count < least:
            raise RecordError(f"this call needs at least {least} records, and the input has {count}")

    # -- the request itself --------------------------------------------------------------------------------------

    def _request(self, address: Address, positions: Positions, payload: Any, records: list[bytes]) -> Request:
        spec = self._spec
        body = spec.encode(payload, spec.encoder_settings)
        parts = body.parts
        content: bytes | tuple[bytes | FilePart, ...]
        only = parts[0] if len(parts) == 1 else b"" if not parts else None
        if isinstance(only, bytes):
            if spec.compress is not None and only:
                only = spec.compress(only)
            content, length, digest = only, len(only), sha256(only).digest()
        else:
            content, length, digest = parts, length_of(body), digest_of(body)
        headers = spec.headers + address.headers
        if body.media_type:
            headers = (*headers, ("Content-Type", body.media_type))
        key = ""
        if spec.idempotency_key:
            key = _key(self._run, positions, digest)
            headers = (*headers, ("Idempotency-Key", key))
        number = self._number
        self._number = number + 1
        return Request(
            number=number,
            positions=positions,
            method=spec.method,
            url=address.url,
            headers=headers,
            body=content,
            length=length,
            sha256=digest,
            key=key,
            records=records,
        )


def _tell(block: Block, faults: Mapping[int, str], rejected: list[RejectedRecord]) -> None:
    rejected += [
        RejectedRecord(
            position=block.first + index,
            reason=f"{block.place(index)}: {faults[index]}",
            line=block.lines[index],
            place=block.place(index),
        )
        for index in sorted(faults)
    ]
