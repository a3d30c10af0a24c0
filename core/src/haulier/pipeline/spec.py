"""All a planner needs to know about a destination, checked and compiled beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from haulier.model.expression import Expression, Fault, RunFacts, value_block
from haulier.model.parts import Grouping, Needs
from haulier.model.request import Body, Header
from haulier.pipeline.address import Address
from haulier.pipeline.attributes import Way
from haulier.pipeline.bounds import Bounded
from haulier.pipeline.items import ItemAsked
from haulier.pipeline.shaping import Shape

__all__ = ["AddressBook", "BodyValue", "Constant", "PlanSpec"]


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

    attributes: where the attributes of a record go. shape: what is changed about them. body: further values, resolved.
    bounds: what values that records give for parameters are held against, resolved.
    files: names of file parameters, found beforehand and carried by the blocks.
    size: records a request carries at most, 0 for no bound; grouping None: one record a request. max_bytes: of a body,
        uncompressed; max_wait: of a record for company, seconds; None for no bound. group_by: attribute paths.
    compress: what becomes of a body without files before it is sent, hashed and counted.
    grouped_by and place: how messages name the grouping, and the destination or its stage.
    placed: the grouping makes its payload here, so that each item must stand in it exactly once; anew: it may make new
        values of them instead.
    waits: the grouping is one that waits, so what comes of a batch may wait for other work as well.
    encoder_needs: in what form the encoder takes records.
    weighed: items are JSON texts, so that what a body comes to can be added up before it is made.
    item: what a record becomes inside of a batch; None: it stays whole.
    media_type: of bytes that a grouping made itself.
    verbatim: bodies are JSON, in which records that are untouched stand as they were read.
    sealed: whether requests are given their digests and keys; where they are handed to another planner with the same
        spec, that one does (`Planner.receive`).
    """

    method: str
    address: AddressBook
    encode: Callable[[Any, Any], Body]
    encoder_settings: Any
    way: Way
    run_id: str
    attributes: str = "body"
    shape: Shape = Shape()
    body: tuple[BodyValue, ...] = ()
    bounds: tuple[Bounded, ...] = ()
    files: tuple[str, ...] = ()
    grouping: Grouping | None = None
    grouped_by: str = ""
    place: str = ""
    placed: bool = False
    anew: bool = False
    waits: bool = False
    encoder_needs: Needs = "opaque"
    size: int = 100
    max_bytes: int | None = None
    max_wait: float | None = None
    group_by: tuple[tuple[str, ...], ...] = ()
    weighed: bool = False
    minimum: int = 1
    item: ItemAsked | None = None
    media_type: str = ""
    booleans: str = "words"
    idempotency_key: bool = True
    headers: tuple[Header, ...] = ()
    compress: Callable[[bytes], bytes] | None = None
    verbatim: bool = False
    sealed: bool = True
