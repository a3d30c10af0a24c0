"""The second round: deliveries that spent their attempts are tried once more, after all others."""

from __future__ import annotations

from haulier.delivery.retry import Exhausted
from haulier.io.ledger.rows import may_have_arrived
from haulier.model.delivery import Verdict
from haulier.runs.driving.delivery import Delivery
from haulier.runs.driving.settling import Settling
from haulier.runs.driving.under_way import UnderWay
from haulier.runs.driving.windows import Windows

__all__ = ["SecondRound"]

_SPENT = "retries exhausted"


class SecondRound:
    """waiting: deliveries that the round has yet to begin with."""

    def __init__(self, stage: UnderWay, settling: Settling, windows: Windows) -> None:
        self._stage = stage
        self._settling = settling
        self._windows = windows
        self.waiting: list[Delivery] = []

    def begin(self) -> bool:
        """Bring all that wait on their way once more; False where there are none."""
        waiting, self.waiting = self.waiting, []
        if waiting:
            self._windows.intend([_once_more(delivery) for delivery in waiting])
            self._windows.commit()
        return bool(waiting)

    def exhausted(self, delivery: Delivery, wish: Exhausted) -> None:
        """A delivery spent its attempts: it waits for the round, or has had it and comes to rest, or the run stops."""
        again = delivery.exhausted is not None
        if wish.parked or (wish.conflict and again):
            self._leave_in_doubt(delivery, wish)
            return
        why = "" if wish.conflict else self._why_stop(delivery, wish)
        if why or not again:
            self._stage.put_back(delivery, wish.reason)
        if why:
            self._stage.stop(why)
        elif again:
            refused = wish.answered or not may_have_arrived(delivery.left_status)
            verdict = Verdict("rejected" if refused else "unknown", f"{_SPENT}: {wish.reason}")
            self._rest(delivery, verdict, wish)
        else:
            delivery.exhausted = wish
            self._windows.rested(delivery)
            if delivery.lane is None:
                self.waiting.append(delivery)
            else:  # others wait for this one, so it cannot wait for all others
                self._windows.follow(_once_more(delivery), delivery, wish.reason)
                self._windows.settled(delivery)
                self._windows.commit_soon()

    def _why_stop(self, delivery: Delivery, wish: Exhausted) -> str:
        """Why the run stops now, as the service seems to be down; an empty text where it goes on."""
        return self._stage.rules.exhausted(
            wish.reason,
            began=delivery.began,
            again=delivery.exhausted is not None,
            since=delivery.since or 0,
            status=delivery.status,
            spoken=wish.spoken,
        )

    def _leave_in_doubt(self, delivery: Delivery, wish: Exhausted) -> None:
        """It may have arrived, and is not sent again; or was, and no answer said what became of it."""
        rules, reason = self._stage.rules, wish.reason
        self._rest(delivery, Verdict("unknown", reason if wish.parked else f"{_SPENT}: {reason}"), wish)
        why = rules.parked(reason, began=delivery.began) if wish.parked else rules.conflicting(reason)
        if why:
            self._stage.stop(why)

    def _rest(self, delivery: Delivery, verdict: Verdict, wish: Exhausted) -> None:
        self._windows.rested(delivery)
        self._settling.finish(delivery, verdict, wish.attempts, wish.response)
        self._windows.settled(delivery)
        self._windows.commit_soon()


def _once_more(delivery: Delivery) -> Delivery:
    """The same request for its second round."""
    again = Delivery(delivery.request, before=delivery.left_status)
    again.since, again.exhausted = delivery.since, delivery.exhausted
    return again
