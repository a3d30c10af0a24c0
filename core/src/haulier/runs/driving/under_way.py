"""What the parts of a driver share: one stage under way, and what is known of it so far."""

from __future__ import annotations

from collections.abc import Callable

from haulier.delivery.judging import History
from haulier.delivery.stopping import stop_rules
from haulier.runs.driving.book import Book
from haulier.runs.driving.course import Course
from haulier.runs.driving.delivery import Delivery

__all__ = ["UnderWay"]


class UnderWay:
    """A stage under way. rules: when it stops; history: what a judge may know of it. stop: called with why it stops."""

    def __init__(self, book: Book, course: Course, *, stop: Callable[[str], None]) -> None:
        self.book = book
        self.course = course
        self.stop = stop
        self.history = History()
        self.rules = stop_rules(
            course.max_rejected,
            course.stop_after,
            course.first_rejections,
            delivered_before=book.delivered_before,
            told=course.told,
        )

    def put_back(self, delivery: Delivery, reason: str) -> None:
        """A delivery is left for later: its records are pending meanwhile."""
        self.book.put_back(delivery.request, reason, delivery.own_tries, delivery.left_status)
