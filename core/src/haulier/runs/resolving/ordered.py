"""Which requests wait for each other, as `order:` says."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from haulier.errors import DestinationError
from haulier.model.destination import Destination
from haulier.model.json_value import decoded, members
from haulier.model.request import Request

__all__ = ["KeyLane", "check_order", "lane_of"]

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


class KeyLane:
    """The lane of a request by the value of its record's key; notes where none has had one, so that nobody waits."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._any = self._keyless = False

    def __call__(self, request: Request) -> Hashable | None:
        """The value of the key, None where the record has none."""
        records = request.records
        raw = members(records[0]).get(self._key) if records else None
        if raw is None:
            self._keyless = True
            return None
        self._any = True
        value = decoded(raw)
        # 1, 1.0 and true are equal in Python and three values in JSON.
        return (type(value).__name__, value) if isinstance(value, Hashable) else bytes(raw)

    def remarks(self) -> tuple[str, ...]:
        """In words, that no record has had the key so far; nothing before the first record."""
        if self._any or not self._keyless:
            return ()
        return (f"order: no record so far has the attribute `{self._key}` (`key`), so none was kept",)


def lane_of(destination: Destination) -> Callable[[Request], Hashable | None] | None:
    """What tells of a request which others it waits for: those of an equal lane. None where none waits."""
    if destination.order == "none":
        return None
    return KeyLane(destination.key or "") if destination.order == "key" else lambda _: _STRICT
