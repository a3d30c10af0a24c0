"""The pieces that a destination ready to run is put together from, whichever of the two ways it is configured."""

from __future__ import annotations

import msgspec

from haulier.model.connector import Attributes, EndpointTemplate, ItemType
from haulier.model.destination import Batching
from haulier.model.expression import Expression
from haulier.pipeline.address import AddressTemplate
from haulier.pipeline.bounds import Bounded
from haulier.pipeline.spec import BodyValue

__all__ = ["FileParameter", "Pieces"]


class FileParameter(msgspec.Struct, frozen=True):
    """A part of the body that is a file. path: where it is, rendered for each record."""

    name: str
    path: Expression
    required: bool


class Pieces(msgspec.Struct, frozen=True, kw_only=True):
    """What a template, or a request made by hand, contributes. format_name: of the content encoder.

    minimum: records a call needs at least; whole: one call for the whole input. item_type: of what
    `batching.item` names. bounds: of parameters that records fill. untried: what only the service can tell, for who
    makes or checks the destination.
    """

    address: AddressTemplate
    attributes: Attributes
    format_name: str
    body: tuple[BodyValue, ...]
    files: tuple[FileParameter, ...]
    batching: Batching | None
    idempotency_key: bool
    warnings: tuple[str, ...]
    bounds: tuple[Bounded, ...] = ()
    untried: str = ""
    template: EndpointTemplate | None = None
    whole: bool = False
    minimum: int = 1
    item_type: ItemType = "any"
