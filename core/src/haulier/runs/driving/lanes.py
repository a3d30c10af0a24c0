"""Lanes: of the requests that are to keep their order, one is on its way at a time; the others wait here."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from haulier.delivery.ordering import Ordering
from haulier.model.request import Request
from haulier.runs.driving.delivery import Delivery

__all__ = ["Lanes"]


class Lanes:
    """lane: of requests of an equal one, only one is on its way until it is settled; one without waits for nobody."""

    def __init__(self, lane: Callable[[Request], Hashable | None]) -> None:
        self._lane = lane
        self._ordering: Ordering[Delivery] = Ordering()

    @property
    def kept(self) -> int:
        """Deliveries that wait for another one of their lane."""
        return self._ordering.kept

    def enter(self, delivery: Delivery) -> bool:
        """Whether nobody of its lane is before this one; else it is kept until then."""
        delivery.lane = self._lane(delivery.request)
        return delivery.lane is None or self._ordering.enter(delivery.lane, delivery)

    def follow(self, delivery: Delivery, whole: Delivery) -> bool:
        """Keep what goes on in place of another one, before all that waits for that; False where that has no lane."""
        if whole.lane is None:
            return False
        delivery.lane = whole.lane
        self._ordering.follow(whole.lane, delivery)
        return True

    def leave(self, delivery: Delivery) -> Delivery | None:
        """This one came to rest: the one of its lane that waits no longer."""
        if delivery.lane is None:
            return None
        lane, delivery.lane = delivery.lane, None
        return self._ordering.leave(lane)
