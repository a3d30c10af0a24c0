"""From the records of a batch to the bodies of its requests: shaped, encoded, measured, and halved where too large.

It is a generator, because some groupings must wait: it yields the work and is sent what came of it. A grouping that
waits for nothing goes through the very same lines without a stop.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from types import GeneratorType
from typing import Any, NamedTuple, TypeAlias, TypeVar

import msgspec

from haulier.errors import DestinationError, HaulierError, PluginError, RecordError
from haulier.model.block import RejectedRecord
from haulier.model.json_value import decoded
from haulier.model.parts import Portion, Work
from haulier.model.request import Body, Positions, Within
from haulier.pipeline.address import Address
from haulier.pipeline.batches import Cut, Weights
from haulier.pipeline.encoding import Packed, length_of, packed
from haulier.pipeline.encoding.values import as_members
from haulier.pipeline.line_numbers import LineNumbers
from haulier.pipeline.places import check_carried, check_places
from haulier.pipeline.spec import PlanSpec

__all__ = ["Chore", "Made", "Making", "MakingBatch", "Outcome", "Waiting", "at_fault", "carried"]

T = TypeVar("T")

_MANY_BYTES = 16 << 10  # of which the slowest format makes a body in 20 ms
_MOST_NAMED = 5  # oversized records
_PROBE = msgspec.Raw(b"{}")
_NOWHERE = Address("", ())


class Chore(NamedTuple):
    """Work of our own on many bytes, which would hold up whoever called the planner; pure, for any thread."""

    call: Callable[[], Any]


class Waiting(NamedTuple):
    """Work that a batch waits for, and the records that it is about."""

    work: Work | Chore
    positions: Positions


class Made(NamedTuple):
    """A body, and the records it carries."""

    cut: Cut
    body: Packed


class Outcome(NamedTuple):
    """What came of a batch."""

    made: list[Made]
    rejected: list[RejectedRecord]


MakingBatch = Generator[Waiting, Any, Outcome]
_Encoded: TypeAlias = "tuple[Cut, Body]"


def at_fault(error: PluginError, place: str, where: str) -> PluginError:
    """The same, telling in which destination and of which records."""
    return PluginError(
        f"{place}: {error} ({where}). No record is rejected for what a plugin does wrong: mend the plugin, or have "
        "the destination do without it, and go on"
    )


def carried(work: Work | Chore, positions: Positions, by: Callable[[Work, Positions], Any]) -> Any:
    """What work comes to; by: carries out what is not ours. Raises RecordError for what is wrong with its records."""
    return work.call() if isinstance(work, Chore) else by(work, positions)


class Making:
    """Makes bodies as a plan says. lines: on which line each record stands, for messages."""

    def __init__(self, spec: PlanSpec, lines: LineNumbers) -> None:
        self._spec = spec
        self._lines = lines
        self._failed = 0
        self._oversized = 0
        self._named: list[str] = []
        # What stands beside the records of a batch is the same for all of them.
        self._beside = (
            {value.name: value.column([{}])[0] for value in spec.body} if spec.grouping is not None else {}
        )

    def weights(self) -> Weights | None:
        """How bodies grow with their records, found by making three; None where they do not grow evenly."""
        most = self._spec.max_bytes
        if most is None or not self._spec.weighed:
            return None
        try:
            one, two, three = (self._probe(count) for count in (1, 2, 3))
        except HaulierError:
            return None  # said of the first batch of records
        between = two - one - len(_PROBE)
        if three - two != two - one or between < 0:
            return None
        return Weights(base=one - len(_PROBE), between=between, most=most)

    def remarks(self) -> tuple[str, ...]:
        """In words, which records alone make a larger body than one may have."""
        if not self._oversized:
            return ()
        more = [f"{self._oversized - _MOST_NAMED:,} more"] if self._oversized > _MOST_NAMED else []
        return (
            f"larger alone than batching.max_bytes ({self._spec.max_bytes:,}), so sent alone: "
            + ", ".join(self._named + more),
        )

    def _probe(self, count: int) -> int:
        cut = Cut(_NOWHERE, range(count), [_PROBE] * count, [b"{}"] * count)
        making = self._bodies(cut)
        try:
            next(making)
        except StopIteration as end:
            ((_, body),) = end.value
            return length_of(body)
        raise RecordError("a grouping that waits is not measured beforehand")

    def make(self, cut: Cut, *, measured: bool = True) -> MakingBatch:
        """The bodies for a batch; measured False: however large they are.

        Records that an encoder finds at fault are rejected and the rest goes on; of a batch that makes no body at all
        each record is.
        """
        outcome = Outcome([], [])
        try:
            self._check_count(len(cut.items))
            bodies = yield from self._bodies(cut)
            for part, body in bodies:
                if self._spec.max_bytes is None or not measured:
                    yield from self._pack(part, body, outcome)
                else:
                    yield from self._measure(part, body, outcome)
        except RecordError as error:
            left = self._reject(cut, error, outcome)
            if left:
                again = yield from self.make(cut.part(left), measured=measured)
                outcome.made.extend(again.made)
                outcome.rejected.extend(again.rejected)
        return outcome

    def _check_count(self, count: int) -> None:
        least = self._spec.minimum
        if count < least:
            raise RecordError(
                f"this call needs at least {least} records, and the input has {count} that can be sent"
            )

    def _measure(self, cut: Cut, body: Body, outcome: Outcome) -> Generator[Waiting, Any, None]:
        most, length, count = self._spec.max_bytes, length_of(body), len(cut.items)
        if most is None or length <= most:
            yield from self._pack(cut, body, outcome)
        elif count == 1:
            self._oversized += 1
            if self._oversized <= _MOST_NAMED:
                self._named.append(f"{self._lines.place(cut.positions[0])} ({length:,} bytes)")
            yield from self._pack(cut, body, outcome)
        else:
            # As many parts as it takes if records are of one size, at least two: each is made and measured again.
            parts = min(count, max(2, -(-length // most)))
            for number in range(parts):
                places = range(count * number // parts, count * (number + 1) // parts)
                again = yield from self.make(cut.part(places))
                outcome.made.extend(again.made)
                outcome.rejected.extend(again.rejected)

    def _pack(self, cut: Cut, body: Body, outcome: Outcome) -> Generator[Waiting, Any, None]:
        call = partial(packed, body, self._spec.compress, sealed=self._spec.sealed)
        outcome.made.append(Made(cut, (yield from self._done(call, length_of(body), cut.positions))))

    def _done(self, call: Callable[[], T], size: int, positions: Positions) -> Generator[Waiting, Any, T]:
        """What a call on so many bytes gives; of many, it is waited for, where there is somebody who carries it out."""
        if not self._spec.waits or size <= _MANY_BYTES:
            return call()
        made: T = yield Waiting(Chore(call), positions)
        return made

    def _where(self, cut: Cut, index: int) -> str:
        return self._lines.place(cut.positions[index])

    def _reject(self, cut: Cut, error: RecordError, outcome: Outcome) -> list[int]:
        """Reject the records at fault, or all of them where the error names none; the indices of those left.

        Of a batch that makes no body all records have one reason, which names where they stand.
        """
        mine = set(map(id, cut.items))
        reasons = {id(item): reason for item, reason in error.each if id(item) in mine}
        self._failed += not reasons
        whole = "" if reasons else f"{error} ({self._lines.places(cut.positions)})"
        left: list[int] = []
        for index, item in enumerate(cut.items):
            reason, position = reasons.get(id(item)), cut.positions[index]
            if reason is None and not whole:
                left.append(index)
                continue
            place = self._lines.place(position)
            outcome.rejected.append(
                RejectedRecord(
                    position=position,
                    reason=whole or f"{place}: {reason}",
                    line=cut.records[index].removesuffix(b"\n"),
                    place=place,
                    batch=self._failed if whole else 0,
                )
            )
        return left

    def _bodies(self, cut: Cut) -> Generator[Waiting, Any, list[_Encoded]]:
        """The bodies of a batch; PluginError says in which destination and of which records a plugin is at fault."""
        try:
            return (yield from self._built(cut))
        except PluginError as error:
            raise at_fault(error, self._spec.place, self._lines.places(cut.positions)) from error

    def _built(self, cut: Cut) -> Generator[Waiting, Any, list[_Encoded]]:
        spec = self._spec
        assert spec.grouping is not None
        built = spec.grouping.build(cut.items)
        by_code = False
        if type(built) is GeneratorType:
            by_code = True
            built = yield from _waited(built, cut.positions)
        if not (type(built) is tuple and any(type(one) is Portion for one in built)):
            return [(cut, self._encoded(built, cut))]
        try:
            check_carried(built, len(cut.items))
        except RecordError as error:
            if by_code:
                raise  # a person wrote it for these records, and is told with them
            raise PluginError(f"{spec.grouped_by}: {error}") from None
        bodies: list[_Encoded] = []
        for portion in built:
            carries = portion.carries
            part = cut if carries is None or len(carries) == len(cut.items) else cut.part(carries)
            size = memoryview(portion.payload).nbytes if type(portion.payload) is msgspec.Raw else 0
            call = partial(self._of_portion, portion, part)
            bodies.append((part, (yield from self._done(call, size, part.positions))))
        return bodies

    def _of_portion(self, portion: Portion, part: Cut) -> Body:
        payload, needs = portion.payload, self._spec.encoder_needs
        if isinstance(payload, bytes):
            return Body(parts=(payload,), media_type=portion.media_type or self._spec.media_type)
        if type(payload) is msgspec.Raw and needs != "opaque":
            payload = decoded(payload) if needs == "values" else as_members(payload)
        try:
            return self._encoded(payload, part)
        except DestinationError as error:
            raise RecordError(str(error)) from None  # of this payload: another batch may make a better one

    def _encoded(self, payload: Any, cut: Cut) -> Body:
        spec = self._spec
        if spec.placed:
            where = partial(self._where, cut)
            check_places(payload, cut.items, what=spec.grouped_by, where=where, anew=spec.anew)
        if self._beside:
            if not isinstance(payload, dict):
                told = f"returned a {type(payload).__name__} where values stand beside the records"
                raise PluginError(f"{spec.grouped_by} {told}; it must return a dict each time")
            payload = {**payload, **self._beside}
        body = spec.encode(payload, spec.encoder_settings)
        within = _within(payload, cut.items) if spec.verbatim and spec.way == "untouched" else ""
        if body.within == within:
            return body
        return Body(parts=body.parts, media_type=body.media_type, within=within)


def _within(payload: Any, items: list[Any]) -> Within:
    """Where these very items stand in a payload, if they all do, in their order."""
    if type(payload) is list:
        return "list" if payload == items else ""
    if type(payload) is dict and payload:
        last = next(reversed(payload.values()))
        return "last" if type(last) is list and last == items else ""
    return ""


def _waited(building: Generator[Work, Any, Any], positions: Positions) -> Generator[Waiting, Any, Any]:
    """What a grouping that waits builds: its work is handed on with the records it is about."""
    try:
        work = building.send(None)
        while True:
            try:
                done = yield Waiting(work, positions)
            except RecordError as error:
                work = building.throw(error)
            else:
                work = building.send(done)
    except StopIteration as end:
        return end.value
