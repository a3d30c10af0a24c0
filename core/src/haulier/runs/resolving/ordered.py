"""Which requests wait for each other, as `order:` says."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from haulier.errors import DestinationError
from haulier.model.destination import Destination
from haulier.model.json_value import decoded, members
from haulier.model.request import Request

__all__ = ["check_order", "lane_of"]

_STRICT = ""


def check_order(destination: Destination, *, batches: bool) -> None:
    """DestinationError where `order` cannot be kept."""
    if destination.order != "key":
        return
    if destination.key is None:
        raise DestinationError("order: `key` needs `key`, the attribute whose values are kept in order")
    if batches:
        raise DestinationError(
            "order: `key` needs requests of one record each; leave `batching` out, or write `order: strict`"
        )


def lane_of(destination: Destination) -> Callable[[Request], Hashable | None] | None:
    """What tells of a request which others it waits for: those of an equal lane. None where none waits."""
    if destination.order == "none":
        return None
    if destination.order == "strict":
        return lambda _: _STRICT
    key = destination.key or ""

    def lane(request: Request) -> Hashable | None:
        """The value of the key; None, which waits for nobody, where the record has none."""
        records = request.records
        raw = members(records[0]).get(key) if records else None
        if raw is None:
            return None
        value = decoded(raw)
        # 1, 1.0 and true are equal in Python and three values in JSON.
        return (type(value).__name__, value) if isinstance(value, Hashable) else bytes(raw)

    return lane
