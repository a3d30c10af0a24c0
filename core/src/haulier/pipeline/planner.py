"""The planner: a pure push object that turns blocks of records into requests.

Preview, runs and `write()/flush()` use this very object; there is no second code path. It opens nothing and knows no
clock: what the time decides is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Protocol

import msgspec

from haulier.errors import RecordError
from haulier.model.block import Block, RejectedRecord
from haulier.model.expression import Expression, Fault, RunFacts, value_block
from haulier.model.parts import Grouping
from haulier.model.request import Body, FilePart, Header, Positions, Request
from haulier.pipeline.address import Address, with_attributes
from haulier.pipeline.attributes import Way, decode, drop, pick
from haulier.pipeline.batches import OpenBatch
from haulier.pipeline.encoding import digest_of, length_of

__all__ = ["AddressBook", "BodyValue", "Constant", "PlanSpec", "Planned", "Planner", "idempotency_key"]


class Constant(msgspec.Struct, frozen=True):
    """A body value that is no text and so no expression: the same for every record."""

    value: Any
    needs_record: bool = False
    varies: bool = False
    record_paths: tuple[tuple[str, ...], ...] = ()


class BodyValue(msgspec.Struct, frozen=True):
    """One named value of the body. required: a record without it is rejected; else the value is left out."""

    name: str
    expression: Expression | Constant
    required: bool

    def resolve(self, facts: RunFacts) -> BodyValue:
        """The same with the facts of a run filled in."""
        if isinstance(self.expression, Constant):
            return self
        return BodyValue(self.name, self.expression.resolve(facts), self.required)

    @property
    def record_paths(self) -> tuple[tuple[str, ...], ...]:
        """The attribute paths it reads."""
        return self.expression.record_paths

    def column(self, records: Sequence[Mapping[str, Any]]) -> Sequence[Any]:
        """The value for each record, or its Fault."""
        if isinstance(self.expression, Constant):
            return [self.expression.value] * len(records)
        return value_block(self.expression, records)


class AddressBook(Protocol):
    """Where requests go: one constant address, or one per record of a block."""

    @property
    def constant(self) -> Address | None:
        """The one address of all records; None where it is read from records."""
        ...

    def block(self, records: Sequence[Mapping[str, Any]]) -> list[Address | Fault]:
        """The address of each record, or why it has none."""
        ...


class PlanSpec(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """All a planner needs to know, checked and compiled beforehand.

    attributes: where the attributes of a record go. exclude: those that go nowhere. body: further values, resolved.
    files: names of file parameters, found beforehand and carried by the blocks.
    size: records a request carries at most, 0 for no bound; grouping None: one record a request.
    """

    method: str
    address: AddressBook
    encode: Callable[[Any, Any], Body]
    encoder_settings: Any
    way: Way
    run_id: str
    attributes: str = "body"
    exclude: frozenset[str] = frozenset()
    body: tuple[BodyValue, ...] = ()
    files: tuple[str, ...] = ()
    grouping: Grouping | None = None
    size: int = 100
    minimum: int = 1
    item: str = ""
    booleans: str = "words"
    idempotency_key: bool = True
    headers: tuple[Header, ...] = ()


class Planned(msgspec.Struct, frozen=True, gc=False):
    """What came of feeding a block: requests in order, and the records that cannot be sent as they are."""

    requests: list[Request]
    rejected: list[RejectedRecord]


def idempotency_key(run_id: str, positions: Positions, digest: bytes) -> str:
    """32 hexadecimal digits that belong to one exact body of one run."""
    if isinstance(positions, range):
        told = b"%d-%d" % (positions.start, positions.stop)
    else:
        told = b",".join(b"%d" % position for position in positions)
    return sha256(b"%s\n%s\n%s" % (run_id.encode(), told, digest)).hexdigest()[:32]


class Planner:
    """Turns blocks into requests. `feed` blocks in order, then `close`; `rebuild` remakes one request."""

    def __init__(self, spec: PlanSpec) -> None:
        self._spec = spec
        self._number = 0
        self._open: dict[Address, OpenBatch] = {}
        # What stands beside the records of a batch is the same for all of them.
        self._beside = (
            {value.name: value.column([{}])[0] for value in spec.body} if spec.grouping is not None else {}
        )

    def feed(self, block: Block, now: float = 0.0) -> Planned:
        """Plan a block; records that still wait for company are held. `now`: Unix seconds, for bounds in time."""
        rejected: list[RejectedRecord] = []
        items, addresses, faults = self._read(block)
        if self._spec.grouping is None:
            return Planned(self._units(block, items, addresses, faults, rejected), rejected)
        self._hold(block, items, addresses, faults)
        _tell(block, faults, rejected)
        requests: list[Request] = []
        if self._spec.size:
            for address, batch in self._open.items():
                self._cut(address, batch, requests, rejected)
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
            items, addresses, faults = self._read(block)
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

    def start_at(self, number: int) -> None:
        """Number the next request so: a resumed run goes on counting."""
        self._number = number

    # -- reading a block -----------------------------------------------------------------------------------------

    def _read(self, block: Block) -> tuple[list[Any], Address | list[Address | Fault], dict[int, str]]:
        """The items, the addresses (one for all, or one each) and the faults of a block."""
        spec = self._spec
        items, faults = decode(block, spec.way)
        addresses: Address | list[Address | Fault]
        if spec.address.constant is not None:
            addresses = spec.address.constant
        else:
            addresses = spec.address.block([item if item is not None else {} for item in items])
            for index, address in enumerate(addresses):
                if isinstance(address, Fault):
                    faults.setdefault(index, address.reason)
        values = self._body_values(items, faults) if spec.grouping is None else []
        if spec.exclude:
            drop(items, spec.exclude)
        if spec.item:
            items = pick(items, spec.item, faults)
        elif spec.grouping is None and spec.attributes != "body":
            if spec.attributes == "query":
                addresses = self._queried(items, addresses, faults)
            items = [{} for _ in items]
        if values or spec.files:
            items = self._with_values(block, items, values, faults)
        return items, addresses, faults

    def _body_values(self, items: list[Any], faults: dict[int, str]) -> list[tuple[str, Sequence[Any]]]:
        """Each body parameter with its value for each record; a Fault where an optional one has none."""
        if not self._spec.body:
            return []
        records = [item if item is not None else {} for item in items]
        columns: list[tuple[str, Sequence[Any]]] = []
        for value in self._spec.body:
            column = value.column(records)
            for index, one in enumerate(column):
                if isinstance(one, Fault) and (value.required or not one.absent):
                    faults.setdefault(index, f"parameter {value.name}: {one.reason}")
            columns.append((value.name, column))
        return columns

    def _queried(
        self, items: list[Any], addresses: Address | list[Address | Fault], faults: dict[int, str]
    ) -> Any:
        """The addresses with the attributes of each record as query parameters."""
        shared = addresses if isinstance(addresses, Address) else None
        queried: list[Address | Fault] = []
        for index, item in enumerate(items):
            address = shared or addresses[index]  # type: ignore[index]
            if item is not None and isinstance(address, Address):
                address = with_attributes(address, item, self._spec.booleans)
                if isinstance(address, Fault):
                    faults.setdefault(index, address.reason)
            queried.append(address)
        return queried

    def _with_values(
        self, block: Block, items: list[Any], values: list[tuple[str, Sequence[Any]]], faults: dict[int, str]
    ) -> list[Any]:
        """The payload of each record with its body parameters and file parts."""
        payloads: list[Any] = []
        for index, item in enumerate(items):
            payload = dict(item) if isinstance(item, dict) else {}
            for name, column in values:
                if not isinstance(column[index], Fault):
                    payload[name] = column[index]
            if self._spec.files:
                self._add_files(block, index, payload, faults)
            payloads.append(payload)
        return payloads

    def _add_files(self, block: Block, index: int, payload: dict[str, Any], faults: dict[int, str]) -> None:
        found = block.files[index] if block.files is not None else {}
        for name in self._spec.files:
            part = found.get(name)
            if isinstance(part, FilePart):
                payload[name] = part
            elif part is not None:
                faults.setdefault(index, part)

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
        positions, items, records = batch.take(count, start)
        grouping = self._spec.grouping
        assert grouping is not None
        try:
            if count < self._spec.minimum:
                raise RecordError(
                    f"this call needs at least {self._spec.minimum} records and the input has {count}"
                )
            payload = grouping.build(items)
            if self._beside:
                payload = {**payload, **self._beside}
            return self._request(address, positions, payload, records)
        except RecordError as error:
            for position, line in zip(positions, records, strict=True):
                rejected.append(RejectedRecord(position=position, reason=str(error), line=line))
            return None

    # -- the request itself --------------------------------------------------------------------------------------

    def _request(self, address: Address, positions: Positions, payload: Any, records: list[bytes]) -> Request:
        spec = self._spec
        body = spec.encode(payload, spec.encoder_settings)
        parts = body.parts
        content: bytes | tuple[bytes | FilePart, ...]
        only = parts[0] if len(parts) == 1 else b"" if not parts else None
        if isinstance(only, bytes):
            content, length, digest = only, len(only), sha256(only).digest()
        else:
            content, length, digest = parts, length_of(body), digest_of(body)
        headers = spec.headers + address.headers
        if body.media_type:
            headers = (*headers, ("Content-Type", body.media_type))
        key = ""
        if spec.idempotency_key:
            key = idempotency_key(spec.run_id, positions, digest)
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
    for index in sorted(faults):
        rejected.append(
            RejectedRecord(
                position=block.first + index,
                reason=f"{block.place(index)}: {faults[index]}",
                line=block.lines[index],
                place=block.place(index),
            )
        )
