"""Wishes: what a delivery's flow wants after its last attempt for now is seen to: rest, a wait, or a second round."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from haulier.delivery.retry import Exhausted, Settle, Wait
from haulier.io.ledger.rows import NOT_SENT, may_have_arrived
from haulier.model.delivery import Stop
from haulier.model.request import Request
from haulier.model.wording import clause
from haulier.runs.driving.course import Source
from haulier.runs.driving.crew import Crew
from haulier.runs.driving.delivered import Delivered
from haulier.runs.driving.delivery import Delivery
from haulier.runs.driving.second_round import SecondRound
from haulier.runs.driving.settling import Settling
from haulier.runs.driving.under_way import UnderWay
from haulier.runs.driving.windows import Windows

__all__ = ["Wishes"]


class Wishes:
    """settling: brings deliveries to rest; second: holds those that are tried once more. unproven: see Place. settled:
    told of each request that came to rest. changed: called when one did, or goes on as its parts.
    """

    def __init__(
        self,
        stage: UnderWay,
        source: Source,
        crew: Crew,
        windows: Windows,
        *,
        unproven: bool,
        settled: Callable[[Delivered], None] | None,
        changed: Callable[[], None],
    ) -> None:
        self._stage = stage
        self._crew = crew
        self._windows = windows
        self._changed = changed
        self.settling = Settling(
            stage,
            unproven=unproven,
            parts=source.parts,
            later=self._settled,
            again=self._again,
            settled=settled,
        )
        self.second = SecondRound(stage, self.settling, windows)
        self.exhausted: Callable[[Delivery, Exhausted], None] = self.second.exhausted

    def wait(self, delivery: Delivery, wish: Wait) -> None:
        """It comes back after a while, and so do all others where the service asked for that; or the run stops."""
        stage, crew = self._stage, self._crew
        # A part that has yet to leave: the answer that asked for its records again was counted by itself.
        if delivery.own_tries and wish.failed:
            stage.rules.failure(delivery.began, crew.active)
        crew.later(delivery, wish.seconds)
        stage.book.waited(wish.seconds)
        if not wish.asked:
            return
        if wish.seconds > stage.course.patience_s:
            stage.stop(
                f"{clause(wish.reason)}; it asks to come back in {wish.seconds:,.0f} s, "
                f"which is more than `limits.patience_s` ({stage.course.patience_s:,.0f} s)"
            )
        crew.asked(wish.seconds)

    def delivered(self, deliveries: Sequence[Delivery]) -> None:
        """`settle` for what nearly all deliveries come to at once, where nobody is told of it."""
        self._windows.rested(*deliveries)
        self.settling.delivered(deliveries)
        if self._stage.course.lane is not None:
            for delivery in deliveries:
                self._windows.settled(delivery)
        self._windows.commit_soon()

    def settle(self, delivery: Delivery, wish: Settle) -> None:
        """It comes to rest by its verdict, or stops the run."""
        verdict = wish.verdict
        if isinstance(verdict, Stop):
            self._stage.put_back(delivery, verdict.reason)
            self._stage.stop(verdict.reason)
            return
        self._windows.rested(delivery)
        self.settling.settle(delivery, wish)
        if not self.settling.waits(delivery):
            self._settled(delivery)

    def _settled(self, delivery: Delivery) -> None:
        """A delivery came to rest, or goes on as its parts."""
        self._windows.settled(delivery)
        self._windows.commit_soon()
        self._changed()

    def _again(self, part: Request, whole: Delivery, spent: int) -> None:
        """A part of a delivery goes on as a request of its own, from the next commit on."""
        # What the service refused or asked for again it did not take; of the part itself nothing has left.
        before = whole.left_status if may_have_arrived(whole.left_status) else NOT_SENT
        delivery = Delivery(part, spent=spent, tries=spent, shared_splits=whole.splits, before=before)
        delivery.since = (
            self._stage.rules.successes
        )  # what succeeded in the same answer says nothing of these
        self._stage.book.expect(part)
        self._windows.follow(delivery, whole)
        self._windows.commit_soon()
